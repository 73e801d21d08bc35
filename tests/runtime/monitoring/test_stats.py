"""What a classifier counts."""

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from runtime import Classifier, Prediction, Reason
from runtime.bundles.bundle import BundleInfo
from runtime.engine import Engine
from runtime.loading import Health
from runtime.monitoring.stats import RECENT, Counts, Stats
from runtime.selftest import SelfTest
from tests.runtime.small_bundles import TEXTS, write_bundle

INFO = BundleInfo(Path("/bundles/products"), "products", "2026-11-23T08:00:00Z", "ab" * 32, {})
SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z0-9]+="(?:[^"\\\n]|\\["\\n])*",?)+)\})? (\S+)')


def _prediction(label: str, unknown: float = 0.0) -> Prediction:
    return Prediction(label, 0.5, np.zeros(1, np.float32), True, Reason.OK, unknown, (label,), 1.0)


def _stats(nanoseconds: list[int], label: str = "acid", health: Health = Health("onnx")) -> Stats:  # noqa: B008 - frozen
    counts = Counts(INFO.sha256)
    for value in nanoseconds:
        counts.add(_prediction(label), value, INFO.sha256)
    return counts.summary(INFO, health)


def test_latency_goes_to_the_first_bucket_that_holds_it() -> None:
    latency = _stats([1, 10_000, 10_001, 150_000, 10**12]).latency
    filled = {bound: calls for bound, calls in zip(latency.bounds, latency.counts, strict=False) if calls}
    assert filled == {1e-5: 2, 2e-5: 1, 2e-4: 1}
    assert (latency.counts[-1], sum(latency.counts)) == (1, 5)
    assert latency.seconds == pytest.approx(1000.000170002)


def test_every_call_is_counted_from_however_many_threads_it_comes() -> None:
    counts = Counts(INFO.sha256)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: counts.add(_prediction(str(number % 3)), 1, INFO.sha256), range(3000)))
        list(pool.map(lambda number: counts.add_many([_prediction("many")] * number, INFO.sha256), range(50)))
    stats = counts.summary(INFO, Health("onnx"))
    assert stats.labels == {"0": 1000, "1": 1000, "2": 1000, "many": sum(range(50))}
    assert sum(stats.latency.counts) == 3000


def test_what_waits_to_be_counted_is_bounded() -> None:
    counts = Counts(INFO.sha256)
    for _ in range(1000):
        counts.add(_prediction("acid"), 1, INFO.sha256)
        assert len(counts._waiting) < 256


def test_calls_with_many_texts_have_no_latency(bundle: Path) -> None:
    classifier = Classifier(bundle)
    classifier.classify_many(TEXTS)
    assert sum(classifier.stats().latency.counts) == 0
    classifier.classify(TEXTS[0])
    stats = classifier.stats()
    assert sum(stats.latency.counts) == 1
    assert stats.texts == len(TEXTS) + 1


def test_unknown_is_the_mean_over_the_texts(bundle: Path) -> None:
    classifier = Classifier(bundle)
    assert classifier.stats().unknown == 0.0
    assert classifier.classify("乙醇ЖЖ").unknown == 0.5
    classifier.classify_many(["乙醇", ""])
    assert classifier.stats().unknown == pytest.approx(0.5 / 3)


def test_drift_is_that_of_the_latest_texts_since_the_bundle_was_loaded(bundle: Path, tmp_path: Path) -> None:
    classifier = Classifier(bundle)
    assert classifier.stats().drift is None
    classifier.classify_many([TEXTS[0]] * (RECENT + 10))
    classifier.classify(TEXTS[0])
    drift = classifier.stats().drift
    assert drift is not None
    assert drift.texts == RECENT
    assert drift.labels > 1
    classifier.reload(write_bundle(tmp_path / "other", seed=3))
    assert classifier.stats().drift is None
    assert classifier.stats().texts == RECENT + 11


@pytest.mark.parametrize("many", [False, True])
def test_what_the_old_bundle_answers_after_a_reload_is_no_drift_of_the_new_one(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, many: bool
) -> None:
    classifier = Classifier(bundle)
    other = write_bundle(tmp_path / "other", seed=3)
    plain: Callable[..., object] = Engine.classify_many if many else Engine.classify

    def reloading(engine: Engine, given: str | list[str]) -> object:
        monkeypatch.undo()
        classifier.reload(other)
        return plain(engine, given)

    monkeypatch.setattr(Engine, plain.__name__, reloading)
    if many:
        classifier.classify_many(TEXTS)
    else:
        classifier.classify(TEXTS[0])
    stats = classifier.stats()
    assert stats.texts == (len(TEXTS) if many else 1)
    assert stats.drift is None
    classifier.classify(TEXTS[0])
    now = classifier.stats().drift
    assert now is not None
    assert now.texts == 1


def test_a_bundle_without_a_reference_has_no_drift(tmp_path: Path) -> None:
    classifier = Classifier(write_bundle(tmp_path / "bundle", reference=None))
    classifier.classify_many(TEXTS)
    assert classifier.stats().drift is None


def test_a_closed_classifier_still_tells_what_it_did(bundle: Path) -> None:
    with Classifier(bundle) as classifier:
        classifier.classify_many(TEXTS)
    assert classifier.stats().texts == len(TEXTS)


def test_the_dict_can_be_written_as_json(bundle: Path) -> None:
    classifier = Classifier(bundle, selftest="load")
    classifier.classify(TEXTS[0])
    stored = json.loads(json.dumps(classifier.stats().to_dict()))
    assert stored["texts"] == 1
    assert stored["drift"]["texts"] == 1
    assert stored["selftest"]["ok"] is True


def _samples(exposition: str) -> dict[str, str]:
    """Read an exposition strictly, by its grammar, and return value by name and labels."""
    assert exposition.endswith("\n")
    samples: dict[str, str] = {}
    family = kind = ""
    for line in exposition[:-1].split("\n"):
        if line.startswith("# HELP "):
            family = line.split(" ")[2]
        elif line.startswith("# TYPE "):
            assert line.split(" ")[2] == family
            kind = line.split(" ")[3]
        else:
            match = SAMPLE.fullmatch(line)
            assert match, line
            suffixes = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
            assert match[1] in {family + suffix for suffix in suffixes}
            assert float(match[3]) >= 0
            key = f"{match[1]}{{{match[2] or ''}}}"
            assert key not in samples
            samples[key] = match[3]
    return samples


def test_prometheus_text_says_the_same_as_the_stats(bundle: Path) -> None:
    classifier = Classifier(bundle, selftest="load")
    label = classifier.classify(TEXTS[0]).label
    classifier.classify("")
    samples = _samples(classifier.stats().to_prometheus())
    name, sha256 = classifier.bundle.name, classifier.bundle.sha256
    assert samples[f'gm_texts_by_label_total{{label="{label}"}}'] == "1"
    assert samples['gm_texts_by_label_total{label=""}'] == "1"
    assert samples['gm_texts_by_reason_total{reason="empty"}'] == "1"
    assert samples['gm_texts_by_reason_total{reason="low_confidence"}'] == "0"
    assert samples["gm_classify_seconds_count{}"] == "2"
    assert samples["gm_drift_texts{}"] == "1"
    assert samples["gm_selftest_ok{}"] == "1.0"
    assert samples["gm_audit_failures_total{}"] == "0"
    assert samples[f'gm_serving_info{{bundle="{name}",sha256="{sha256}",backend="onnx",fallback=""}}'] == "1"


def test_buckets_of_the_histogram_add_up() -> None:
    samples = _samples(_stats([15_000, 15_000, 150_000, 10**10]).to_prometheus())
    buckets = [int(value) for key, value in samples.items() if "_bucket" in key]
    assert all(one <= other for one, other in pairwise(buckets))
    assert samples['gm_classify_seconds_bucket{le="2e-05"}'] == "2"
    assert samples['gm_classify_seconds_bucket{le="0.0002"}'] == "3"
    assert samples['gm_classify_seconds_bucket{le="+Inf"}'] == samples["gm_classify_seconds_count{}"] == "4"
    assert float(samples["gm_classify_seconds_sum{}"]) == pytest.approx(10.00018)


def test_labels_and_reasons_of_any_characters_are_escaped() -> None:
    health = Health("fp32", SelfTest(64, 0.5, 1.0, None, False), 'onnx: "bad"')
    exposition = _stats([1], 'a "quoted"\\path\nline', health).to_prometheus()
    assert 'label="a \\"quoted\\"\\\\path\\nline"' in exposition
    [serving] = [key for key in _samples(exposition) if key.startswith("gm_serving_info")]
    assert serving.endswith('backend="fp32",fallback="onnx: \\"bad\\""}')
