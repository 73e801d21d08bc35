"""Bins of scores, by hand."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from distill.report.reliability import reliability, reliability_table
from tests.distill.report.runs import rows

SCORES = np.array([0.95, 0.91, 0.85, 0.65, 0.62])
RIGHT = np.array([True, True, False, True, False])


def test_bins_by_hand() -> None:
    found = reliability(SCORES, RIGHT)
    assert found.texts.tolist() == [0, 0, 0, 0, 0, 0, 2, 0, 1, 2]
    assert found.score[[6, 8, 9]] == pytest.approx([0.635, 0.85, 0.93])
    assert found.right[[6, 8, 9]].tolist() == [0.5, 0.0, 1.0]
    # Gaps 0.135, 0.85 and 0.07 of 2, 1 and 2 texts of 5.
    assert found.ece == pytest.approx((2 * 0.135 + 0.85 + 2 * 0.07) / 5)


def test_scores_that_mean_what_they_say_have_no_error() -> None:
    assert reliability(np.full(4, 0.75), np.array([True, True, True, False])).ece == 0.0


def test_a_bin_holds_its_upper_end_and_the_first_one_0_as_well() -> None:
    ends = np.array([0.0, *(number / 10 for number in range(1, 11))])
    assert reliability(ends, np.ones(11, dtype=bool)).texts.tolist() == [2, *[1] * 9]


def test_other_bins() -> None:
    assert reliability(SCORES, RIGHT, bins=2).ece == pytest.approx(abs(SCORES.mean() - 0.6))


def test_no_scores_have_no_error() -> None:
    assert reliability(np.array([]), np.array([], dtype=bool)).ece == 0.0


def test_the_table_leaves_out_bins_without_texts() -> None:
    table = ElementTree.fromstring(reliability_table(reliability(SCORES, RIGHT)))
    assert rows(table) == [
        ["score", "texts", "mean score", "share right"],
        ["90% to 100%", "2", "93.0%", "100.0%"],
        ["80% to 90%", "1", "85.0%", "0.0%"],
        ["60% to 70%", "2", "63.5%", "50.0%"],
    ]
