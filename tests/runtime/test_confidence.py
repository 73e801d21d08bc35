"""Scores between 0 and 1, whatever the logits."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.confidence import accepts, best, softmax

LOGITS = st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=1, max_size=30)


def test_softmax_of_known_logits() -> None:
    scores = softmax(np.log(np.array([[1.0, 2.0, 1.0], [3.0, 0.5, 0.5]], np.float32)))
    np.testing.assert_allclose(scores, [[0.25, 0.5, 0.25], [0.75, 0.125, 0.125]], rtol=1e-6)
    assert scores.dtype == np.float64


def test_temperature_divides_the_logits() -> None:
    logits = np.array([4.0, 2.0], np.float32)
    np.testing.assert_allclose(softmax(logits, 2.0), softmax(logits / 2.0))


@given(LOGITS, st.floats(0.001, 1000.0))
def test_best_is_the_largest_of_softmax(values: list[float], temperature: float) -> None:
    logits = np.array(values, np.float32)
    index, score = best(logits, temperature)
    scores = softmax(logits, temperature)
    assert index == logits.argmax()
    assert score == pytest.approx(scores.max())
    assert scores.sum() == pytest.approx(1.0)
    assert 1 / len(values) <= score * (1 + 1e-9)
    assert score < 1.0


@pytest.mark.parametrize("values", [[50.0, 0.0], [7.0]])
def test_no_text_is_so_sure_that_a_threshold_of_1_accepts_it(values: list[float]) -> None:
    logits = np.array(values, np.float32)
    score = best(logits, 1.0)[1]
    assert score == softmax(logits).max() == 1 - 2**-53
    assert not accepts(score, 1.0)
    assert accepts(score, score)


@pytest.mark.parametrize("values", [[math.nan, 1.0], [1.0, math.inf], [-math.inf, -math.inf]])
def test_logits_that_say_nothing_score_nothing(values: list[float]) -> None:
    logits = np.array(values, np.float32)
    assert best(logits, 1.0)[1] == 0.0
    assert softmax(logits).tolist() == [0.0, 0.0]


def test_a_class_that_is_ruled_out_leaves_the_others() -> None:
    logits = np.array([-math.inf, 0.0, 0.0], np.float32)
    assert best(logits, 1.0) == (1, 0.5)
    assert softmax(logits).tolist() == [0.0, 0.5, 0.5]


@pytest.mark.parametrize(
    ("score", "threshold", "accepted"), [(0.5, 0.5, True), (0.49, 0.5, False), (0.1, 0.0, True), (0.0, 0.0, False)]
)
def test_a_score_is_accepted_from_its_threshold_on(score: float, threshold: float, accepted: bool) -> None:
    assert accepts(score, threshold) is accepted
