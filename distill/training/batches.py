"""Examples as ids and graphs, and batches of them for both networks of mutual learning."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch_geometric.data import Batch as GraphBatch
from torch_geometric.data import Data

from distill.data.corpus import Example
from distill.training.batch_rows import epoch_rows
from distill.training.ids import character_ids, class_ids
from runtime.tokenizer import PAD_ID, CharTokenizer


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


def encode_examples(
    examples: Sequence[Example], labels: Sequence[str], tokenizer: CharTokenizer, builder: Graphs
) -> EncodedExamples:
    """Return ``examples`` as tensors; class ids are indices into ``labels``."""
    return EncodedExamples(
        ids=tuple(character_ids([example.text for example in examples], tokenizer)),
        graphs=tuple(builder.build(example.text) for example in examples),
        labels=class_ids(examples, labels),
    )
