"""Which texts make a batch: the rows of each batch of an epoch, texts of similar length together."""

from __future__ import annotations

from collections.abc import Sequence

import torch

# Texts of a pool this many batches large are sorted by length before they are cut into batches:
# little padding, and still other neighbours in every epoch.
_POOL = 16


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
