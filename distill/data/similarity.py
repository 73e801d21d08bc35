"""How alike two texts are, and whether a text is nearly one of many: exactly, and without comparing all pairs.

The similarity is the Jaccard similarity of the sets of character 1- and 2-grams. Similar sets share most of their
grams; so, with all grams in one order and rare ones first, the first few of each have some in common (prefix
filtering, Bayardo et al., WWW 2007, with the longer prefixes of Wang et al., SIGMOD 2012). Only sets that do are
compared. For corpora that are larger than memory, ``distill/unlabelled/near_duplicates.py`` estimates it instead.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import chain, pairwise

# Keeps rounding errors from turning "4.000000000000001 grams in common" into five.
_EPSILON = 1e-9


def grams(text: str) -> frozenset[str]:
    """Return the character 1- and 2-grams of ``text``."""
    return frozenset(text).union(map("".join, pairwise(text)))


def similar(one: frozenset[str], other: frozenset[str], threshold: float) -> bool:
    """Return whether the Jaccard similarity of two sets, not both empty, is at least ``threshold``."""
    common = len(one & other)
    return common / (len(one) + len(other) - common) >= threshold


def least_size(size: int, threshold: float) -> int:
    """Return how many grams a set of ``size`` shares at least with a similar one, which so has no fewer."""
    return math.ceil(threshold * size - _EPSILON)


def prefix_length(size: int, threshold: float) -> int:
    """Return how many grams, rare ones first, of a set of ``size`` are looked at before it is compared."""
    return size - least_size(size, threshold) + _overlap(size)


def least_shared(size: int, threshold: float) -> int:
    """Return how many grams the prefixes of a set of ``size`` and of a similar one have in common at least."""
    least = least_size(size, threshold)
    return min(_overlap(least), least)


def _overlap(size: int) -> int:
    """Return by how much prefixes are longer than one gram in common takes: fewer sets then are compared in vain."""
    return max(4, size // 8)


class SimilarTexts:
    """Texts, to ask of another whether it is nearly one of them.

    Args:
        texts: normalised.
        threshold: similarity from which two texts are nearly the same, above 0 up to 1.
    """

    def __init__(self, texts: Iterable[str], threshold: float) -> None:
        self._threshold = threshold
        self._sets = list(dict.fromkeys(map(grams, texts)))
        self._frequency = Counter(chain.from_iterable(self._sets))
        self._holders: defaultdict[str, list[int]] = defaultdict(list)
        for number, own in enumerate(self._sets):
            for gram in self._prefix(own):
                self._holders[gram].append(number)

    def any_like(self, text: str) -> bool:
        """Return whether a normalised text is similar to one of them."""
        own = grams(text)
        if len(own & self._frequency.keys()) < least_size(len(own), self._threshold):
            return False  # Most texts end here, before anything is sorted.
        shared = Counter(chain.from_iterable(self._holders.get(gram, ()) for gram in self._prefix(own)))
        enough = least_shared(len(own), self._threshold)
        others = (self._sets[number] for number, count in shared.items() if count >= enough)
        return any(similar(own, other, self._threshold) for other in others)

    def _prefix(self, own: frozenset[str]) -> list[str]:
        rare_first = sorted(own, key=lambda gram: (self._frequency.get(gram, 0), gram))
        return rare_first[: prefix_length(len(own), self._threshold)]
