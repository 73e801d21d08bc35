"""Alignment of tables that mix Chinese and ASCII, and spoken durations."""

from __future__ import annotations

import pytest

from distill.layout import duration, first_few, table
from runtime.display import display_width


def test_table_aligns_the_first_column_left_and_the_others_right() -> None:
    lines = table(["class", "F1"], [["无机化学品", "0.9"], ["acid", "0.85"]]).split("\n")
    assert lines == ["class         F1", "无机化学品   0.9", "acid        0.85"]
    assert len({display_width(line) for line in lines}) == 1


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (89, "89 s"), (90, "2 min"), (3540, "59 min"), (7260, "2 h 1 min")]
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_first_few_counts_those_that_it_does_not_name() -> None:
    assert first_few(["acid"]) == "acid"
    assert first_few(["acid", "base", "salt"]) == "acid, base, salt"
    assert first_few(["acid", "base", "salt", "oil"], most=2) == "acid, base and 2 more"
