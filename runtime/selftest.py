"""Replaying the golden texts of a bundle: does this device decide as the exporting machine did?"""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from runtime.bundle import Bundle
from runtime.engine import Engine
from runtime.errors import BundleError
from runtime.manifest import GOLDEN

# INT8 arithmetic differs between processors, so a text between two classes may fall on either side. Of 64
# golden texts one may; a processor whose arithmetic saturates loses several times that.
_LEAST_AGREEMENT = 0.98


@dataclass(frozen=True, slots=True)
class SelfTest:
    """Outcome of a self-test.

    Attributes:
        count: golden texts replayed.
        label_agreement: share of them that got the label of the exporting machine, 0 to 1.
        largest_difference: largest absolute difference of any logit.
        ok: whether enough labels agree, 98 %.
    """

    count: int
    label_agreement: float
    largest_difference: float
    ok: bool


@dataclass(frozen=True, slots=True)
class GoldenText:
    """A text with the label and logits that the exporting machine got."""

    text: str
    label: str
    logits: list[float]


def run_selftest(engine: Engine) -> SelfTest:
    """Classify the golden texts of the engine's bundle and compare.

    Raises:
        BundleError: the bundle has no valid golden texts.
    """
    golden = read_golden(engine.bundle)
    predictions = [engine.classify(row.text) for row in golden]
    agreeing = sum(prediction.label == row.label for prediction, row in zip(predictions, golden, strict=True))
    differences = [
        float(np.abs(prediction.logits - row.logits).max()) for prediction, row in zip(predictions, golden, strict=True)
    ]
    agreement = agreeing / len(golden)
    return SelfTest(len(golden), agreement, max(differences), agreement >= _LEAST_AGREEMENT)


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
        golden = GoldenText(row["text"], row["label"], [float(logit) for logit in row["logits"]])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BundleError(f"{where}: not a golden text ({error!r:.80}); export the bundle again") from error
    labels = bundle.manifest.labels
    if not isinstance(golden.text, str) or golden.label not in labels or len(golden.logits) != len(labels):
        raise BundleError(f"{where}: text, label or number of logits does not fit the bundle; export it again")
    return golden
