"""Temperature and threshold."""

import numpy as np
import pytest

from export.confidence import fit_confidence, fit_decisions, fit_max_unknown, fit_temperature, fit_threshold
from runtime.confidence import accepts, best, softmax


def test_the_temperature_undoes_a_scale_of_the_logits() -> None:
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(4000, 3)).astype(np.float32) * 2
    labels = np.array([generator.choice(3, p=row) for row in softmax(logits)])
    assert fit_temperature(logits, labels) == pytest.approx(1.0, abs=0.1)
    assert fit_temperature(logits * 3, labels) == pytest.approx(3.0, abs=0.3)


def test_a_set_without_a_mistake_does_not_drive_the_temperature_to_zero() -> None:
    logits = np.eye(4, dtype=np.float32)
    assert fit_temperature(logits, np.arange(4)) == pytest.approx(0.2)


def test_the_threshold_parts_the_wrong_from_the_right() -> None:
    scores = np.array([0.9, 0.3, 0.8, 0.4])
    right = np.array([True, False, True, False])
    assert fit_threshold(scores, right, 1.0) == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("precision", "threshold"),
    [(0.0, 0.0), (0.5, 0.0), (0.6, 0.35), (0.95, 0.6)],
)
def test_a_lower_precision_accepts_more(precision: float, threshold: float) -> None:
    scores = np.array([0.9, 0.8, 0.4, 0.3])
    right = np.array([True, True, False, False])
    assert fit_threshold(scores, right, precision) == pytest.approx(threshold)


def test_equal_scores_are_accepted_or_refused_together() -> None:
    scores = np.array([0.9, 0.5, 0.5, 0.5])
    right = np.array([True, True, False, False])
    assert fit_threshold(scores, right, 1.0) == pytest.approx(0.7)


def test_a_precision_out_of_reach_accepts_nothing() -> None:
    assert fit_threshold(np.array([0.9, 0.8]), np.array([False, True]), 0.9) == 1.0


def test_a_precision_out_of_reach_accepts_not_even_the_surest_text() -> None:
    logits = np.array([[9, 0], [9, 0], [0, 1]] * 50, np.float32)
    found = fit_confidence(logits, np.array([0, 1, 1] * 50), np.zeros(150), precision=0.9)
    assert found.threshold == 1.0
    assert not accepts(best(np.array([1e4, 0], np.float32), found.temperature)[1], found.threshold)


def test_a_promise_kept_by_the_surest_texts_accepts_them() -> None:
    """At the lowest temperature the scores of 100 right texts round to 1, and those of 100 wrong ones do not."""
    logits = np.array([[9, 0], [0, 2]] * 100, np.float32)
    scores = softmax(logits, 0.2).max(1)
    found = fit_decisions(scores, logits.argmax(1), np.zeros(200, np.int64), np.full(200, True), 1.0, 2)
    kept = [promise.threshold for promise in found.reference.promises if promise.threshold is not None]
    assert kept
    for threshold in (*kept, found.threshold):
        assert [accepts(best(row, 0.2)[1], threshold) for row in logits[:2]] == [True, False]


def test_the_threshold_parts_two_neighbouring_scores() -> None:
    surest = best(np.array([9.0, 0.0], np.float32), 0.2)[1]
    threshold = fit_threshold(np.array([surest, np.nextafter(surest, 0)]), np.array([True, False]), 1.0)
    assert threshold == surest


def test_the_reference_is_what_the_model_says_of_the_texts() -> None:
    logits = np.array([[4, 0], [0, 3], [2, 0], [0, 1]] * 50, np.float32)
    labels = np.array([0, 1, 0, 0] * 50)
    found = fit_confidence(logits, labels, np.full(200, 0.1), precision=0.0)
    assert found.reference.texts == 200
    assert found.reference.labels == (0.5, 0.5)
    assert sum(found.reference.scores) == pytest.approx(1.0)
    # The 150 texts of the three higher logits are all right: few enough that 2 % is the best they can promise.
    kept = [promise for promise in found.reference.promises if promise.threshold is not None]
    assert (kept[0].max_error, kept[0].coverage) == (0.02, 0.75)


def test_texts_that_the_device_refuses_as_unknown_count_for_no_promise_and_as_not_accepted() -> None:
    logits = np.array([[4, 0], [0, 3]] * 100, np.float32)
    labels = np.array([0, 0] * 100)
    found = fit_confidence(logits, labels, np.array([0.0, 0.9] * 100), precision=0.0)
    best = found.reference.promises[-1]
    assert best.coverage == 0.5
    assert best.threshold == pytest.approx(softmax(logits[0], found.temperature).max())
    assert (found.reference.texts, found.reference.known) == (200, 100)


def test_texts_that_the_device_refuses_as_unknown_do_not_raise_the_threshold() -> None:
    """All wrong answers are to texts that are never accepted: the others can all be."""
    logits = np.array([[4, 0], [0, 3]] * 100, np.float32)
    labels = np.array([0, 0] * 100)
    assert fit_confidence(logits, labels, np.array([0.0, 0.9] * 100), precision=0.95).threshold == 0.0
    assert fit_confidence(logits, labels, np.zeros(200), precision=0.95).threshold > 0.5


@pytest.mark.parametrize(("precision", "threshold"), [(0.95, 1.0), (0.0, 0.0)])
def test_where_no_text_can_be_accepted_nothing_is_shown(precision: float, threshold: float) -> None:
    logits = np.array([[4, 0], [0, 3]] * 100, np.float32)
    found = fit_confidence(logits, np.array([0, 1] * 100), np.full(200, 0.9), precision)
    assert found.threshold == threshold
    assert {(promise.threshold, promise.coverage) for promise in found.reference.promises} == {(None, 0.0)}


@pytest.mark.parametrize(
    ("foreign", "most"),
    [([], 0.1), ([0.9], 0.1), ([0.3, 0.9], 0.3), ([0.05, 0.9], 0.1), ([0.8, 0.9], 0.5)],
)
def test_one_text_in_a_hundred_may_be_called_foreign(foreign: list[float], most: float) -> None:
    unknown = np.array([*foreign, *[0.0] * (150 - len(foreign))])
    assert fit_max_unknown(unknown) == most
    assert (unknown > most).sum() <= 2
