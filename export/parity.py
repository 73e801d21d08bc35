"""Does an exported model decide as the trained one does? Measured in decisions, not in tolerances.

Accuracy alone hides flips: with equal accuracy four titles in a thousand may change label. So every
variant is held against the trained student text by text, and the texts that flip are named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from distill.training.metrics import accuracy, class_scores, macro_f1
from export.options import Limits
from runtime.errors import DataError, ParityError

KEPT_FLIPS = 100
"""The manifest of a bundle names no more flips of a variant: its size is limited, and who reads it wants examples."""
_KEPT_CHARACTERS = 500

Logits = npt.NDArray[np.float32]
ClassIds = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class LabelledTexts:
    """A labelled set.

    Attributes:
        texts: as they stand in the data.
        labels: class of each, as an index into ``names``, int64 ``[n]``.
        names: the classes, in the order of the logits.
    """

    texts: tuple[str, ...]
    labels: ClassIds
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Flip:
    """A text that got another label than from the trained student.

    Attributes:
        text: the text.
        label: its class in the data.
        before: what the student says.
        after: what the variant says.
        margin_before: by how much the student's first logit leads its second.
        margin_after: the same of the variant.
    """

    text: str
    label: str
    before: str
    after: str
    margin_before: float
    margin_after: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """A variant of the model held against the trained student on one labelled set.

    Attributes:
        variant: its name.
        texts: how many there are.
        accuracy: of the variant.
        macro_f1: of the variant.
        f1_drop: macro-F1 of the student less that of the variant.
        agreement: share of texts with the student's label.
        largest_difference: of any logit, absolute.
        recall_change: by class, variant less student; only classes that change.
        flips: every text whose label changed.
    """

    variant: str
    texts: int
    accuracy: float
    macro_f1: float
    f1_drop: float
    agreement: float
    largest_difference: float
    recall_change: dict[str, float]
    flips: tuple[Flip, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values, for a manifest: of the flips the first hundred, cut short, and how many more."""
        kept = [replace(flip, text=flip.text[:_KEPT_CHARACTERS]) for flip in self.flips[:KEPT_FLIPS]]
        return asdict(replace(self, flips=tuple(kept))) | {"more_flips": len(self.flips) - len(kept)}


def check_student(logits: Logits) -> None:
    """Refuse a student that gives something that is not a number: nothing can be calibrated on it or held against it.

    Raises:
        DataError: a logit is not finite.
    """
    if not np.isfinite(logits).all():
        raise DataError("the trained student gives NaN or infinite logits; train again with a smaller learning rate")


def compare(variant: str, data: LabelledTexts, reference: Logits, logits: Logits) -> Comparison:
    """Hold ``logits`` of a variant against ``reference``, the student's; both ``[n, C]``.

    Check those of the student with :func:`check_student` first.

    Raises:
        DataError: there is no text.
        ParityError: a logit of the variant is not finite.
    """
    if not data.texts:
        raise DataError("the run folder has no test predictions to measure on; train with a test set")
    if not np.isfinite(logits).all():
        raise ParityError(f"{variant} gives NaN or infinite logits; nothing was written; train the student again")
    before, after = reference.argmax(1), logits.argmax(1)
    score = macro_f1(data.labels, after, len(data.names))
    return Comparison(
        variant=variant,
        texts=len(data.texts),
        accuracy=accuracy(data.labels, after),
        macro_f1=score,
        f1_drop=macro_f1(data.labels, before, len(data.names)) - score,
        agreement=float(np.mean(before == after)),
        largest_difference=float(np.abs(logits - reference).max()),
        recall_change=_recall_change(data, before, after),
        flips=tuple(_flip(data, row, reference[row], logits[row]) for row in np.flatnonzero(before != after).tolist()),
    )


def passes(found: Comparison, limits: Limits) -> bool:
    """Tell whether a variant is within the limits."""
    return found.agreement >= limits.min_agreement and found.f1_drop <= limits.max_f1_drop


def check(comparisons: Sequence[Comparison], limits: Limits) -> None:
    """Refuse variants that are not the same model any more.

    Raises:
        ParityError: the first of them that is beyond the limits.
    """
    for found in comparisons:
        if found.agreement < limits.min_agreement:
            raise _refusal(
                found,
                f"{found.texts - len(found.flips)} of {found.texts} test texts keep their label ({_flips(found)}), "
                f"at least {100 * limits.min_agreement:g} % wanted",
                f"--min-agreement {_below(found.agreement)}",
            )
        if found.f1_drop > limits.max_f1_drop:
            raise _refusal(
                found,
                f"macro-F1 on {found.texts} test texts falls by {found.f1_drop:.4g} ({_flips(found)}), "
                f"more than {limits.max_f1_drop:g}",
                f"--max-f1-drop {found.f1_drop + 5e-5:.4f}",
            )


def _refusal(found: Comparison, what: str, option: str) -> ParityError:
    return ParityError(
        f"{found.variant}: {what}; nothing was written; measure on more texts, or allow it with {option}"
    )


def _below(share: float) -> str:
    return f"{np.floor(share * 1000) / 1000:.3f}"


def _flips(found: Comparison) -> str:
    if not found.flips:
        return "no flip"
    first = found.flips[0]
    return f"{len(found.flips)} changed, the first {first.text!r:.60} from {first.before} to {first.after}"


def _recall_change(data: LabelledTexts, before: ClassIds, after: ClassIds) -> dict[str, float]:
    classes = len(data.names)
    change = class_scores(data.labels, after, classes).recall - class_scores(data.labels, before, classes).recall
    return {name: float(value) for name, value in zip(data.names, change, strict=True) if value}


def _flip(data: LabelledTexts, row: int, before: Logits, after: Logits) -> Flip:
    return Flip(
        text=data.texts[row],
        label=data.names[data.labels[row]],
        before=data.names[before.argmax()],
        after=data.names[after.argmax()],
        margin_before=_margin(before),
        margin_after=_margin(after),
    )


def _margin(logits: Logits) -> float:
    second, first = np.sort(logits)[-2:]
    return float(first - second)
