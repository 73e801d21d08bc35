"""From logits to a score between 0 and 1, and whether that is enough."""

from __future__ import annotations

from math import exp, isfinite, nextafter

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]

SUREST = nextafter(1.0, 0.0)
"""The highest score. One that rounds to 1 is this, so that a threshold of 1 accepts nothing."""


def softmax(logits: Floats, temperature: float = 1.0) -> npt.NDArray[np.float64]:
    """Return the softmax of ``logits / temperature`` over the last axis, in double precision.

    None is above :data:`SUREST`. A row whose largest logit is not finite says nothing: its scores are all 0.

    Args:
        logits: shape ``[..., C]``.
        temperature: greater than 0; above 1 it makes the scores more alike (Guo et al. 2017, "On
            Calibration of Modern Neural Networks").
    """
    exact = logits.astype(np.float64)
    largest = exact.max(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore"):
        weights = np.exp((exact - largest) / temperature)
        scores = weights / weights.sum(axis=-1, keepdims=True)
    return np.where(np.isfinite(largest), np.minimum(scores, SUREST), 0.0)


def best(logits: Floats, temperature: float) -> tuple[int, float]:
    """Return the index of the largest of ``logits`` ``[C]`` and its softmax score.

    The same as :func:`softmax` gives, for one text. Up to two hundred classes or so plain Python is faster than
    numpy, most of all right after a model has run and numpy's code has left the cache.
    """
    values: list[float] = logits.tolist()
    largest = max(values)
    # Not a comprehension: its function call costs two microseconds in that state.
    total = 0.0
    for value in values:
        total += exp((value - largest) / temperature)
    # The sum is NaN if any logit is, or if the largest is infinite.
    score = 1.0 / total if isfinite(total) else 0.0
    return values.index(largest), score if score < 1.0 else SUREST


def accepts(score: float, threshold: float) -> bool:
    """Return whether ``score`` reaches ``threshold``; a score of 0 says nothing and never does, and none reaches 1."""
    return score >= threshold and score > 0.0
