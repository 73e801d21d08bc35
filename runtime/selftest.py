"""Replaying the golden texts of a bundle: does this device decide as the exporting machine did?"""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import inf, isfinite

import numpy as np

from runtime.bundles.bundle import Bundle
from runtime.bundles.manifest import GOLDEN, MANIFEST, is_number
from runtime.engine import Engine
from runtime.errors import BundleError
from runtime.text import normalise

TOLERANCE = "tolerance"
"""Key of the manifest's ``parity``: by backend, how far any logit may be from that of a golden text."""
# INT8 arithmetic differs between processors, so a text between two classes may fall on either side. Of 64
# golden texts one may; a processor whose arithmetic saturates loses several times that.
_LEAST_AGREEMENT = 0.98
_MOST_TOLERANCE = 1e6


@dataclass(frozen=True, slots=True)
class SelfTest:
    """Outcome of a self-test.

    Attributes:
        count: golden texts replayed.
        label_agreement: share of them that got the label of the exporting machine, 0 to 1.
        largest_difference: largest absolute difference of any logit.
        tolerance: largest that the bundle allows this backend; ``None``: it states none.
        ok: whether at least 98 % of the labels agree, and no logit differs by more than ``tolerance``.
    """

    count: int
    label_agreement: float
    largest_difference: float
    tolerance: float | None
    ok: bool

    @property
    def line(self) -> str:
        """The outcome in words."""
        allowed = "" if self.tolerance is None else f" (allowed: {self.tolerance:.3g})"
        return (
            f"{self.count} golden texts: {self.label_agreement:.1%} get the exporting machine's label, "
            f"logits differ by {self.largest_difference:.3g} at most{allowed}"
        )


@dataclass(frozen=True, slots=True)
class GoldenText:
    """A text with the label and logits that the exporting machine got."""

    text: str
    label: str
    logits: list[float]


def run_selftest(engine: Engine) -> SelfTest:
    """Classify the golden texts of the engine's bundle by its model, not by its cascade's head, and compare.

    Raises:
        BundleError: the bundle has no valid golden texts, or states an invalid tolerance.
    """
    golden = read_golden(engine.bundle)
    predictions = [engine.classify_by_model(row.text) for row in golden]
    agreeing = sum(prediction.label == row.label for prediction, row in zip(predictions, golden, strict=True))
    differences = [
        float(np.abs(prediction.logits - row.logits).max()) for prediction, row in zip(predictions, golden, strict=True)
    ]
    agreement, largest = agreeing / len(golden), float(np.max(differences))
    tolerance = _tolerance(engine)
    # Labels alone would pass a processor that saturates: its errors are seldom large enough to change one, yet
    # larger than those of quantisation, which are all that parity has measured. Not a number fails as well.
    ok = agreement >= _LEAST_AGREEMENT and largest <= (inf if tolerance is None else tolerance)
    return SelfTest(len(golden), agreement, largest, tolerance, ok)


def _tolerance(engine: Engine) -> float | None:
    stated = engine.bundle.manifest.parity.get(TOLERANCE, {})
    value = stated.get(engine.backend.name) if isinstance(stated, dict) else ...
    if value is None:
        return None
    if not is_number(value) or not 0 <= value < _MOST_TOLERANCE:
        where = f"{engine.bundle.path}, {MANIFEST}: key parity.{TOLERANCE}"
        raise BundleError(f"{where}: must give a number of at least 0 by backend; export the bundle again")
    return float(value)


def read_golden(bundle: Bundle) -> list[GoldenText]:
    """Return the golden texts of a bundle, at least one.

    Raises:
        BundleError: there are none, or one is not valid.
    """
    where = f"{bundle.path}, {GOLDEN}"
    lines = bundle.read(GOLDEN).splitlines()
    if not lines:
        raise BundleError(f"{where}: is empty; export the bundle again")
    return [_golden(line, f"{where}, line {number}", bundle) for number, line in enumerate(lines, 1)]


def _golden(line: bytes, where: str, bundle: Bundle) -> GoldenText:
    try:
        row = json.loads(line)
        if not isinstance(row["logits"], list):
            raise TypeError("logits must be a list")
        golden = GoldenText(row["text"], row["label"], [float(logit) for logit in row["logits"]])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise BundleError(f"{where}: not a golden text ({error!r:.80}); export the bundle again") from error
    labels = bundle.manifest.labels
    readable = isinstance(golden.text, str) and normalise(golden.text) and all(map(isfinite, golden.logits))
    if not readable or golden.label not in labels or len(golden.logits) != len(labels):
        raise BundleError(f"{where}: text, label or number of logits does not fit the bundle; export it again")
    return golden
