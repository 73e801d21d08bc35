"""Cold start and memory: a fresh Python process for each sample."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import IO

from benchmarks.contenders.contender import Absent, Entry
from benchmarks.machine.installed import ROOT
from benchmarks.speed.timing import turns
from runtime.errors import BackendError


@dataclass(frozen=True, slots=True)
class FreshProcess:
    """One sample: seconds from process start to first label, and the peak RSS in bytes at its end."""

    seconds: float
    peak_rss: int


@dataclass(frozen=True, slots=True)
class ColdStart:
    """Seconds from process start to first label over ``n`` fresh processes; peak RSS in MB (10^6 bytes)."""

    n: int
    best: float
    median: float
    peak_rss_mb: float

    @classmethod
    def of(cls, samples: Sequence[FreshProcess]) -> ColdStart:
        """Summarise samples of one contender; the RSS is the median one."""
        seconds = [sample.seconds for sample in samples]
        rss = statistics.median(sample.peak_rss for sample in samples)
        return cls(len(samples), round(min(seconds), 3), round(statistics.median(seconds), 3), round(rss / 1e6, 1))


def trial(entries: Sequence[Entry], text: str) -> tuple[list[Entry], list[Absent]]:
    """Start each contender once; return those that give a label, and why the others do not.

    It fills the file cache for all alike: cold starts are those of a machine that ran the program before.
    """
    able, absent = [], []
    for entry in entries:
        try:
            run_fresh(entry, [text])
        except BackendError as error:
            absent.append(Absent(entry.name, str(error)))
        else:
            able.append(entry)
    return able, absent


def cold_starts(entries: Sequence[Entry], texts: Sequence[str], rounds: int) -> dict[str, ColdStart]:
    """Start each contender ``rounds`` times, taking turns; each process labels all ``texts``.

    Raises:
        BackendError: a process ended without a label.
    """
    by_name = {entry.name: entry for entry in entries}
    samples: dict[str, list[FreshProcess]] = {name: [] for name in by_name}
    for number in range(rounds):
        for name in turns(list(by_name), number):
            samples[name].append(run_fresh(by_name[name], texts))
    return {name: ColdStart.of(values) for name, values in samples.items()}


def run_fresh(entry: Entry, texts: Sequence[str]) -> FreshProcess:
    """Start a process that labels ``texts``; time it from its start to its first label.

    Raises:
        BackendError: the process ended without a label or did not finish; the last line of its log says why.
    """
    with tempfile.TemporaryFile() as log:
        command = [sys.executable, "-c", entry.cold_start(texts[0])]
        start = perf_counter()
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=environment(), encoding="utf-8"
        ) as process:
            stdin, stdout = _pipes(process)
            first = stdout.readline()
            seconds = perf_counter() - start
            rest = _feed(stdin, stdout, texts[1:]) if first else ""
        if process.returncode != 0:
            raise BackendError(f"{entry.name} does not run in a process of its own: {last_line(log)}")
        return FreshProcess(seconds, int(rest))


def environment() -> dict[str, str]:
    """Return the environment of a fresh Python process that imports the benchmarks and speaks UTF-8."""
    # `benchmarks` is no part of the installed distribution: the child finds it by path.
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}


def last_line(log: IO[bytes]) -> str:
    """Return the last line that is not blank of what a process wrote to ``log``."""
    log.seek(0)
    lines = log.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "it left no message"


def _pipes(process: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout


def _feed(stdin: IO[str], stdout: IO[str], texts: Sequence[str]) -> str:
    stdin.writelines(text + "\n" for text in texts)
    stdin.close()
    return stdout.read().strip()
