"""A convolutional peer of about the student's size.

Kim 2014, "Convolutional Neural Networks for Sentence Classification", EMNLP.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from benchmarks.quality.answers import Answered
from distill.data.corpus import Corpus, Example
from distill.training.metrics import macro_f1
from runtime.tokenizer import PAD_ID, CharTokenizer

_WIDTH, _WINDOWS, _FILTERS = 128, (2, 3, 4), 256
_MAX_LEN, _BATCH, _EPOCHS, _RATE = 128, 64, 30, 1e-3


class TextCnn(nn.Module):
    """Character embeddings → convolutions of several widths → the maximum over the text → linear head."""

    def __init__(self, vocabulary: int, classes: int) -> None:
        super().__init__()
        self.characters = nn.Embedding(vocabulary, _WIDTH, padding_idx=PAD_ID)
        self.convolutions = nn.ModuleList(nn.Conv1d(_WIDTH, _FILTERS, size, padding=size - 1) for size in _WINDOWS)
        self.head = nn.Linear(_FILTERS * len(_WINDOWS), classes)

    def forward(self, ids: Tensor) -> Tensor:
        """Return logits ``[B, C]`` of ids ``[B, L]``."""
        hidden = functional.dropout(self.characters(ids), 0.2, self.training).transpose(1, 2)
        found = torch.cat([functional.relu(layer(hidden)).amax(2) for layer in self.convolutions], dim=1)
        logits: Tensor = self.head(functional.dropout(found, 0.5, self.training))
        return logits


def text_cnn(corpus: Corpus, seed: int) -> Answered:
    """Train for 30 epochs on train, keep the weights that are best on dev (macro-F1), answer test."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    tokenizer = CharTokenizer.from_texts([example.text for example in corpus.train], _MAX_LEN)
    classes = {label: number for number, label in enumerate(corpus.labels)}
    model = TextCnn(tokenizer.size, len(classes))
    optimiser = torch.optim.AdamW(model.parameters(), lr=_RATE)
    ids, labels = _encode(corpus.train, tokenizer), torch.tensor([classes[e.label] for e in corpus.train])
    dev, dev_labels = _encode(corpus.dev, tokenizer), np.array([classes[e.label] for e in corpus.dev])
    best, best_f1 = copy.deepcopy(model.state_dict()), -1.0
    for _ in range(_EPOCHS):
        model.train()
        for rows in torch.split(torch.randperm(len(ids)), _BATCH):
            loss = functional.cross_entropy(model(_pad(ids, rows.tolist())), labels[rows])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        f1 = macro_f1(dev_labels, _answers(model, dev), len(classes))
        if f1 > best_f1:
            best, best_f1 = copy.deepcopy(model.state_dict()), f1
    model.load_state_dict(best)
    return Answered([corpus.labels[answer] for answer in _answers(model, _encode(corpus.test, tokenizer))])


def _encode(examples: Sequence[Example], tokenizer: CharTokenizer) -> list[Tensor]:
    return [torch.from_numpy(tokenizer.encode(example.text).ids.astype(np.int64)) for example in examples]


def _pad(ids: Sequence[Tensor], rows: Sequence[int]) -> Tensor:
    return pad_sequence([ids[row] for row in rows], batch_first=True, padding_value=PAD_ID)


@torch.no_grad()
def _answers(model: TextCnn, ids: Sequence[Tensor]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    model.eval()
    parts = [model(_pad(ids, range(start, min(start + 256, len(ids))))).argmax(1) for start in range(0, len(ids), 256)]
    answers: np.ndarray[tuple[int], np.dtype[np.int64]] = torch.cat(parts).numpy()
    return answers
