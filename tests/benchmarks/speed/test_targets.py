"""Promises held against a measurement: met, missed, not measured."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.contenders.lineup import FASTTEXT, OPTIMUM_INT8, OURS_CASCADE, OURS_FP32, OURS_INT8
from benchmarks.speed.targets import Target, targets
from tests.benchmarks.sample import PROMISED, measurement, timing


@pytest.mark.parametrize(
    ("relation", "measured", "verdict"),
    [
        ("≥", 5.0, "met"),
        ("≥", 4.99, "MISSED"),
        ("≤", 5.0, "met"),
        ("≤", 5.01, "MISSED"),
        ("≤", None, "not measured"),
    ],
)
def test_verdict_at_the_edge(relation: str, measured: float | None, verdict: str) -> None:
    assert Target("p50", relation, 5, "times", measured).verdict == verdict


def test_every_promise_holds_on_a_machine_as_promised() -> None:
    assert {target.name: target.verdict for target in targets(measurement())} == {
        "p50 against the optimum INT8 pipeline": "met",
        "p99 against the optimum INT8 pipeline": "met",
        "p50 at 100 characters against it": "met",
        "p50 against tokenizers + onnxruntime fp32": "met",
        "p50 against fastText after jieba": "met",
        "p50 of INT8 against our own fp32": "met",
        "p50 with cascade against fastText's character model": "met",
        "cold start against the optimum pipeline": "met",
        "peak RSS after 1,000 labels": "met",
        "base install": "met",
    }


def test_a_miss_is_printed_with_target_and_measured_value() -> None:
    slow = measurement({**PROMISED, OURS_FP32: 120.0}, rss=81.0)
    missed = [target.line for target in targets(slow) if target.verdict == "MISSED"]
    assert missed == [
        "MISSED        p50 of INT8 against our own fp32: ≥ 1.6 times faster, measured 1.20 times faster",
        "MISSED        peak RSS after 1,000 labels: ≤ 65 MB, measured 81.00 MB",
    ]


def test_a_cascade_is_held_against_fasttext_only_where_both_were_measured() -> None:
    def judged(medians: dict[str, float]) -> Target:
        return next(target for target in targets(measurement(medians)) if "cascade" in target.name)

    assert judged({**PROMISED, OURS_CASCADE: 55.0}).verdict == "MISSED"
    for absent in (OURS_CASCADE, FASTTEXT):
        assert judged({name: PROMISED[name] for name in PROMISED if name != absent}).verdict == "not measured"


def test_the_slowest_in_a_hundred_and_long_texts_are_held_to_their_own_figures() -> None:
    measured = measurement()
    slow = {result.name: result for result in measured.results}
    latency = {**slow[OURS_INT8].latency, "100": timing(1000.0)}
    found = replace(measured, results=[replace(slow[OURS_INT8], latency=latency), slow[OPTIMUM_INT8]])
    values = {target.name: target.measured for target in targets(found)}
    assert values["p50 at 100 characters against it"] == pytest.approx(3.6)
    assert values["p99 against the optimum INT8 pipeline"] == pytest.approx(9.0)


def test_cold_start_ratio_is_that_of_medians() -> None:
    cold = next(t for t in targets(measurement(peer_cold=4.2)) if t.name.startswith("cold start"))
    assert cold.measured == pytest.approx(4.2 / 0.3)
    assert cold.verdict == "MISSED"


def test_what_an_absent_peer_leaves_open_is_not_called_met() -> None:
    without = measurement({name: median for name, median in PROMISED.items() if name != OPTIMUM_INT8})
    open_ones = [target.name for target in targets(without) if target.verdict == "not measured"]
    assert open_ones == [
        "p50 against the optimum INT8 pipeline",
        "p99 against the optimum INT8 pipeline",
        "p50 at 100 characters against it",
        "cold start against the optimum pipeline",
    ]
    assert {target.verdict for target in targets(measurement({OPTIMUM_INT8: 900.0}))} == {"not measured"}


def test_verdict_is_stored_with_the_numbers() -> None:
    stored = targets(measurement({OURS_INT8: 100.0}))[-1].to_json()
    assert stored == {
        "name": "base install",
        "relation": "≤",
        "limit": 150,
        "unit": "MB",
        "measured": 145.0,
        "verdict": "met",
    }
