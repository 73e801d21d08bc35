"""Statistics in the text format that Prometheus scrapes, version 0.0.4."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING

from runtime.prediction import Reason

if TYPE_CHECKING:
    from runtime.monitoring.drift import Drift
    from runtime.monitoring.stats import Latency, Stats

Samples = Iterable[tuple[str, Mapping[str, str], float]]


def exposition(stats: Stats) -> str:
    """Return ``stats`` as metrics whose names begin with ``gm_``; times are in seconds."""
    by_label = [("", {"label": label}, texts) for label, texts in stats.labels.items()]
    by_reason = [("", {"reason": reason.value}, stats.reasons.get(reason.value, 0)) for reason in Reason]
    serving = {"bundle": stats.bundle, "sha256": stats.sha256, "backend": stats.backend, "fallback": stats.fallback}
    failures: Samples = [("", {}, stats.audit_failures)]
    by_head: Samples = [("", {}, stats.by_head)]
    blocks = [
        _metric("gm_texts_by_label_total", "counter", "Texts by predicted label.", by_label),
        _metric("gm_texts_by_reason_total", "counter", "Texts by reason of the decision.", by_reason),
        _metric("gm_classify_seconds", "histogram", "Time of calls with one text.", _histogram(stats.latency)),
        _metric("gm_unknown_characters_ratio", "gauge", "Mean share of unknown characters.", [("", {}, stats.unknown)]),
        _metric("gm_serving_info", "gauge", "Model that serves, and why another does not.", [("", serving, 1)]),
        _metric("gm_audit_failures_total", "counter", "Decisions that the audit log could not write.", failures),
        _metric("gm_texts_by_head_total", "counter", "Texts that the head of a cascade answered.", by_head),
    ]
    if stats.selftest:
        blocks.append(_metric("gm_selftest_ok", "gauge", "Self-test at load.", [("", {}, float(stats.selftest.ok))]))
    if stats.drift:
        blocks += _drift(stats.drift)
    return "".join(line + "\n" for block in blocks for line in block)


def _metric(name: str, kind: str, text: str, samples: Samples) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"
    for suffix, labels, value in samples:
        pairs = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        yield f"{name}{suffix}{{{pairs}}} {value!r}" if pairs else f"{name}{suffix} {value!r}"


def _histogram(latency: Latency) -> Samples:
    """Yield the buckets, each with all calls up to its bound, then sum and number of the calls."""
    bounds = [*map(repr, latency.bounds), "+Inf"]
    for bound, calls in zip(bounds, accumulate(latency.counts), strict=True):
        yield "_bucket", {"le": bound}, calls
    yield "_sum", {}, latency.seconds
    yield "_count", {}, sum(latency.counts)


def _drift(drift: Drift) -> list[Iterator[str]]:
    indices = [("", {"of": "labels"}, drift.labels), ("", {"of": "scores"}, drift.scores)]
    by_chance = [("", {"of": "labels"}, drift.labels_by_chance), ("", {"of": "scores"}, drift.scores_by_chance)]
    return [
        _metric("gm_drift_texts", "gauge", "Latest texts that drift is measured on.", [("", {}, drift.texts)]),
        _metric("gm_drift_psi", "gauge", "Population stability index against the development set.", indices),
        _metric("gm_drift_psi_by_chance", "gauge", "Index that chance alone exceeds once in twenty.", by_chance),
    ]


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
