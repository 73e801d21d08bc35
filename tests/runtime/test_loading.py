"""A self-test at load: serve, fall back to the fp32 model, or refuse; and the reason can be read."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from runtime import BackendError, BundleError, Classifier, ConfigError
from runtime.bundles.manifest import GOLDEN
from tests.runtime.small_bundles import TEXTS, Model, edit_manifest, tokenizer, write_bundle


def _model(seed: int = 0, shift: float = 0.0) -> bytes:
    """Return a model whose logits are ``shift`` away from those of the golden texts, if ``seed`` is 0."""
    model = Model(tokenizer().size, seed)
    model.bias += np.float32(shift)
    content: bytes = model.onnx().SerializeToString()
    return content


SAME, OTHER, SHIFTED = _model(), _model(seed=1), _model(shift=0.2)
TOO_SMALL = Model(vocabulary=1).onnx().SerializeToString()


def _tolerant(bundle: Path, **tolerance: float) -> Path:
    edit_manifest(bundle, parity={"tolerance": tolerance})
    return bundle


def test_by_default_nothing_is_replayed(tmp_path: Path) -> None:
    stats = Classifier(write_bundle(tmp_path / "bundle", model=OTHER)).stats()
    assert (stats.backend, stats.selftest, stats.fallback) == ("onnx", None, "")


@pytest.mark.parametrize("backend", ["auto", "onnx", "openvino"])
def test_a_device_that_agrees_serves_what_was_asked_for(shared_bundle: Path, backend: str) -> None:
    stats = Classifier(shared_bundle, backend=backend, selftest="load").stats()
    assert stats.backend == ("openvino" if backend == "openvino" else "onnx")
    assert stats.selftest is not None
    assert stats.selftest.ok
    assert stats.fallback == ""


def test_a_device_that_decides_otherwise_serves_the_fp32_model_and_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bundle = write_bundle(tmp_path / "bundle", model=OTHER, fp32=SAME)
    classifier = Classifier(bundle, selftest="load")
    stats = classifier.stats()
    assert (stats.backend, stats.texts) == ("fp32", 0)
    assert stats.selftest is not None
    assert stats.selftest.label_agreement == 1.0
    assert stats.fallback.startswith("onnx self-test failed: 64 golden texts: ")
    [record] = caplog.records
    assert (record.name, record.levelname) == ("gm_edge", "WARNING")
    assert f"{bundle} serves its fp32 model: onnx self-test failed" in record.getMessage()
    assert classifier.classify_many(TEXTS) == Classifier(bundle, backend="fp32").classify_many(TEXTS)


def test_logits_beyond_the_stated_tolerance_fail_though_every_label_agrees(tmp_path: Path) -> None:
    """This is what a processor that saturates looks like."""
    bundle = write_bundle(tmp_path / "bundle", model=SHIFTED, fp32=SAME)
    assert Classifier(_tolerant(bundle, onnx=0.3), selftest="load").stats().backend == "onnx"
    stats = Classifier(_tolerant(bundle, onnx=0.1, fp32=0.01), selftest="load").stats()
    assert stats.backend == "fp32"
    assert "100.0% get the exporting machine's label, logits differ by 0.2 at most (allowed: 0.1)" in stats.fallback
    assert stats.selftest is not None
    assert stats.selftest.tolerance == 0.01


@pytest.mark.parametrize(
    ("fp32", "backend", "says"),
    [
        (b"", "auto", "onnx self-test failed: .* no other model to fall back on, export it with --target generic"),
        (OTHER, "auto", "onnx self-test failed: .*; nor does its fp32 model pass: 64 golden texts: .*--keep-fp32"),
        (TOO_SMALL, "auto", "onnx self-test failed: .*; nor does its fp32 model run: .* cannot run it .*--keep-fp32"),
        (OTHER, "fp32", "fp32 self-test failed: .* no other model"),
    ],
)
def test_a_device_on_which_no_model_passes_is_told_what_to_do(
    tmp_path: Path, fp32: bytes, backend: str, says: str
) -> None:
    bundle = write_bundle(tmp_path / "bundle", model=OTHER, fp32=fp32)
    with pytest.raises(BackendError, match=says) as caught:
        Classifier(bundle, backend=backend, selftest="load")
    assert "\n" not in str(caught.value)


def test_a_new_bundle_that_fails_its_selftest_is_rolled_back(bundle: Path, tmp_path: Path) -> None:
    classifier = Classifier(bundle, selftest="load")
    before = classifier.classify_many(TEXTS)
    with pytest.raises(BackendError, match="self-test failed"):
        classifier.reload(write_bundle(tmp_path / "bad", model=OTHER))
    assert classifier.classify_many(TEXTS) == before
    assert classifier.stats().fallback == ""
    classifier.reload(write_bundle(tmp_path / "half-bad", model=OTHER, fp32=SAME))
    assert classifier.stats().backend == "fp32"
    classifier.reload(bundle)
    assert (classifier.stats().backend, classifier.stats().fallback) == ("onnx", "")


def test_a_pickle_and_a_forked_child_test_and_fall_back_as_well(tmp_path: Path) -> None:
    classifier = Classifier(write_bundle(tmp_path / "bundle", model=OTHER, fp32=SAME), selftest="load")
    expected = classifier.classify_many(TEXTS)
    copy = pickle.loads(pickle.dumps(classifier))
    assert copy.stats().fallback == classifier.stats().fallback != ""
    assert copy.classify_many(TEXTS) == expected
    classifier._after_fork()
    assert classifier.classify_many(TEXTS) == expected
    assert classifier.stats().backend == "fp32"


def test_a_bundle_without_golden_texts_cannot_be_tested(bundle: Path) -> None:
    os.remove(bundle / GOLDEN)
    edit_manifest(bundle)
    with pytest.raises(BundleError, match=r"has no file golden\.jsonl"):
        Classifier(bundle, selftest="load")


@pytest.mark.parametrize("tolerance", [-0.1, 1e7, True, "0.1", [0.1], 10**400])
def test_a_tolerance_that_is_none_is_refused(bundle: Path, tolerance: object) -> None:
    edit_manifest(bundle, parity={"tolerance": {"onnx": tolerance}})
    with pytest.raises(BundleError, match=r"manifest\.json: key parity\.tolerance: must give a number"):
        Classifier(bundle, selftest="load")


def test_tolerances_must_stand_by_backend(bundle: Path) -> None:
    edit_manifest(bundle, parity={"tolerance": 0.1})
    with pytest.raises(BundleError, match=r"key parity\.tolerance"):
        Classifier(bundle, selftest="load")


def test_an_unknown_time_for_the_selftest_is_refused(bundle: Path) -> None:
    with pytest.raises(ConfigError, match="unknown selftest 'always'; use off or load"):
        Classifier(bundle, selftest="always")  # type: ignore[arg-type]
