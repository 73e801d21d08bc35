"""What a promise is worth: simulated development sets, and small ones worked out by hand."""

from math import comb

import numpy as np
import pytest

from export.promise import PROMISES, fit_promises, tail

DRAWS = 400
RATE = 0.05


@pytest.mark.parametrize(("mistakes", "texts", "rate"), [(0, 10, 0.1), (3, 10, 0.1), (2, 300, 0.02), (10, 10, 0.5)])
def test_tail_is_the_binomial_distribution(mistakes: int, texts: int, rate: float) -> None:
    by_hand = sum(comb(texts, count) * rate**count * (1 - rate) ** (texts - count) for count in range(mistakes + 1))
    assert tail(mistakes, texts, rate) == pytest.approx(by_hand, rel=1e-12)


def test_tail_of_many_texts_neither_overflows_nor_vanishes() -> None:
    assert tail(50_000, 1_000_000, 0.05) == pytest.approx(0.5, abs=0.01)


def _broken(error_at_zero: float, texts: int, seed: int) -> tuple[float, bool]:
    """Draw scores and mistakes, fit a threshold for RATE, return its coverage and whether the truth exceeds RATE.

    A text of score s is wrong with probability ``error_at_zero`` · (1 - s), so that of all texts from a threshold t
    on, ``error_at_zero`` · (1 - t) / 2 are.
    """
    generator = np.random.default_rng(seed)
    scores = generator.uniform(size=texts)
    right = generator.uniform(size=texts) >= error_at_zero * (1 - scores)
    (promise,) = fit_promises(scores, right, [RATE])
    if promise.threshold is None:
        return 0.0, False
    return promise.coverage, error_at_zero * (1 - promise.threshold) / 2 > RATE


@pytest.mark.parametrize("texts", [80, 500])
@pytest.mark.parametrize("error_at_zero", [0.11, 0.2, 0.6])
def test_a_promise_is_broken_by_fewer_than_one_development_set_in_twenty(error_at_zero: float, texts: int) -> None:
    broken = sum(_broken(error_at_zero, texts, seed)[1] for seed in range(DRAWS))
    # Were it one in twenty exactly, 400 sets would break 32 or more only once in a hundred trials.
    assert broken < 32


def test_choosing_the_best_looking_threshold_would_break_it_far_more_often() -> None:
    """The simulation can fail: it does so for the plain choice, the lowest threshold that looks good enough."""
    broken = 0
    for seed in range(100):
        generator = np.random.default_rng(seed)
        scores = np.sort(generator.uniform(size=500))[::-1]
        mistakes = np.cumsum(generator.uniform(size=500) < 0.2 * (1 - scores))
        looks_good = np.flatnonzero(mistakes / np.arange(1, 501) <= RATE)
        broken += 0.2 * (1 - scores[looks_good[-1]]) / 2 > RATE
    assert broken > 30


def test_more_development_texts_accept_more() -> None:
    coverage = [np.mean([_broken(0.2, texts, seed)[0] for seed in range(20)]) for texts in (100, 1000, 8000)]
    assert coverage[0] < coverage[1] < coverage[2] < 0.5
    assert coverage[2] > 0.35


@pytest.mark.parametrize(("texts", "possible"), [(298, False), (299, True)])
def test_one_in_a_hundred_takes_299_texts_without_a_mistake(texts: int, possible: bool) -> None:
    scores = np.linspace(0.1, 0.9, texts)
    (promise,) = fit_promises(scores, np.full(texts, True), [0.01])
    assert promise.threshold == (pytest.approx(0.1) if possible else None)
    assert promise.coverage == float(possible)


def test_a_larger_error_has_no_higher_threshold() -> None:
    generator = np.random.default_rng(3)
    scores = generator.uniform(size=5000)
    promises = fit_promises(scores, generator.uniform(size=5000) >= 0.2 * (1 - scores))
    thresholds = [promise.threshold for promise in promises if promise.threshold is not None]
    assert [promise.max_error for promise in promises] == list(PROMISES)
    assert len(thresholds) > 5
    assert thresholds == sorted(thresholds, reverse=True)


def test_equal_scores_are_accepted_or_refused_together() -> None:
    scores = np.repeat([0.9, 0.5], [100, 100])
    right = np.repeat([True, False], [150, 50])
    (promise,) = fit_promises(scores, right, [0.05])
    assert (promise.threshold, promise.coverage) == (0.9, 0.5)


def test_a_model_that_is_always_wrong_promises_nothing() -> None:
    promises = fit_promises(np.linspace(0, 1, 1000), np.full(1000, False))
    assert {promise.threshold for promise in promises} == {None}


def test_no_texts_promise_nothing() -> None:
    assert {promise.threshold for promise in fit_promises(np.empty(0), np.empty(0, bool))} == {None}
