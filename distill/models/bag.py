"""The mean of embeddings, which answers beside a network: what student and teacher have in common."""

from __future__ import annotations

from torch import nn


class Bag(nn.Module):
    """A table of embeddings, and a linear head for the mean of those that a text has.

    Joulin et al. 2017, "Bag of Tricks for Efficient Text Classification". Which ones a text has, ``forward`` of a
    subclass knows.

    Args:
        rows: of the table.
        width: of the embeddings.
        classes: number of labels.
    """

    def __init__(self, rows: int, width: int, classes: int) -> None:
        super().__init__()
        self.rows = nn.Embedding(rows, width)
        self.head = nn.Linear(width, classes)
        nn.init.uniform_(self.rows.weight, -1 / width, 1 / width)
        nn.init.normal_(self.head.weight, std=width**-0.5)
        nn.init.zeros_(self.head.bias)
