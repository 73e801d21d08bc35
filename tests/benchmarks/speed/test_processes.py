"""Cold start and memory, measured on real processes."""

from __future__ import annotations

import pytest

from benchmarks.contenders.contender import Entry
from benchmarks.speed.processes import ColdStart, FreshProcess, cold_starts, run_fresh, trial
from runtime.errors import BackendError

TARGET = "tests.benchmarks.echo:Echo"


def test_a_fresh_process_gives_a_label_and_its_own_memory() -> None:
    # This process is larger than the child by some numpy; the child must not report its parent's peak.
    kept = bytearray(120_000_000)
    sample = run_fresh(Entry("echo", TARGET, ("酸",), ()), ["片碱", "浓硫酸", "\ufeff"])
    assert 0 < sample.seconds < 60
    assert 2_000_000 < sample.peak_rss < len(kept)


def test_memory_of_the_contender_counts() -> None:
    small, large = (run_fresh(Entry(n, TARGET, ("", n), ()), ["片碱"]) for n in ("0", "50000000"))
    assert large.peak_rss - small.peak_rss > 40_000_000


def test_a_process_that_fails_leaves_its_last_line() -> None:
    with pytest.raises(BackendError, match="broken does not run in a process of its own: ValueError"):
        run_fresh(Entry("broken", TARGET, ("", "no number"), ()), ["片碱"])


def test_a_contender_that_does_not_start_is_set_aside() -> None:
    good, bad = Entry("good", TARGET, ("",), ()), Entry("bad", "tests.benchmarks.nowhere:Echo", (), ())
    able, absent = trial([bad, good], "片碱")
    assert able == [good]
    assert [one.name for one in absent] == ["bad"]
    assert "No module named 'tests.benchmarks.nowhere'" in absent[0].reason


def test_cold_starts_of_each_contender() -> None:
    entries = [Entry(name, TARGET, (name,), ()) for name in "ab"]
    found = cold_starts(entries, ["片碱", "浓硫酸"], rounds=2)
    assert {name: cold.n for name, cold in found.items()} == {"a": 2, "b": 2}
    assert all(0 < cold.best <= cold.median for cold in found.values())


def test_best_and_median_of_samples() -> None:
    samples = [FreshProcess(0.5, 60_000_000), FreshProcess(0.3, 58_000_000), FreshProcess(9.0, 59_000_000)]
    assert ColdStart.of(samples) == ColdStart(n=3, best=0.3, median=0.5, peak_rss_mb=59.0)
