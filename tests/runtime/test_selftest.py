"""The self-test tells whether this device decides as the exporting machine did."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runtime import BundleError, Classifier
from runtime.bundles.manifest import GOLDEN
from tests.runtime.small_bundles import TEXTS, edit_manifest


def _edit_golden(bundle: Path, edit: Callable[[list[dict[str, Any]]], None]) -> None:
    path = bundle / GOLDEN
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    edit(rows)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    edit_manifest(bundle)


@pytest.mark.parametrize("backend", ["onnx", "openvino"])
def test_the_machine_that_exported_passes(shared_bundle: Path, backend: str) -> None:
    report = Classifier(shared_bundle, backend=backend).selftest()
    assert (report.count, report.label_agreement, report.ok) == (8 * len(TEXTS), 1.0, True)
    assert report.largest_difference < 1e-4


@pytest.mark.parametrize(("wrong", "ok"), [(1, True), (2, False)])
def test_one_of_64_labels_may_differ_and_not_two(bundle: Path, wrong: int, ok: bool) -> None:
    def change(rows: list[dict[str, Any]]) -> None:
        for row in rows[:wrong]:
            row["label"] = "acid" if row["label"] != "acid" else "base"

    _edit_golden(bundle, change)
    report = Classifier(bundle).selftest()
    assert report.label_agreement == 1 - wrong / 64
    assert report.ok is ok


def test_the_largest_difference_is_over_all_logits(bundle: Path) -> None:
    def change(rows: list[dict[str, Any]]) -> None:
        rows[5]["logits"][2] -= 0.75

    _edit_golden(bundle, change)
    assert Classifier(bundle).selftest().largest_difference == pytest.approx(0.75, abs=1e-4)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (list.clear, "is empty"),
        (lambda rows: rows[0].pop("logits"), "line 1: not a golden text"),
        (lambda rows: rows[1].update(logits="no"), "line 2: not a golden text"),
        (lambda rows: rows[1].update(logits=[0.0]), "line 2: text, label or number of logits"),
        (lambda rows: rows[1].update(label="other"), "line 2: text, label or number of logits"),
        (lambda rows: rows[1].update(text=3), "line 2: text, label or number of logits"),
    ],
)
def test_golden_texts_that_are_none_are_refused(
    bundle: Path, change: Callable[[list[dict[str, Any]]], None], says: str
) -> None:
    _edit_golden(bundle, change)
    with pytest.raises(BundleError, match=says):
        Classifier(bundle).selftest()


def test_a_bundle_without_golden_texts_is_refused_only_here(bundle: Path) -> None:
    (bundle / GOLDEN).unlink()
    edit_manifest(bundle)
    classifier = Classifier(bundle)
    assert classifier.classify(TEXTS[0]).label
    with pytest.raises(BundleError, match=r"has no file golden\.jsonl"):
        classifier.selftest()
