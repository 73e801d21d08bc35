"""Temperature and threshold, fitted on what the exported model says of the development set.

The exported model, not the trained one: quantisation moves the logits, and the device sees those.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from runtime.confidence import softmax

# A set that the model has entirely right would drive the temperature to 0, and every score to 1.
_TEMPERATURES = np.geomspace(0.2, 10.0, 400)


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


def fit_threshold(scores: npt.NDArray[np.float64], right: npt.NDArray[np.bool_], precision: float) -> float:
    """Return the lowest score at which accepted texts are right often enough; 1.0 when none is.

    Args:
        scores: of the predicted labels, ``[n]``.
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
        return 1.0
    if enough[-1] == len(scores) - 1:
        return 0.0
    accepted, refused = ranked[enough[-1]], ranked[enough[-1] + 1]
    return float((accepted + refused) / 2)
