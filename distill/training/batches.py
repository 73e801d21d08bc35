"""Examples as tensors, and batches of them for both networks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch_geometric.data import Batch as GraphBatch
from torch_geometric.data import Data

from distill.data.corpus import Example
from distill.runs.classes import label_ids
from runtime.tokenizer import PAD_ID, UNKNOWN_ID, CharTokenizer

# Texts of a pool this many batches large are sorted by length before they are cut into batches:
# little padding, and still other company in every epoch.
_POOL = 16


class Graphs(Protocol):
    """Turns a text into what the teacher reads."""

    def build(self, text: str) -> Data:
        """Return the graph of ``text``."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some examples, as each network reads them.

    Attributes:
        ids: character ids ``[B, L]`` for the student, padded at the end with ``PAD_ID``.
        graphs: their graphs for the teacher.
        labels: class ids ``[B]``.
    """

    ids: Tensor
    graphs: GraphBatch
    labels: Tensor

    def to(self, device: torch.device) -> Batch:
        """Return the batch on ``device``."""
        return Batch(self.ids.to(device), self.graphs.to(device), self.labels.to(device))


@dataclass(frozen=True, slots=True)
class EncodedExamples:
    """One split, read once: ids, graph and class id of every example, in the order of the data."""

    ids: tuple[Tensor, ...]
    graphs: tuple[Data, ...]
    labels: Tensor

    def __len__(self) -> int:
        return len(self.ids)

    def shuffled(self, size: int, fewest: int = 1) -> Iterator[Batch]:
        """Yield the batches of an epoch in a random order; see :func:`epoch_rows`."""
        return (self._batch(rows) for rows in epoch_rows([len(ids) for ids in self.ids], size, fewest))

    def in_order(self, size: int) -> Iterator[Batch]:
        """Yield batches of ``size`` texts in the order of the data."""
        rows = list(range(len(self)))
        return (self._batch(rows[start : start + size]) for start in range(0, len(rows), size))

    def _batch(self, rows: Sequence[int]) -> Batch:
        ids = pad_sequence([self.ids[row] for row in rows], batch_first=True, padding_value=PAD_ID)
        graphs = GraphBatch.from_data_list([self.graphs[row] for row in rows])
        return Batch(ids, graphs, self.labels[torch.tensor(rows)])


def epoch_steps(texts: int, size: int, fewest: int = 1) -> int:
    """Return the number of batches in an epoch: all texts once, or more than once where they are few."""
    return max(fewest, -(-texts // size))


def epoch_rows(lengths: Sequence[int], size: int, fewest: int) -> list[list[int]]:
    """Return the rows of the batches of one epoch, all texts before one comes again.

    Args:
        lengths: of the texts; those of a batch are of similar length.
        size: of a batch.
        fewest: batches. Few texts come again, in another order, until there are so many.
    """
    steps, rows = epoch_steps(len(lengths), size, fewest), shuffled_rows(lengths, size)
    while len(rows) < steps:
        rows += shuffled_rows(lengths, size)
    return rows[:steps]


def shuffled_rows(lengths: Sequence[int], size: int) -> list[list[int]]:
    """Return the rows of batches of similar length in a random order (torch's global generator)."""
    order = torch.randperm(len(lengths)).tolist()
    pools = (order[start : start + _POOL * size] for start in range(0, len(order), _POOL * size))
    rows = [row for pool in pools for row in sorted(pool, key=lambda row: lengths[row])]
    parts = [rows[start : start + size] for start in range(0, len(rows), size)]
    return [parts[part] for part in torch.randperm(len(parts)).tolist()]


def rows_by_length(lengths: Sequence[int], size: int) -> list[list[int]]:
    """Return the rows of batches from short to long, which leaves the least padding."""
    rows = sorted(range(len(lengths)), key=lambda row: lengths[row])
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def hide_characters(ids: Tensor, rate: float) -> Tensor:
    """Return ids ``[B, L]`` in which a share of the characters is unknown; padding stays."""
    hidden = torch.rand(ids.shape, device=ids.device) < rate
    return ids.masked_fill(hidden & (ids != PAD_ID), UNKNOWN_ID)


def encode_examples(
    examples: Sequence[Example], labels: Sequence[str], tokenizer: CharTokenizer, builder: Graphs
) -> EncodedExamples:
    """Return ``examples`` as tensors; class ids count through ``labels``."""
    return EncodedExamples(
        ids=tuple(character_ids([example.text for example in examples], tokenizer)),
        graphs=tuple(builder.build(example.text) for example in examples),
        labels=class_ids(examples, labels),
    )


def character_ids(texts: Sequence[str], tokenizer: CharTokenizer) -> list[Tensor]:
    """Return the character ids, int64 ``[L]``, of each text."""
    return [torch.from_numpy(tokenizer.encode(text).ids.astype(np.int64)) for text in texts]


def class_ids(examples: Sequence[Example], labels: Sequence[str]) -> Tensor:
    """Return the class ids ``[n]`` of ``examples``; they count through ``labels``."""
    return torch.from_numpy(label_ids((example.label for example in examples), labels))
