"""The example set: large enough, clean, described as it is, and splittable."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from distill.config.sections import DataConfig
from distill.data.corpus import EXAMPLE_SET, read_corpus
from runtime.tables.rows import Row, read_table
from runtime.text import normalise


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return list(read_table(EXAMPLE_SET))


@pytest.fixture(scope="module")
def readme() -> str:
    return EXAMPLE_SET.with_name("README.md").read_text(encoding="utf-8")


def test_it_has_enough_rows_in_enough_classes(rows: list[Row]) -> None:
    sizes = Counter(row.values["label"] for row in rows)
    assert len(rows) >= 1500
    assert len(sizes) >= 12
    assert min(sizes.values()) >= 60


def test_no_two_rows_have_the_same_text(rows: list[Row]) -> None:
    repeated = [text for text, count in Counter(normalise(row.values["text"]) for row in rows).items() if count > 1]
    assert repeated == []


def test_no_cell_is_empty_or_has_blanks_at_its_ends(rows: list[Row]) -> None:
    assert all(list(row.values) == ["text", "label"] for row in rows)
    assert all(cell and cell == cell.strip() for row in rows for cell in row.values.values())


def test_its_description_counts_right(rows: list[Row], readme: str) -> None:
    table = re.findall(r"^\| (\S+) \| [^|]+ \| (\d+) \|$", readme, flags=re.MULTILINE)
    sizes = Counter(row.values["label"] for row in rows)
    assert {label: int(count) for label, count in table} == dict(sizes)
    assert f"Rows: {len(rows)}," in readme
    assert f"{len(sizes)} product" in readme
    assert f"共 {len(rows)} 条，{len(sizes)} 个类别" in readme


def test_every_class_is_in_every_split() -> None:
    corpus = read_corpus(DataConfig(), seed=0)
    rows = len(corpus.train) + len(corpus.dev) + len(corpus.test)
    for part, share in ((corpus.train, 0.8), (corpus.dev, 0.1), (corpus.test, 0.1)):
        assert {example.label for example in part} == set(corpus.labels)
        assert abs(len(part) / rows - share) < 0.02
