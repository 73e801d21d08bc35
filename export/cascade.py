"""The cascade of a bundle: the student's n-grams on their own, and the score from which they may answer alone.

The threshold costs no accuracy on the development set: at it, and at the next higher ones, head and model together
have at least as many right answers as the model alone. All else that a bundle says about scores is fitted
once more, to what head and model answer together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from distill.training.metrics import accuracy, macro_f1
from export.confidence import fit_decisions, fit_temperature
from export.graph import ngram_logits
from export.parity import ClassIds, LabelledTexts, Logits
from export.source import Source
from runtime.backends import Backend
from runtime.cascade import CASCADE, TABLE, CascadeEntry, Halves, Head, table_bytes
from runtime.confidence import softmax

_THRESHOLDS = tuple(percent / 100 for percent in range(100))
_ALSO_FREE = 20
# With a smaller share the head costs every other text more time than it saves.
_LEAST_SHARE = 0.1
# Fewer texts cannot tell the temperature of the model on what the head leaves to it; that on all texts stays.
_LEAST_LEFT = 50

Scores = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Answers:
    """What a bundle answers to a labelled set.

    Attributes:
        predicted: class ids, int64 ``[n]``.
        scores: of these, float64 ``[n]``.
        by_head: whether the head answered, ``[n]``.
    """

    predicted: ClassIds
    scores: Scores
    by_head: Flags


@dataclass(frozen=True, slots=True)
class FittedCascade:
    """A cascade to be written into a bundle.

    Attributes:
        entry: what the bundle says about it.
        table: of the head, as in the bundle.
        metrics: share that the head answers, of dev and of test, and on test the scores of head and model together,
            what they lose of the student's macro-F1, and the share of texts with the student's label.
    """

    entry: CascadeEntry
    table: Halves
    metrics: dict[str, Any]

    @property
    def files(self) -> dict[str, bytes]:
        """Content by path in the bundle."""
        return {CASCADE: self.entry.to_bytes(), TABLE: table_bytes(self.table)}


def fit_cascade(
    source: Source, backend: Backend, temperature: float, max_unknown: float, precision: float
) -> FittedCascade | None:
    """Take the head from the student and fit the cascade of it and the model.

    Args:
        source: the run folder of a student with n-grams.
        backend: the model that serves.
        temperature: of the model on all development texts.
        max_unknown: see :class:`runtime.bundles.manifest.Manifest`.
        precision: see :func:`export.confidence.fit_threshold`.

    Returns:
        The cascade; ``None`` if the head may not answer a tenth of the development texts without loss.
    """
    table = _fit_table(source, max_unknown)
    dev = _opinions(source, source.dev, table, backend, max_unknown)
    threshold = fit_sure(dev.head_scores(), dev.gain())
    if threshold is None:
        return None
    left = dev.head_scores() < threshold
    if left.sum() >= _LEAST_LEFT:
        temperature = fit_temperature(dev.model[left], dev.labels[left])
    answers = dev.answers(threshold, temperature)
    unknown = np.array([source.tokenizer.encode(text).unknown for text in source.dev.texts])
    decisions = fit_decisions(
        answers.scores, answers.predicted, dev.labels, unknown <= max_unknown, precision, len(source.names)
    )
    test = _opinions(source, source.test, table, backend, max_unknown).answers(threshold, temperature)
    entry = CascadeEntry(
        buckets=len(table),
        threshold=threshold,
        temperature=temperature,
        accepted_from=decisions.threshold,
        reference=decisions.reference,
    )
    return FittedCascade(entry, table, _metrics(source, answers, test, threshold))


@dataclass(frozen=True, slots=True)
class _Opinions:
    """What head and model, each on its own, say of a labelled set.

    Attributes:
        labels: class ids, ``[n]``.
        may: whether the head may answer a text at all, ``[n]``.
        head: its logits, ``[n, C]``.
        model: likewise.
    """

    labels: ClassIds
    may: Flags
    head: Logits
    model: Logits

    def head_scores(self) -> Scores:
        """Return the score of the head's answer, ``[n]``; -1 where it may not answer."""
        return np.where(self.may, softmax(self.head).max(1), -1.0)

    def gain(self) -> ClassIds:
        """Return by text 1 where the head alone is right, -1 where the model alone is, else 0."""
        head, model = (found.argmax(1) == self.labels for found in (self.head, self.model))
        gain: ClassIds = head.astype(np.int64) - model
        return gain

    def answers(self, threshold: float, temperature: float) -> Answers:
        """Return what the bundle answers, the model with ``temperature``."""
        scores = self.head_scores()
        by_head = scores >= threshold
        predicted = np.where(by_head, self.head.argmax(1), self.model.argmax(1))
        return Answers(predicted, np.where(by_head, scores, softmax(self.model, temperature).max(1)), by_head)


def fit_sure(scores: Scores, gain: ClassIds) -> float | None:
    """Return the lowest of the thresholds 0.00 to 0.99 that costs no right answer, nor do the twenty above it.

    A single one may cost none by luck. That none above it may cost any would ask too much: one wrong label in the
    data among the head's surest answers would forbid all, whatever the head gains below.

    Args:
        scores: of the head, ``[n]``; below 0 where it may not answer.
        gain: by text 1 where the head alone is right, -1 where the model alone is, else 0.

    Returns:
        The threshold; ``None`` if there is none, or the head answers less than a tenth of the texts at it.
    """
    free = [gain[scores >= threshold].sum() >= 0 for threshold in _THRESHOLDS]
    for index, threshold in enumerate(_THRESHOLDS):
        if all(free[index : index + 1 + _ALSO_FREE]):
            return threshold if np.mean(scores >= threshold) >= _LEAST_SHARE else None
    return None


def _fit_table(source: Source, max_unknown: float) -> Halves:
    """Return the head's table, calibrated on the development set and rounded as in the bundle."""
    table = ngram_logits(source.student)
    may = _may(source, source.dev, max_unknown)
    if may.any():
        table = table / fit_temperature(_head_logits(source, source.dev, table)[may], source.dev.labels[may])
    return table.astype(np.float16)


def _opinions(source: Source, data: LabelledTexts, table: Halves, backend: Backend, max_unknown: float) -> _Opinions:
    head, model = _head_logits(source, data, table), source.backend_logits(backend, data.texts)
    return _Opinions(data.labels, _may(source, data, max_unknown), head, model)


def _may(source: Source, data: LabelledTexts, max_unknown: float) -> Flags:
    encodings = [source.tokenizer.encode(text) for text in data.texts]
    return np.array([not one.truncated and one.unknown <= max_unknown for one in encodings])


def _head_logits(source: Source, data: LabelledTexts, table: Halves | Logits) -> Logits:
    head = Head(table)
    return np.array([head.logits(source.tokenizer.encode(text).ids) for text in data.texts])


def _metrics(source: Source, dev: Answers, test: Answers, threshold: float) -> dict[str, Any]:
    student, classes = source.reference.argmax(1), len(source.names)
    score = macro_f1(source.test.labels, test.predicted, classes)
    return {
        "threshold": threshold,
        "answered_by_head": {"dev": float(dev.by_head.mean()), "test": float(test.by_head.mean())},
        "test": {
            "texts": len(source.test.texts),
            "accuracy": accuracy(source.test.labels, test.predicted),
            "macro_f1": score,
            "f1_drop": macro_f1(source.test.labels, student, classes) - score,
            "agreement": float(np.mean(test.predicted == student)),
        },
    }
