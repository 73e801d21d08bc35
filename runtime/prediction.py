"""What a classifier answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

import numpy as np
import numpy.typing as npt

from runtime.confidence import softmax

FIELDS = ("label", "score", "accepted", "reason")
"""The fields of a prediction in every output, in this order."""


class Reason(str, Enum):
    """Why a prediction is accepted or not; where several hold, the first of this order is given."""

    EMPTY = "empty"
    """Nothing is left of the text after normalisation. Not accepted."""
    UNKNOWN_TEXT = "unknown_text"
    """Too many characters were never seen in training. Not accepted."""
    LOW_CONFIDENCE = "low_confidence"
    """The score is below the threshold of the label. Not accepted."""
    TRUNCATED = "truncated"
    """Accepted, but the middle of the text was left out because it is too long."""
    OK = "ok"
    """Accepted."""

    __str__ = str.__str__
    __hash__ = str.__hash__


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer to one text: what the model said, and whether the tool stands by it.

    Two predictions are equal if label, score, acceptance and reason are.

    Attributes:
        label: the class of the largest logit; empty for an empty text.
        score: its calibrated probability, 0 to 1.
        logits: what the model, or the cascade's head, said, float32 ``[C]``, read-only; ``[0]`` for an empty text.
        accepted: whether the bundle's thresholds let the label pass.
        reason: why.
        unknown: share of the text's characters that are neither in the vocabulary nor aliases of one that is, 0 to 1.
        by_head: whether the head of the bundle's cascade answered, and not the model.
    """

    label: str
    score: float
    logits: npt.NDArray[np.float32] = field(repr=False, compare=False)
    accepted: bool
    reason: Reason
    unknown: float = field(repr=False, compare=False)
    _labels: tuple[str, ...] = field(repr=False, compare=False)
    _temperature: float = field(repr=False, compare=False)
    by_head: bool = field(default=False, repr=False, compare=False)

    def to_dict(self) -> dict[str, str | float | bool]:
        """Return label, score (six digits), accepted and reason as JSON values, as ``gm-classify`` writes them."""
        return dict(zip(FIELDS, (self.label, round(self.score, 6), self.accepted, self.reason.value), strict=True))

    def top(self, k: int) -> list[tuple[str, float]]:
        """Return the ``k`` most probable labels with their scores, the best first, or all if there are fewer.

        Raises:
            ValueError: ``k`` is less than 1.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}")
        if not len(self.logits):
            return []
        scores = softmax(self.logits, self._temperature)
        order = np.argsort(-self.logits, kind="stable")[:k]
        return [(self._labels[index], float(scores[index])) for index in order]


class Sealed:
    """``Sealed(*fields)`` is ``Prediction(*fields)``, made in a third of the time.

    A frozen dataclass sets each field by a call of its own, some microseconds in all right after a model has run. This
    class assigns them directly; then the instance becomes a ``Prediction``, which has the same slots.
    """

    __slots__ = Prediction.__slots__

    def __init__(
        self,
        label: str,
        score: float,
        logits: npt.NDArray[np.float32],
        accepted: bool,
        reason: Reason,
        unknown: float,
        labels: tuple[str, ...],
        temperature: float,
        by_head: bool,
    ) -> None:
        self.label = label
        self.score = score
        self.logits = logits
        self.accepted = accepted
        self.reason = reason
        self.unknown = unknown
        self._labels = labels
        self._temperature = temperature
        self.by_head = by_head
        self.__class__ = Prediction  # type: ignore[assignment]
