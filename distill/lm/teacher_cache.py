"""What a language model says about each text, computed once and read in every epoch.

Kept as memory-mapped arrays in a folder of the run, float16, so that it may be larger than memory and
that a resumed run need not ask the teacher again::

    hidden [tokens of all texts, layers, d]   attention [layers·T·T of all texts]   logits [texts, C]

and where each text stands in them: :mod:`distill.lm.text_layout`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from numpy.lib.format import open_memmap
from torch import Tensor

from distill.lm.folder import FinetunedLM
from distill.lm.precision import lm_precision
from distill.lm.text_layout import Integers, TextLayout, read_array, starts, write_layout
from distill.lm.tokens import NOWHERE, TokenisedText
from runtime.files import atomic_path

_BATCH = 64
Halves = npt.NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class Targets:
    """What the teacher says about a batch, laid out by the student's characters.

    Attributes:
        hidden: ``[B, L, K, d]``, the states of K layers at the token of each character.
        attention: ``[B, K, L, L]``, attention from character to character; rows that are there sum to 1.
        logits: ``[B, C]``.
        there: ``[B, L]``, false for padding and for characters without a token.
    """

    hidden: Tensor
    attention: Tensor
    logits: Tensor
    there: Tensor

    def to(self, device: torch.device) -> Targets:
        """Return the targets on ``device``."""
        return Targets(*(getattr(self, field.name).to(device) for field in fields(self)))


class TeacherCache:
    """Reads the arrays of a folder that :func:`cached` completed.

    Raises:
        DataError: one of them is missing or damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.hidden: Halves = read_array(folder, "hidden")
        self.attention: Halves = read_array(folder, "attention")
        self.logits: npt.NDArray[np.float32] = read_array(folder, "logits")
        self.layout = TextLayout(folder)
        self._first_weight = starts(self.hidden.shape[1] * self.layout.tokens**2)

    @property
    def layers(self) -> int:
        """Number of layers kept."""
        return int(self.hidden.shape[1])

    @property
    def width(self) -> int:
        """Width of their states."""
        return int(self.hidden.shape[2])

    def batch(self, rows: Sequence[int]) -> Targets:
        """Return the targets of some texts, by row."""
        chosen = np.array(rows)
        places = self.layout.padded_places(chosen)
        there = places != NOWHERE
        tokens = np.where(there, places, 0)
        hidden = self.hidden[self.layout.first_token[chosen, None] + tokens]
        return Targets(
            hidden=torch.from_numpy(hidden.astype(np.float32)),
            attention=torch.from_numpy(self._attention(chosen, tokens, there)),
            logits=torch.from_numpy(self.logits[chosen]),
            there=torch.from_numpy(there),
        )

    def _attention(self, rows: Integers, tokens: Integers, there: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
        """Return attention between characters: that on a token is shared by its characters, none is left over."""
        length = self.layout.tokens[rows][:, None, None, None]
        layer = np.arange(self.layers)[:, None, None]
        first = self._first_weight[rows][:, None, None, None]
        index = first + (layer * length + tokens[:, None, :, None]) * length + tokens[:, None, None, :]
        both = there[:, None, :] & there[:, :, None]
        sharing = ((tokens[:, None, :] == tokens[:, :, None]) & both).sum(-1, dtype=np.float32)
        attention = self.attention[index].astype(np.float32) / np.maximum(sharing, 1.0)[:, None, None, :]
        attention *= both[:, None]
        weight: npt.NDArray[np.float32] = attention / np.maximum(attention.sum(-1, keepdims=True), 1e-6)
        return weight


def cached(
    folder: Path,
    finetuned: FinetunedLM,
    texts: Sequence[str],
    layers: Sequence[int],
    device: torch.device,
    report: Callable[[int], None] = lambda texts: None,
) -> TeacherCache:
    """Return what the teacher says about ``texts``, from ``folder`` if it was asked before.

    Args:
        folder: where it is kept; of one teacher, one list of texts and one choice of layers.
        finetuned: the teacher and its tokeniser.
        texts: as read.
        layers: whose states and attention are kept, counted from 1.
        device: where the teacher computes.
        report: is told about ten times how many texts are done.
    """
    if not folder.is_dir():
        with atomic_path(folder) as temporary:
            temporary.mkdir()
            _ask(temporary, finetuned, finetuned.tokenizer.encode(texts), layers, device, report)
    return TeacherCache(folder)


@torch.no_grad()
def teacher_logits(finetuned: FinetunedLM, texts: Sequence[str], device: torch.device) -> Tensor:
    """Return the teacher's logits ``[n, C]`` on the CPU, in the order of the texts."""
    teacher = finetuned.teacher.to(device).eval()
    logits = torch.empty(len(texts), len(finetuned.labels))
    for rows, ids, mask in finetuned.tokenizer.batches(finetuned.tokenizer.encode(texts), _BATCH):
        with lm_precision(device, finetuned.precision):
            logits[rows] = teacher(ids.to(device), mask.to(device)).float().cpu()
    return logits


@torch.no_grad()
def _ask(
    folder: Path,
    finetuned: FinetunedLM,
    texts: Sequence[TokenisedText],
    layers: Sequence[int],
    device: torch.device,
    report: Callable[[int], None],
) -> None:
    """Write the arrays of ``texts``."""
    teacher = finetuned.teacher.to(device).eval()
    tokens = np.array([len(text.ids) for text in texts])
    first_token, first_weight = starts(tokens), starts(len(layers) * tokens**2)
    write_layout(folder, tokens, [text.places for text in texts])
    hidden = open_memmap(folder / "hidden.npy", "w+", np.float16, (int(tokens.sum()), len(layers), teacher.width))
    attention = open_memmap(folder / "attention.npy", "w+", np.float16, (int(len(layers) * (tokens**2).sum()),))
    logits = open_memmap(folder / "logits.npy", "w+", np.float32, (len(texts), len(finetuned.labels)))
    for rows, ids, mask in finetuned.tokenizer.batches(texts, _BATCH, report):
        with lm_precision(device, finetuned.precision):
            states = teacher.states(ids.to(device), mask.to(device), layers)
        logits[rows] = teacher.classify(states.representation).cpu().numpy()
        all_hidden = torch.stack(states.hidden, 2).cpu().half().numpy()
        all_attention = torch.stack(states.attention, 1).cpu().half().numpy()
        for place, row in enumerate(rows):
            length = tokens[row]
            hidden[first_token[row] :][:length] = all_hidden[place, :length]
            weights = all_attention[place, :, :length, :length]
            attention[first_weight[row] :][: weights.size] = weights.ravel()
    for array in (hidden, attention, logits):
        array.flush()
