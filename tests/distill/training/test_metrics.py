"""Scores, against numbers worked out by hand and against scikit-learn's definition."""

from __future__ import annotations

import numpy as np
import pytest

from distill.training.metrics import accuracy, class_scores, confusion, frequent_confusions, macro_f1

LABELS = np.array([0, 0, 1, 1, 2])
PREDICTED = np.array([0, 1, 1, 1, 0])


def test_accuracy_is_the_share_of_hits() -> None:
    assert accuracy(LABELS, PREDICTED) == 0.6


def test_confusion_counts_labels_by_row_and_predictions_by_column() -> None:
    assert confusion(LABELS, PREDICTED, 3).tolist() == [[1, 1, 0], [0, 2, 0], [1, 0, 0]]


def test_class_scores_by_hand() -> None:
    scores = class_scores(LABELS, PREDICTED, 3)
    assert scores.precision == pytest.approx([1 / 2, 2 / 3, 0])
    assert scores.recall == pytest.approx([1 / 2, 1, 0])
    assert scores.f1 == pytest.approx([1 / 2, 4 / 5, 0])
    assert scores.support.tolist() == [2, 2, 1]
    assert scores.predicted.tolist() == [2, 3, 0]


def test_frequent_confusions_come_with_the_most_frequent_first_and_without_what_is_right() -> None:
    counts = np.array([[9, 0, 2], [5, 9, 0], [1, 0, 9]])
    assert frequent_confusions(counts, 2) == [(1, 0, 5), (0, 2, 2)]
    assert frequent_confusions(counts, 9) == [(1, 0, 5), (0, 2, 2), (2, 0, 1)]


def test_macro_f1_is_the_mean_over_classes() -> None:
    assert macro_f1(LABELS, PREDICTED, 3) == pytest.approx((1 / 2 + 4 / 5 + 0) / 3)


def test_macro_f1_leaves_out_a_class_that_occurs_nowhere() -> None:
    assert macro_f1(LABELS, PREDICTED, 7) == macro_f1(LABELS, PREDICTED, 3)
    assert class_scores(LABELS, PREDICTED + 1, 5).occurs.tolist() == [True, True, True, False, False]


def test_no_examples_score_zero() -> None:
    nothing = np.array([], dtype=np.int64)
    assert accuracy(nothing, nothing) == 0.0
    assert macro_f1(nothing, nothing, 3) == 0.0


def test_same_definition_as_scikit_learn() -> None:
    sklearn_metrics = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(0)
    labels, predicted = random.integers(0, 9, 200), random.integers(2, 12, 200)
    expected = sklearn_metrics.f1_score(labels, predicted, average="macro", zero_division=0)
    assert macro_f1(labels, predicted, 12) == pytest.approx(expected)
