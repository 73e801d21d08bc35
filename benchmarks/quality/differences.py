"""By how much one row beats another, and what of it other test texts, or other seeds, would change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
import numpy.typing as npt
from scipy.stats import ttest_1samp

from benchmarks.quality.answers import from_digits
from benchmarks.quality.peer_rows import WITHOUT_CHANCE
from benchmarks.quality.scores import METRICS, Score, Scores

DRAWS = 2000
"""How often the test texts of a set are drawn anew."""
_AT_ONCE = 250
_TAILS = (2.5, 97.5)

Shares = npt.NDArray[np.float64]
_Pair = tuple[Score, Score]
_Units = list[list[_Pair]]


@dataclass(frozen=True, slots=True)
class Difference:
    """How much better one row is than another, in one metric.

    Attributes:
        mean: over the units; within a unit, over its seeds.
        interval: that holds it in 95 % of draws of the test texts; ``None`` where a row's answers were not kept.
        p_value: of a two-sided paired t-test over the units; ``None`` of one unit, or where all differ by the same.
        units: runs (set and seed) that both rows have; of a row without chance, test sets.
        of_sets: whether units are test sets.
    """

    mean: float
    interval: tuple[float, float] | None
    p_value: float | None
    units: int
    of_sets: bool


class Differences:
    """Compares rows of one study; a row is drawn anew once, whatever it is compared with.

    Args:
        scores: the study.
        data: sets to look at.
    """

    def __init__(self, scores: Scores, data: Sequence[str]) -> None:
        self._scores = [score for score in scores.all if score.data in data]
        self._drawn: dict[tuple[str, str, int], Shares] = {}

    def between(self, row: str, other: str) -> dict[str, Difference]:
        """Return by metric how much better ``row`` is than ``other``; empty where no run has both."""
        of_sets = bool({row, other} & WITHOUT_CHANCE)
        units = self._units(row, other, of_sets=of_sets)
        if not units:
            return {}
        intervals = self._intervals(units)
        found = {}
        for metric in METRICS:
            values = [_mean(getattr(a, metric) - getattr(b, metric) for a, b in unit) for unit in units]
            p_value = float(ttest_1samp(values, 0.0).pvalue) if len(set(values)) > 1 else None
            found[metric] = Difference(_mean(values), intervals.get(metric), p_value, len(units), of_sets)
        return found

    def _units(self, row: str, other: str, *, of_sets: bool) -> _Units:
        """Return pairs of scores on the same test texts: one a run, or all seeds of a test set together."""
        theirs = {(s.data, s.seed, s.fingerprint): s for s in self._scores if s.row == other}
        units: dict[tuple[str, str, int], list[_Pair]] = {}
        for mine in self._scores:
            match = theirs.get((mine.data, mine.seed, mine.fingerprint))
            if mine.row == row and match:
                units.setdefault((mine.data, mine.fingerprint, 0 if of_sets else mine.seed), []).append((mine, match))
        return list(units.values())

    def _intervals(self, units: _Units) -> Mapping[str, tuple[float, float]]:
        if not all(a.answers and a.truth == b.truth and a.classes == b.classes for unit in units for a, b in unit):
            return {}
        # A mean over units of means over seeds, as the difference itself is; `_draws` has every seed of a set, and
        # both rows, see the same texts.
        drawn = np.zeros((DRAWS, len(METRICS)))
        for unit in units:
            drawn += sum(self._draws(a) - self._draws(b) for a, b in unit) / (len(unit) * len(units))
        low, high = np.percentile(drawn, _TAILS, axis=0)
        return {metric: (float(low[i]), float(high[i])) for i, metric in enumerate(METRICS)}

    def _draws(self, score: Score) -> Shares:
        key = score.data, score.row, score.seed
        if key not in self._drawn:
            self._drawn[key] = drawn_scores(score)
        return self._drawn[key]


def drawn_scores(score: Score) -> Shares:
    """Return accuracy and macro-F1 ``[DRAWS, 2]`` of kept answers to test texts that are drawn with replacement.

    The draws are those of the test set: always the same, and the same for every row and seed.
    """
    truth, answers = (from_digits(digits, score.classes) for digits in (score.truth, score.answers))
    random = np.random.default_rng(crc32(f"{score.data} {score.fingerprint}".encode()))
    parts = []
    for start in range(0, DRAWS, _AT_ONCE):
        chosen = random.integers(len(truth), size=(min(_AT_ONCE, DRAWS - start), len(truth)))
        parts.append(weighted_scores(truth, answers, _counts(chosen)))
    return np.concatenate(parts)


def weighted_scores(truth: npt.NDArray[np.int64], answers: npt.NDArray[np.int64], weights: Shares) -> Shares:
    """Return accuracy and macro-F1 ``[draws, 2]`` where text ``i`` counts ``weights[:, i]`` times.

    Args:
        truth: class indices ``[n]``.
        answers: class indices ``[n]``.
        weights: whole numbers ``[draws, n]``. With ones, the scores are those of :mod:`distill.training.metrics`.
    """
    classes = np.unique(np.concatenate([truth, answers]))
    is_truth, is_answer = ((ids[:, None] == classes).astype(np.float64) for ids in (truth, answers))
    hits, either = weights @ (is_truth * is_answer), weights @ (is_truth + is_answer)
    # A class that was not drawn, and is no drawn text's answer, is no part of the mean.
    f1 = np.divide(2 * hits, either, out=np.zeros_like(hits), where=either > 0)
    return np.stack([hits.sum(1) / weights.sum(1), f1.sum(1) / (either > 0).sum(1)], axis=1)


def _counts(chosen: npt.NDArray[np.int64]) -> Shares:
    """Return how often each text is chosen, ``[draws, n]``, of chosen texts ``[draws, n]``."""
    draws, texts = chosen.shape
    places = chosen + texts * np.arange(draws)[:, None]
    return np.bincount(places.ravel(), minlength=draws * texts).reshape(draws, texts).astype(np.float64)


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))
