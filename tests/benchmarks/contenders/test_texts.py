"""Texts of exact lengths."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.contenders.texts import TITLE_LENGTHS, example_rows, make_texts, spread
from runtime.errors import DataError
from runtime.text import normalise

SOURCES = ["工业级片碱 氢氧化钠 99% 25kg/袋", "阴离子聚丙烯酰胺 絮凝剂", "98%浓硫酸", "e\u0301 acétone 丙酮"]


@pytest.mark.parametrize("length", [1, 10, 30, 100, 300])
def test_texts_have_exactly_the_length_asked_for(length: int) -> None:
    texts = make_texts([normalise(s) for s in SOURCES], [length] * 5)
    assert [len(text) for text in texts] == [length] * 5


def test_texts_differ_and_stay_as_they_are_when_normalised() -> None:
    texts = make_texts([normalise(s) for s in SOURCES], spread(TITLE_LENGTHS, 300))
    assert len(set(texts)) == 300
    assert all(normalise(text) == text for text in texts)


def test_the_same_seed_gives_the_same_texts() -> None:
    assert make_texts(SOURCES, [20] * 9, seed=1) == make_texts(SOURCES, [20] * 9, seed=1)
    assert make_texts(SOURCES, [20] * 9, seed=1) != make_texts(SOURCES, [20] * 9, seed=2)


def test_too_few_sources_for_distinct_texts_are_named() -> None:
    with pytest.raises(DataError, match="cannot make 2 distinct texts of 1 characters from 1 examples"):
        make_texts(["酸"], [1, 1])


def test_titles_are_twenty_characters_on_average() -> None:
    lengths = spread(TITLE_LENGTHS, len(TITLE_LENGTHS) * 3)
    assert sum(lengths) / len(lengths) == 20
    assert {min(lengths), max(lengths)} == {16, 24}


def test_example_rows_are_normalised_and_complete(tmp_path: Path) -> None:
    table = tmp_path / "rows.tsv"
    table.write_text("text\tlabel\nＮａＯＨ  片碱\t碱\n\t酸\n浓硫酸\t酸\n", encoding="utf-8")
    assert example_rows(table) == (["naoh 片碱", "浓硫酸"], ["碱", "酸"])
