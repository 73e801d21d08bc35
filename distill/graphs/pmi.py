"""Pointwise mutual information of items that stand near each other in a corpus."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]
Weights = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class PairWeights:
    """A symmetric sparse matrix of weights, looked up many pairs at a time.

    Attributes:
        size: number of item ids; ids are below it.
        keys: int64 ``[p]``, ascending; the pair (i, j), i <= j, has the key ``i * size + j``.
        values: float32 ``[p]``, the weight of each key; a pair without a key weighs 0.
    """

    size: int
    keys: Ids
    values: Weights

    @classmethod
    def empty(cls) -> PairWeights:
        """Return the matrix in which every pair weighs 0."""
        return cls(1, np.empty(0, np.int64), np.empty(0, np.float32))

    @classmethod
    def joined(cls, parts: Iterable[PairWeights]) -> PairWeights:
        """Return the matrix that has the pairs of all ``parts``: of one size, and none with a pair of another."""
        listed = [cls.empty(), *parts]
        keys = np.concatenate([part.keys for part in listed])
        order = np.argsort(keys)
        return cls(listed[-1].size, keys[order], np.concatenate([part.values for part in listed])[order])

    def of(self, first: Ids, second: Ids) -> Weights:
        """Return the weights ``[n]`` of the pairs (first[k], second[k])."""
        if not len(self.keys):
            return np.zeros(len(first), dtype=np.float32)
        wanted = _keys(first, second, self.size)
        place = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        found: Weights = np.where(self.keys[place] == wanted, self.values[place], np.float32(0))
        return found


def positive_pmi(sequences: Iterable[Ids], size: int, window: int, min_count: int) -> PairWeights:
    r"""Weigh pairs of items by how much more often they co-occur than chance would have it.

    Two occurrences co-occur when they are at most ``window`` places apart in one sequence. With
    :math:`p(i, j)` the share of pair (i, j) among all co-occurrences and :math:`p(i)` the share of i among
    their members,

    .. math:: w_{ij} = \max\left(0, \log \frac{p(i, j)}{p(i)\, p(j)}\right)

    (Church and Hanks, "Word Association Norms, Mutual Information, and Lexicography", 1990). TextGCN counts
    sliding windows instead of pairs, which weighs near pairs more.
    Weights have four decimals: a file keeps them as they are.

    Args:
        sequences: item ids of each text in order, int64 ``[n]``.
        size: number of item ids.
        window: largest distance of a pair, at least 1.
        min_count: pairs seen less often weigh 0, because the PMI of a pair seen once says little.
    """
    keys, counts = _count_pairs(sequences, size, window)
    first, second = np.divmod(keys, size)
    members = np.bincount(first, counts, size) + np.bincount(second, counts, size)
    share = members / max(members.sum(), 1)
    # A pair (i, j), i < j, stands for both orders: chance gives it 2 p(i) p(j).
    chance = np.where(first == second, 1, 2) * share[first] * share[second]
    pmi = np.log(counts / max(counts.sum(), 1) / chance)
    kept = (counts >= min_count) & (pmi > 0)
    return PairWeights(size, keys[kept], np.round(pmi[kept], 4).astype(np.float32))


def _count_pairs(sequences: Iterable[Ids], size: int, window: int) -> tuple[Ids, Ids]:
    pairs = [_keys(ids[distance:], ids[:-distance], size) for ids in sequences for distance in range(1, window + 1)]
    return np.unique(np.concatenate([np.empty(0, np.int64), *pairs]), return_counts=True)


def _keys(first: Ids, second: Ids, size: int) -> Ids:
    keys: Ids = np.minimum(first, second) * size + np.maximum(first, second)
    return keys
