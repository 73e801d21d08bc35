"""Splitting one set of examples into train, dev and test.

The split depends on the texts and the seed alone, not on the order of the rows, on the machine or on
Python's hash: adding rows moves few of the others. Near-duplicates stay together, because a product
that stands in train with another packing would make the test too easy.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from distill.data.similarity import grams, least_shared, least_size, prefix_length, similar
from runtime.errors import ConfigError
from runtime.text import normalise

if TYPE_CHECKING:
    from distill.data.corpus import Example


def split(
    examples: Sequence[Example], dev_share: float, test_share: float, near_duplicate: float, seed: int
) -> tuple[list[Example], list[Example], list[Example]]:
    """Split ``examples`` into train, dev and test, each in the given order.

    Groups of near-duplicates are taken in the order of a hash. Per label, the first fill test up to
    its share, the next fill dev, and the rest is train. Every label keeps a row in train, so the
    shares are met as nearly as the sizes of the groups and of the classes allow.

    Args:
        examples: rows of one file.
        dev_share: share of each label for dev, 0.0 to 1.0.
        test_share: share of each label for test; together below 1.
        near_duplicate: Jaccard similarity from which two texts share a split, above 0.
        seed: another seed gives another split.

    Raises:
        ConfigError: the shares leave nothing to train on, or ``near_duplicate`` is 0.
    """
    if dev_share + test_share >= 1:
        raise ConfigError(
            f"data.dev_share {dev_share} and data.test_share {test_share} leave nothing for training; lower one"
        )
    if near_duplicate <= 0:
        raise ConfigError("data.near_duplicate must be above 0; 1 keeps only texts of the same n-grams together")
    if dev_share == test_share == 0:
        return list(examples), [], []
    texts = [normalise(example.text) for example in examples]
    keys = [hashlib.sha256(f"{seed}\0{text}".encode("utf-8", "surrogatepass")).digest() for text in texts]
    groups = near_duplicate_groups(texts, near_duplicate)
    groups.sort(key=lambda group: min(keys[row] for row in group))
    labels = [example.label for example in examples]
    place = _place(groups, labels, {"test": test_share, "dev": dev_share})
    train, dev, test = (
        [example for row, example in enumerate(examples) if place[row] == name] for name in ("train", "dev", "test")
    )
    return train, dev, test


def near_duplicate_groups(texts: Sequence[str], threshold: float) -> list[list[int]]:
    """Return the connected components of "similar": row numbers of ``texts``, each row in one group.

    Two texts are similar when the Jaccard similarity of their sets of character 1- and 2-grams is at
    least ``threshold``. The result is exact: :func:`_candidates` misses none, and all are compared.
    """
    rows_of: defaultdict[frozenset[str], list[int]] = defaultdict(list)
    for row, text in enumerate(texts):
        rows_of[grams(text)].append(row)
    sets = sorted(rows_of, key=len)
    group_of = list(range(len(sets)))
    members = {number: [number] for number in group_of}
    for one, others in _candidates(sets, threshold):
        for other in others:
            if group_of[one] != group_of[other] and similar(sets[one], sets[other], threshold):
                small, large = sorted((group_of[one], group_of[other]), key=lambda group: len(members[group]))
                for number in members[small]:
                    group_of[number] = large
                members[large] += members.pop(small)
    return [sorted(row for number in group for row in rows_of[sets[number]]) for group in members.values()]


def _candidates(sets: Sequence[frozenset[str]], threshold: float) -> Iterator[tuple[int, list[int]]]:
    """Yield each set's number with those of the sets before it that may be similar.

    ``sets`` are in order of size. Numbers of sets are counted per gram of their prefixes
    (:mod:`distill.data.similarity`) with numpy.
    """
    frequency = Counter(gram for own in sets for gram in own)
    rank = {gram: number for number, gram in enumerate(sorted(frequency, key=lambda gram: (frequency[gram], gram)))}
    prefixes = [sorted(map(rank.__getitem__, own))[: prefix_length(len(own), threshold)] for own in sets]
    flat = np.fromiter(chain.from_iterable(prefixes), dtype=np.int64)
    holders = np.repeat(np.arange(len(sets)), [len(prefix) for prefix in prefixes])[np.argsort(flat, kind="stable")]
    start = np.searchsorted(np.sort(flat), np.arange(len(rank))).tolist()
    stop = start.copy()
    sizes = [len(own) for own in sets]
    for number, prefix in enumerate(prefixes):
        if not prefix:
            continue
        shared = np.bincount(np.concatenate([holders[start[gram] : stop[gram]] for gram in prefix]))
        smallest = bisect_left(sizes, least_size(sizes[number], threshold))
        found = np.flatnonzero(shared[smallest:] >= least_shared(sizes[number], threshold)) + smallest
        yield number, found.tolist()
        for gram in prefix:
            stop[gram] += 1


def _place(groups: Sequence[Sequence[int]], labels: Sequence[str], shares: dict[str, float]) -> dict[int, str]:
    """Return the split of each row. A group counts as one of its most frequent label."""
    sizes = Counter(labels)
    # The last group of a label stays in train, whatever its size.
    reserved = {labels[row]: number for number, group in enumerate(groups) for row in group}
    kept = set(reserved.values())
    wanted = {(name, label): share * sizes[label] for name, share in shares.items() for label in sizes}
    place: dict[int, str] = {}
    for number, group in enumerate(groups):
        counts = Counter(sorted(labels[row] for row in group))
        label, size = counts.most_common(1)[0]
        # Taken when that brings the split nearer to its share than leaving it out.
        open_splits = (name for name in shares if number not in kept and size < 2 * wanted[name, label])
        name = next(open_splits, "train")
        for other, count in counts.items():
            if name != "train":
                wanted[name, other] -= count
        place.update(dict.fromkeys(group, name))
    return place
