"""Temperature, thresholds and reference, fitted on what the exported model says of the development set.

The exported model, not the trained one: quantisation moves the logits, and the device sees those.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from export.promise import fit_promises
from runtime.bundles.reference import Reference
from runtime.confidence import softmax

# A set that the model has entirely right would drive the temperature to 0, and every score to 1.
_TEMPERATURES = np.geomspace(0.2, 10.0, 400)
# One development text in a hundred may be called foreign. A fixed half, as before, let nine tenths of the news and
# half of the random bytes pass that the 99th percentile stops. But below a tenth, one odd character would condemn
# a short text; and of a text of which half is foreign nothing is known, whatever the development set is like.
_USUAL_UNKNOWN = 0.99
_LEAST_UNKNOWN, _MOST_UNKNOWN = 0.1, 0.5
# Bins of scores with equally many texts each: ten is the custom for population stability.
_DECILES = np.linspace(0.1, 0.9, 9)


@dataclass(frozen=True, slots=True)
class Decisions:
    """When answers are accepted, and the development set as they show it."""

    threshold: float
    reference: Reference


@dataclass(frozen=True, slots=True)
class Confidence:
    """What a bundle says about scores: see :class:`runtime.bundles.manifest.Manifest` and :class:`Reference`."""

    temperature: float
    threshold: float
    max_unknown: float
    reference: Reference


def fit_confidence(
    logits: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    unknown: npt.NDArray[np.float64],
    precision: float,
) -> Confidence:
    """Fit all that a bundle says about scores.

    Args:
        logits: ``[n, C]``.
        labels: class ids ``[n]``.
        unknown: share of unknown characters by text, ``[n]``.
        precision: see :func:`fit_threshold`.
    """
    temperature = fit_temperature(logits, labels)
    scores = softmax(logits, temperature).max(1)
    max_unknown = fit_max_unknown(unknown)
    found = fit_decisions(scores, logits.argmax(1), labels, unknown <= max_unknown, precision, logits.shape[1])
    return Confidence(temperature, found.threshold, max_unknown, found.reference)


def fit_decisions(
    scores: npt.NDArray[np.float64],
    predicted: npt.NDArray[np.int64],
    labels: npt.NDArray[np.int64],
    known: npt.NDArray[np.bool_],
    precision: float,
    classes: int,
) -> Decisions:
    """Fit all that rests on answers and their scores alone, whoever gave them.

    Args:
        scores: of the answers, ``[n]``.
        predicted: the answers, class ids ``[n]``.
        labels: class ids ``[n]``.
        known: whether a text has enough known characters, ``[n]``; only such texts can be accepted.
        precision: see :func:`fit_threshold`.
        classes: number of classes.
    """
    right = predicted == labels
    # The device refuses the others whatever their score: they neither break promises nor help to keep them.
    can, can_right = scores[known], right[known]
    edges = np.unique(np.quantile(scores, _DECILES))
    reference = Reference(
        texts=len(labels),
        promises=fit_promises(can, can_right, texts=len(labels)),
        labels=_shares(predicted, classes),
        edges=tuple(edges.tolist()),
        scores=_shares(np.searchsorted(edges, scores, side="right"), len(edges) + 1),
        known=len(can),
    )
    return Decisions(fit_threshold(can, can_right, precision), reference)


def fit_temperature(logits: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]) -> float:
    """Return the temperature of least negative log-likelihood (Guo et al. 2017), 0.2 to 10.

    Args:
        logits: ``[n, C]``.
        labels: class ids ``[n]``.
    """
    rows = np.arange(len(labels))

    def loss(temperature: float) -> float:
        scores = softmax(logits, temperature)[rows, labels]
        return -float(np.log(np.maximum(scores, 1e-300)).mean())

    return round(float(min(_TEMPERATURES, key=loss)), 4)


def fit_max_unknown(unknown: npt.NDArray[np.float64]) -> float:
    """Return the share of unknown characters above which a text is called foreign, 0.1 to 0.5.

    Args:
        unknown: share of unknown characters by text, ``[n]``.
    """
    usual = float(np.quantile(unknown, _USUAL_UNKNOWN, method="higher"))
    return min(max(usual, _LEAST_UNKNOWN), _MOST_UNKNOWN)


def fit_threshold(scores: npt.NDArray[np.float64], right: npt.NDArray[np.bool_], precision: float) -> float:
    """Return the lowest score at which accepted texts are right often enough; 1.0, which none reaches, else.

    Args:
        scores: of the predicted labels, ``[n]``, below 1, of the texts that a threshold can accept; there may be none.
        right: whether the predicted label is the true one, ``[n]``.
        precision: share of the accepted texts that must be right; 0 accepts all.
    """
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    shares = np.cumsum(right[order]) / np.arange(1, len(scores) + 1)
    # A threshold cannot part equal scores: it stands behind the last of them.
    last = np.append(ranked[1:] < ranked[:-1], True)
    enough = np.flatnonzero(last & (shares >= precision))
    if not len(enough):
        return 1.0 if precision else 0.0  # without any text, nothing is shown
    if enough[-1] == len(scores) - 1:
        return 0.0
    accepted, refused = ranked[enough[-1]], ranked[enough[-1] + 1]
    # Of two neighbouring floats the mean is one of them.
    return float(max((accepted + refused) / 2, np.nextafter(refused, 1.0)))


def _shares(values: npt.NDArray[np.int64], count: int) -> tuple[float, ...]:
    return tuple((np.bincount(values, minlength=count) / len(values)).tolist())
