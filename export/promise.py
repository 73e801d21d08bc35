"""Thresholds that keep the error among accepted texts below a promise, with 95 % confidence.

The model's own score says little about its errors on new texts, and a threshold picked because it looked good on
the development set looks better there than it is. Here each candidate threshold is a hypothesis, "the error
above it exceeds the promise", tested by the exact binomial test, which is the Clopper-Pearson bound turned round
(Geifman & El-Yaniv 2017, "Selective Classification for Deep Neural Networks"). The candidates are tested from the
strictest on, and the first that is not rejected ends it. Testing in an order that was fixed before costs no
confidence, however many candidates there are (Angelopoulos et al. 2021, "Learn then Test", fixed-sequence
testing), where the bisection of Geifman & El-Yaniv has to share 5 % among its steps.

Two things are taken for granted: that texts on the device are drawn as the development texts were, and that the
error above a threshold does not fall when the threshold does. (The development set has also picked the student's
best epoch and fitted the temperature and how many unknown characters are too many; what little it gained by that is
not allowed for. ``benchmarks/promise.py`` looks at test sets, which picked nothing.) The development texts meant here
are those that a device can accept: one with too many unknown characters it refuses whatever the score, so that it is no
trial. Candidates are ranks, not scores, and this is why that is enough. Let N development texts have scores above the
point where the error reaches the promise. Given N, their mistakes are binomial with just that rate, and the texts below
have a higher one. To accept too much, the first candidate of more than N texts must be rejected, which then happens
with a probability of 5 % at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import numpy as np
import numpy.typing as npt

from runtime.bundles.reference import CONFIDENCE, Promise, fewest_texts

PROMISES = (0.001, 0.002, 0.003, 0.005, 0.007, 0.01, 0.015, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3)
"""The errors for which an export looks for a threshold."""
# Candidates: enough to come close to the best threshold; each is one more chance to stop too early.
_STEPS = 50
# A few wrong labels in the data stop a sequence that begins with a handful of texts. From a quarter on, simulated
# sets of 200 to 10,000 texts get more accepted, nearly always, than from less, from half, or from several starts.
_FIRST_SHARE = 0.25

Scores = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def fit_promises(
    scores: Scores, right: Flags, promises: Sequence[float] = PROMISES, texts: int = 0
) -> tuple[Promise, ...]:
    """Return for each of ``promises`` the lowest threshold that keeps it, if one can be shown to.

    Args:
        scores: of the predicted labels, ``[n]``, of the texts that a threshold can accept: others are no trials.
        right: whether the predicted label is the true one, ``[n]``.
        promises: shares of wrong labels among accepted texts, rising, between 0 and 1.
        texts: of which the coverage is a share, those that are refused whatever their score among them; 0: ``n``.
    """
    order = np.argsort(-scores, kind="stable")
    ranked, mistakes = scores[order], np.cumsum(~right[order], dtype=np.int64)
    return tuple(_fit(ranked, mistakes, rate, texts or len(scores)) for rate in promises)


def _fit(ranked: Scores, mistakes: npt.NDArray[np.int64], rate: float, texts: int) -> Promise:
    accepted = 0
    for size in _candidates(ranked, rate):
        if tail(int(mistakes[size - 1]), size, rate) > 1 - CONFIDENCE:
            break
        accepted = size
    if not accepted:
        return Promise(rate, None, 0.0)
    return Promise(rate, float(ranked[accepted - 1]), accepted / texts)


def _candidates(ranked: Scores, rate: float) -> list[int]:
    """Return how many of the best texts each candidate accepts, rising: no threshold can part equal scores."""
    least = fewest_texts(rate)
    if len(ranked) < least:
        return []
    first = max(least, int(len(ranked) * _FIRST_SHARE))
    wanted = [*range(first, len(ranked), max(1, len(ranked) // _STEPS)), len(ranked)]
    ends = np.searchsorted(-ranked, [-ranked[size - 1] for size in wanted], side="right")
    return sorted(set(ends.tolist()))


def tail(mistakes: int, texts: int, rate: float) -> float:
    """Return the probability of at most ``mistakes`` among ``texts`` if each is one with probability ``rate``."""
    counts = np.arange(mistakes)
    steps = np.log((texts - counts) / (counts + 1)) + log(rate / (1 - rate))
    logs = texts * np.log1p(-rate) + np.append(0.0, np.cumsum(steps))
    return float(min(1.0, np.exp(np.logaddexp.reduce(logs))))
