"""Logits of a student for any number of texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.utils.rnn import pad_sequence

from distill.models.student import Student
from distill.runs.run_folder import PredictionRow
from runtime.confidence import softmax
from runtime.tokenizer import PAD_ID, UNKNOWN_ID, CharTokenizer, Ids

_BATCH = 256


@torch.no_grad()
def student_logits(student: Student, tokenizer: CharTokenizer, texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Return float32 logits ``[n, C]`` of a student in evaluation mode, in the order of the texts."""
    device = student.head.weight.device
    encoded = [_ids(tokenizer, text) for text in texts]
    order = sorted(range(len(texts)), key=lambda row: len(encoded[row]))
    logits = np.empty((len(texts), student.head.out_features), dtype=np.float32)
    for start in range(0, len(order), _BATCH):
        rows = order[start : start + _BATCH]
        ids = [torch.from_numpy(encoded[row]) for row in rows]
        batch = pad_sequence(ids, batch_first=True, padding_value=PAD_ID).to(device)
        logits[rows] = student(batch).float().cpu().numpy()
    return logits


def prediction_rows(
    texts: Sequence[str], labels: Sequence[str], logits: npt.NDArray[np.float32], names: Sequence[str]
) -> list[PredictionRow]:
    """Return one row for each text: its label, the predicted class with its probability, and the logits."""
    scores = softmax(logits)
    predicted = logits.argmax(1)
    return [
        PredictionRow(text, label, names[winner], float(score[winner]), tuple(row.tolist()))
        for text, label, winner, score, row in zip(texts, labels, predicted, scores, logits, strict=True)
    ]


def _ids(tokenizer: CharTokenizer, text: str) -> Ids:
    ids = tokenizer.encode(text).ids
    # A text without any character still has to get an answer.
    return ids if len(ids) else np.array([UNKNOWN_ID], dtype=np.int32)
