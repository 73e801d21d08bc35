"""Differences between rows: other test texts move them, and a peer without chance is measured once a set."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from benchmarks.quality.accuracy_report import with_error
from benchmarks.quality.answers import as_digits
from benchmarks.quality.differences import DRAWS, Difference, Differences, drawn_scores, weighted_scores
from benchmarks.quality.methods import ALONE_ROW, FULL
from benchmarks.quality.peer_rows import SVM
from benchmarks.quality.scores import Score, Scores
from distill.training.metrics import accuracy, macro_f1

CLASSES, TEXTS = 4, 200
Ids = npt.NDArray[np.int64]


def truth() -> Ids:
    return np.arange(TEXTS) % CLASSES


def wrong(texts: slice) -> Ids:
    """Return answers that are right but for some texts."""
    answers = truth()
    answers[texts] = (answers[texts] + 1) % CLASSES
    return answers


def scored(row: str, seed: int, answers: Ids, data: str = "acids") -> Score:
    values = accuracy(truth(), answers), macro_f1(truth(), answers, CLASSES)
    kept = Score(data, row, seed, *values, "f", classes=CLASSES)
    return replace(kept, truth=as_digits(truth(), CLASSES), answers=as_digits(answers, CLASSES))


def study(path: Path, *scores: Score) -> Differences:
    kept = Scores(path / "accuracy.json")
    for score in scores:
        kept.add(score)
    assert Scores(kept.path).all == kept.all
    return Differences(kept, kept.whole_sets())


def test_with_each_text_once_the_scores_are_those_of_the_metrics() -> None:
    random = np.random.default_rng(1)
    labels, answers = random.integers(0, 9, (2, 40))
    found = weighted_scores(labels, answers, np.ones((1, 40)))
    assert found[0] == pytest.approx([accuracy(labels, answers), macro_f1(labels, answers, 9)])


def test_texts_that_are_drawn_twice_count_twice_and_classes_that_are_not_do_not() -> None:
    labels, answers = np.array([0, 0, 1, 2, 3]), np.array([0, 1, 1, 2, 0])
    chosen = [0, 0, 1, 3]
    found = weighted_scores(labels, answers, np.bincount(chosen, minlength=5)[None].astype(np.float64))
    assert found[0] == pytest.approx([0.75, macro_f1(labels[chosen], answers[chosen], 4)])


def test_the_draws_are_always_the_same_and_around_what_was_measured() -> None:
    score = scored(FULL, 0, wrong(slice(0, 40)))
    drawn = drawn_scores(score)
    assert drawn.shape == (DRAWS, 2)
    assert np.array_equal(drawn, drawn_scores(score))
    assert drawn.mean(0) == pytest.approx([0.8, score.macro_f1], abs=0.005)
    assert drawn[:, 0].std() == pytest.approx((0.8 * 0.2 / TEXTS) ** 0.5, rel=0.1)


def test_the_interval_is_of_the_difference_on_the_same_texts(tmp_path: Path) -> None:
    full, alone = (scored(row, 0, wrong(slice(0, end))) for row, end in ((FULL, 40), (ALONE_ROW, 60)))
    found = study(tmp_path, full, alone).between(FULL, ALONE_ROW)["accuracy"]
    assert found.mean == pytest.approx(0.1)
    assert found.interval
    # 20 of 200 texts differ, so the deviation is sqrt(0.1 · 0.9 / 200); that of two separate samples were 0.042.
    assert found.interval == pytest.approx((0.1 - 1.96 * 0.0212, 0.1 + 1.96 * 0.0212), abs=0.006)


def test_rows_that_answer_alike_differ_on_no_text(tmp_path: Path) -> None:
    answers = wrong(slice(0, 40))
    found = study(tmp_path, scored(FULL, 0, answers), scored(ALONE_ROW, 0, answers)).between(FULL, ALONE_ROW)
    assert {one.interval for one in found.values()} == {(0.0, 0.0)}


def test_further_seeds_of_a_peer_without_chance_are_no_further_evidence(tmp_path: Path) -> None:
    peer = [scored(SVM, seed, wrong(slice(0, 60)), data) for data in ("acids", "salts") for seed in range(3)]
    ours = [
        scored(FULL, seed, wrong(slice(0, 40 + 2 * seed)), data) for data in ("acids", "salts") for seed in range(3)
    ]
    whole = study(tmp_path, *peer, *ours).between(FULL, SVM)["accuracy"]
    assert (whole.units, whole.of_sets) == (2, True)
    assert whole.mean == pytest.approx(0.09)
    once = study(tmp_path / "once", *peer[::3], *ours[::3]).between(FULL, SVM)["accuracy"]
    assert whole.interval
    assert once.interval
    # Two sets narrow it, three answers to the same texts hardly do.
    widths = [high - low for low, high in (whole.interval, once.interval)]
    assert widths[0] == pytest.approx(widths[1], rel=0.1)


def test_without_answers_the_test_tells_of_seeds_only(tmp_path: Path) -> None:
    rows = [(FULL, 0, 0.9), (FULL, 1, 0.8), (ALONE_ROW, 0, 0.8), (ALONE_ROW, 1, 0.75)]
    plain = [Score("acids", row, seed, value, value, "f") for row, seed, value in rows]
    found = study(tmp_path, *plain).between(FULL, ALONE_ROW)["accuracy"]
    # t = 0.075 / (0.03536 / sqrt 2) = 3, one degree of freedom.
    assert (found.mean, found.p_value) == pytest.approx((0.075, 0.2048), abs=1e-3)
    assert (found.interval, found.units, found.of_sets) == (None, 2, False)
    assert with_error(found) == "+7.50 (p = 0.20, seeds only)"


def test_one_row_with_answers_is_not_enough_for_an_interval(tmp_path: Path) -> None:
    known, unknown = scored(FULL, 0, wrong(slice(0, 40))), Score("acids", ALONE_ROW, 0, 0.7, 0.7, "f")
    found = study(tmp_path, known, unknown).between(FULL, ALONE_ROW)["accuracy"]
    assert (found.interval, found.p_value, with_error(found)) == (None, None, "+10.00")


def test_scores_on_other_texts_are_not_compared(tmp_path: Path) -> None:
    mine, theirs = (scored(row, 0, wrong(slice(0, 40))) for row in (FULL, ALONE_ROW))
    assert study(tmp_path, mine, replace(theirs, fingerprint="g")).between(FULL, ALONE_ROW) == {}


def test_a_difference_is_told_with_what_other_texts_would_make_of_it() -> None:
    assert with_error(Difference(0.0123, (-0.004, 0.0312), 0.2, 3, of_sets=True)) == "+1.23 [-0.40, +3.12]"
