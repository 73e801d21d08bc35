"""Whether the latest texts still look like the development set, measured by the population stability index."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import log, sqrt

from runtime.bundles.reference import Reference

# Half a text in every bin keeps the logarithm of an empty one finite.
_PRIOR = 0.5
_NORMAL_95 = 1.645


@dataclass(frozen=True, slots=True)
class Drift:
    """Population stability indices of the latest texts against the development set.

    An index is the sum of (q - p) ln(q / p) over the bins, p the share then and q the share now. By custom 0.1 is
    worth a look and 0.25 a change (Siddiqi 2006, "Credit Risk Scorecards"). With few texts or many classes it gets
    there by chance; the index that chance alone exceeds once in twenty stands beside it (Yurdakul 2018,
    "Statistical Properties of Population Stability Index").

    Attributes:
        texts: texts looked at.
        labels: index of the predicted labels.
        labels_by_chance: the index that chance alone seldom exceeds.
        scores: index of the scores, in ten bins.
        scores_by_chance: the same for the scores.
    """

    texts: int
    labels: float
    labels_by_chance: float
    scores: float
    scores_by_chance: float


def measure_drift(recent: Collection[tuple[str, float]], names: Sequence[str], reference: Reference) -> Drift | None:
    """Return the drift of ``recent`` texts, label and score of each; ``None`` when there is none of ``names``."""
    counts = Counter(label for label, _ in recent)
    labels = [counts[name] for name in names]
    texts = sum(labels)
    if not texts:
        return None
    known = frozenset(names)
    bins = Counter(bisect_right(reference.edges, score) for label, score in recent if label in known)
    scores = [bins[index] for index in range(len(reference.scores))]
    return Drift(
        texts=texts,
        labels=stability_index(reference.labels, reference.texts, labels),
        labels_by_chance=_by_chance(len(labels), reference.texts, texts),
        scores=stability_index(reference.scores, reference.texts, scores),
        scores_by_chance=_by_chance(len(scores), reference.texts, texts),
    )


def stability_index(shares: Sequence[float], texts: int, counts: Sequence[int]) -> float:
    """Return the population stability index of ``counts`` against ``shares`` of ``texts``, bin by bin; at least 0."""
    before = _smoothed([share * texts for share in shares])
    now = _smoothed(counts)
    return sum((new - old) * log(new / old) for old, new in zip(before, now, strict=True))


def _smoothed(counts: Sequence[float]) -> list[float]:
    total = sum(counts) + _PRIOR * len(counts)
    return [(count + _PRIOR) / total for count in counts]


def _by_chance(bins: int, before: int, now: int) -> float:
    """Return the 95 % quantile of the index without drift: chi-squared, by Wilson and Hilferty's formula."""
    freedom = bins - 1
    if not freedom:
        return 0.0
    spread = 2 / (9 * freedom)
    quantile = freedom * (1 - spread + _NORMAL_95 * sqrt(spread)) ** 3
    return float(quantile * (1 / before + 1 / now))
