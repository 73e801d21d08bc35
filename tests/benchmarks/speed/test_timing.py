"""Quantiles, turns and what is timed."""

from __future__ import annotations

import gc
from collections.abc import Sequence

import numpy as np
import pytest

from benchmarks.speed.timing import Quantiles, throughput, time_each, turns


class Recorder:
    """A contender that writes down who was asked what, in a log that several of them share."""

    def __init__(self, name: str, log: list[tuple[str, str]]) -> None:
        self.name = name
        self.log = log
        self.collecting = True

    def label(self, text: str) -> str:
        """Return the only label."""
        self.collecting = gc.isenabled()
        self.log.append((self.name, text))
        return "class"

    def labels(self, texts: Sequence[str]) -> list[str]:
        """Return it for each text."""
        return [self.label(text) for text in texts]


def test_quantiles_are_those_of_numpy_in_microseconds() -> None:
    nanoseconds = np.random.default_rng(0).integers(1_000, 900_000, size=777).tolist()
    summary = Quantiles.of(nanoseconds)
    expected = np.percentile(nanoseconds, [0, 5, 25, 50, 75, 95, 99, 100]) / 1000
    found = [summary.least, summary.p5, summary.p25, summary.p50, summary.p75, summary.p95, summary.p99, summary.most]
    assert found == pytest.approx(expected, abs=0.006)
    assert summary.n == 777


def test_one_outlier_moves_neither_median_nor_p95() -> None:
    calm = Quantiles.of([1_000] * 100)
    shaken = Quantiles.of([1_000] * 99 + [10**9])
    assert (shaken.p50, shaken.p95) == (calm.p50, calm.p95)
    assert shaken.most == 1e6


def test_quantiles_of_a_single_timing_are_refused() -> None:
    with pytest.raises(ValueError, match="two timings or more, not 1"):
        Quantiles.of([5])


def test_the_first_of_a_round_rotates() -> None:
    assert [turns(["a", "b", "c"], n) for n in range(4)] == [
        ["a", "b", "c"],
        ["b", "c", "a"],
        ["c", "a", "b"],
        ["a", "b", "c"],
    ]


def test_contenders_take_turns_over_the_same_blocks() -> None:
    log: list[tuple[str, str]] = []
    contenders = {name: Recorder(name, log) for name in "ab"}
    timings = time_each(contenders, ["1", "2", "3", "4"], block=2)
    assert "".join(name + text for name, text in log) == "a1a2b1b2b3b4a3a4"
    # The first text of each block is not timed.
    assert {name: len(values) for name, values in timings.items()} == {"a": 2, "b": 2}
    # Garbage was not collected during the calls, and is again after them.
    assert not any(contender.collecting for contender in contenders.values())
    assert gc.isenabled()


def test_warm_up_comes_before_the_turns_and_is_not_timed() -> None:
    log: list[tuple[str, str]] = []
    contenders = {name: Recorder(name, log) for name in "ab"}
    timings = time_each(contenders, ["1", "2"], block=2, warm_up=["x", "y"])
    assert "".join(name + text for name, text in log) == "axaybxbya1a2b1b2"
    assert {name: len(values) for name, values in timings.items()} == {"a": 1, "b": 1}


def test_latency_is_the_difference_of_two_readings_of_the_clock() -> None:
    readings = iter(range(0, 10_000, 7))
    timings = time_each({"a": Recorder("a", [])}, ["1", "2", "3"], block=3, clock=lambda: next(readings))
    assert timings == {"a": [7, 7]}


def test_garbage_collection_returns_after_a_contender_failed() -> None:
    class Failing(Recorder):
        def label(self, text: str) -> str:
            raise RuntimeError(text)

    with pytest.raises(RuntimeError, match="boom"):
        time_each({"a": Failing("a", [])}, ["boom", "2"], block=2)
    assert gc.isenabled()


def test_throughput_gives_each_contender_every_chunk() -> None:
    log: list[tuple[str, str]] = []
    contenders = {name: Recorder(name, log) for name in "ab"}
    rates = throughput(contenders, list("123456"), chunk=3)
    assert "".join(name + text for name, text in log) == "a1a2a3b1b2b3b4b5b6a4a5a6"
    assert min(rates.values()) > 0


def test_a_contender_that_loses_texts_in_bulk_is_caught() -> None:
    class Losing(Recorder):
        def labels(self, texts: Sequence[str]) -> list[str]:
            return super().labels(texts)[1:]

    with pytest.raises(ValueError, match="2 labels for 3 texts"):
        throughput({"a": Losing("a", [])}, list("123"), chunk=3)
