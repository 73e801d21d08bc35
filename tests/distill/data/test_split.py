"""Splits: every row in one place, near-duplicates together, the same on every machine."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.data.corpus import Example
from distill.data.split import near_duplicate_groups, split
from runtime.errors import ConfigError
from runtime.text import normalise
from tests.distill.jaccard import jaccard

TEXTS = st.text(alphabet="氢氧化钠钾 1a", max_size=9)
EXAMPLES = st.lists(st.builds(Example, TEXTS, st.sampled_from("酸碱盐")), min_size=1, max_size=40)
THRESHOLDS = st.sampled_from([0.3, 0.55, 0.7, 0.8, 1.0])
SHARES = st.sampled_from([0.0, 0.1, 0.25, 0.45])


def components(texts: list[str], threshold: float) -> set[frozenset[int]]:
    """Connected components, by comparing all pairs."""
    groups = [{row} for row in range(len(texts))]
    for one, other in combinations(range(len(texts)), 2):
        if jaccard(texts[one], texts[other]) >= threshold:
            joined = next(group for group in groups if one in group)
            merged = next(group for group in groups if other in group)
            if joined is not merged:
                joined |= merged
                groups.remove(merged)
    return {frozenset(group) for group in groups}


def distinct(count: int, label: str = "酸") -> list[Example]:
    """Return rows without near-duplicates: no two share a character."""
    first = ord("一") + ord(label) % 7 * 2000
    return [Example(chr(first + 2 * row) + chr(first + 2 * row + 1), label) for row in range(count)]


@given(st.lists(TEXTS, max_size=40), THRESHOLDS)
def test_groups_are_those_that_comparing_all_pairs_finds(texts: list[str], threshold: float) -> None:
    assert set(map(frozenset, near_duplicate_groups(texts, threshold))) == components(texts, threshold)


@settings(max_examples=20)
@given(st.lists(st.integers(0, 999), min_size=30, max_size=60, unique=True), st.sampled_from([1, 4]))
def test_groups_of_long_similar_texts_are_exact_too(numbers: list[int], repeats: int) -> None:
    name = "".join(chr(code) for code in range(ord("一"), ord("一") + 20 * repeats))
    texts = [f"{name} 批号{'-'.join(f'{number * place:03d}' for place in range(1, 1 + repeats))}" for number in numbers]
    assert set(map(frozenset, near_duplicate_groups(texts, 0.9))) == components(texts, 0.9)


@given(EXAMPLES, SHARES, SHARES, THRESHOLDS, st.integers(0, 3))
def test_every_row_is_in_one_split_and_keeps_its_order(
    examples: list[Example], dev_share: float, test_share: float, threshold: float, seed: int
) -> None:
    parts = split(examples, dev_share, test_share, threshold, seed)
    assert Counter(row for part in parts for row in part) == Counter(examples)
    places = {id(example): place for place, example in enumerate(examples)}
    for part in parts:
        order = [places[id(example)] for example in part]
        assert order == sorted(order)


@given(EXAMPLES, THRESHOLDS, st.integers(0, 3))
def test_near_duplicates_share_a_split(examples: list[Example], threshold: float, seed: int) -> None:
    parts = split(examples, 0.25, 0.25, threshold, seed)
    for one, other in combinations(parts, 2):
        for a in one:
            assert all(jaccard(normalise(a.text), normalise(b.text)) < threshold for b in other)


@given(EXAMPLES, SHARES, SHARES)
def test_every_class_keeps_a_row_in_train(examples: list[Example], dev_share: float, test_share: float) -> None:
    train, _, _ = split(examples, dev_share, test_share, 0.8, 0)
    assert {example.label for example in train} == {example.label for example in examples}


@given(EXAMPLES)
def test_the_order_of_the_rows_does_not_matter(examples: list[Example]) -> None:
    unique = list({normalise(example.text): example for example in examples}.values())
    for one, other in zip(split(unique, 0.25, 0.25, 0.8, 0), split(unique[::-1], 0.25, 0.25, 0.8, 0), strict=True):
        assert set(one) == set(other)


@given(st.lists(st.integers(1, 60), min_size=2, max_size=5), SHARES, SHARES)
def test_shares_are_met_to_the_row_when_no_texts_are_similar(
    sizes: list[int], dev_share: float, test_share: float
) -> None:
    examples = [row for place, size in enumerate(sizes) for row in distinct(size, "abcde"[place])]
    _, dev, test = split(examples, dev_share, test_share, 0.8, 0)
    for part, share in ((dev, dev_share), (test, test_share)):
        counts = Counter(example.label for example in part)
        for place, size in enumerate(sizes):
            assert abs(counts["abcde"[place]] - share * size) <= 1


def test_adding_rows_moves_few_others() -> None:
    rows = distinct(400, "a")
    before = [set(part) for part in split(rows[:380], 0.1, 0.1, 0.8, 0)]
    after = [set(part) for part in split(rows, 0.1, 0.1, 0.8, 0)]
    moved = sum(
        not any(row in old and row in new for old, new in zip(before, after, strict=True)) for row in rows[:380]
    )
    assert moved <= 10


def test_without_shares_all_rows_are_train() -> None:
    rows = distinct(10)
    assert split(rows, 0.0, 0.0, 0.8, 0) == (rows, [], [])


def test_another_seed_gives_another_split() -> None:
    rows = distinct(100, "a")
    assert split(rows, 0.1, 0.1, 0.8, 0) != split(rows, 0.1, 0.1, 0.8, 1)


def test_the_split_does_not_depend_on_the_hash_seed_of_python() -> None:
    program = """
from distill.data.corpus import Example
from distill.data.split import split
rows = [Example(f"{a}{b} {c}", a) for a in "酸碱盐" for b in "氢氧化钠钾钙镁铝" for c in ("袋", "桶", "瓶装 AR")]
print([[row.text for row in part] for part in split(rows, 0.2, 0.2, 0.5, 7)])
"""
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    assert "氢" in outputs.pop()


def test_a_group_may_hold_several_labels() -> None:
    rows = [
        Example("聚丙烯酰胺 阴离子", "水"),
        Example("聚丙烯酰胺阴离子", "助"),
        *distinct(20, "水"),
        *distinct(20, "助"),
    ]
    for part in split(rows, 0.25, 0.25, 0.7, 3):
        assert (rows[0] in part) == (rows[1] in part)


def test_shares_that_leave_nothing_to_train_on_are_refused() -> None:
    with pytest.raises(ConfigError, match="leave nothing for training"):
        split(distinct(10), 0.5, 0.5, 0.8, 0)


def test_a_threshold_that_makes_all_texts_similar_is_refused() -> None:
    with pytest.raises(ConfigError, match="near_duplicate must be above 0"):
        split(distinct(10), 0.1, 0.1, 0.0, 0)
