"""Scores of predictions against labels, in numpy.

All functions take integer class ids of shape ``[n]`` and the number of classes. A share whose
denominator is zero counts as 0.0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

ClassIds = npt.NDArray[np.integer]
Counts = npt.NDArray[np.int64]
Shares = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ClassScores:
    """Scores of each class; every array has shape ``[classes]``.

    Attributes:
        precision: share of the class's predictions that are right.
        recall: share of the class's examples that are found.
        f1: harmonic mean of the two.
        support: examples of the class.
        predicted: predictions of the class.
    """

    precision: Shares
    recall: Shares
    f1: Shares
    support: Counts
    predicted: Counts

    @property
    def occurs(self) -> npt.NDArray[np.bool_]:
        """Whether the class is in any label or prediction; macro-F1 is the mean over those that are."""
        return (self.support + self.predicted) > 0

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the classes that occur."""
        return float(self.f1[self.occurs].mean()) if self.occurs.any() else 0.0

    def as_text(self) -> list[list[str]]:
        """Return precision, recall and F1 of each class; a share of nothing is ``–``.

        A class that is never predicted has no precision, one without examples no recall.
        """
        wholes = np.stack([self.predicted, self.support, self.predicted + self.support], axis=1)
        shares = np.stack([self.precision, self.recall, self.f1], axis=1)
        return [
            [f"{share:.3f}" if whole else "–" for share, whole in zip(*of_class, strict=True)]
            for of_class in zip(shares, wholes, strict=True)
        ]


def accuracy(labels: ClassIds, predicted: ClassIds) -> float:
    """Return the share of predictions that are right; 0.0 when there are none."""
    return float(np.mean(labels == predicted)) if len(labels) else 0.0


def macro_f1(labels: ClassIds, predicted: ClassIds, classes: int) -> float:
    """Return the mean F1 of the classes that occur in ``labels`` or ``predicted``."""
    return class_scores(labels, predicted, classes).macro_f1


def class_scores(labels: ClassIds, predicted: ClassIds, classes: int) -> ClassScores:
    """Return precision, recall, F1, support and predictions of each class."""
    counts = confusion(labels, predicted, classes)
    hits, guesses, support = counts.diagonal(), counts.sum(0), counts.sum(1)
    return ClassScores(
        precision=_share(hits, guesses),
        recall=_share(hits, support),
        f1=_share(2 * hits, guesses + support),
        support=support,
        predicted=guesses,
    )


def confusion(labels: ClassIds, predicted: ClassIds, classes: int) -> Counts:
    """Return counts ``[classes, classes]``: rows are labels, columns predictions."""
    pairs = np.asarray(labels, dtype=np.int64) * classes + np.asarray(predicted, dtype=np.int64)
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes).astype(np.int64)


def frequent_confusions(counts: Counts, most: int) -> list[tuple[int, int, int]]:
    """Return label, prediction and number of the most frequent confusions, the most frequent first.

    Args:
        counts: ``[classes, classes]``, as :func:`confusion` gives them.
        most: how many to return at most; pairs that never occur are not returned.
    """
    wrong = counts - np.diag(counts.diagonal())
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    pairs = [divmod(int(place), len(counts)) for place in order]
    return [(label, guess, int(wrong[label, guess])) for label, guess in pairs if wrong[label, guess]]


def _share(part: Counts, whole: Counts) -> Shares:
    return np.divide(part, whole, out=np.zeros(len(whole)), where=whole > 0)
