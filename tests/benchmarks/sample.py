"""Measurements made up for the tests of what is made from measurements."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.contenders.contender import Absent
from benchmarks.contenders.lineup import (
    FASTTEXT,
    FASTTEXT_WORDS,
    OPTIMUM_INT8,
    OURS_CASCADE,
    OURS_FP32,
    OURS_INT8,
    TOKENIZERS_FP32,
)
from benchmarks.speed.processes import ColdStart
from benchmarks.speed.results import TITLES, Measurement, Result
from benchmarks.speed.timing import Quantiles

MACHINE = {
    "cpu": "Some CPU",
    "cpu_flags": ["avx2", "avx512_vnni"],
    "affinity": [0, 1],
    "load": 0.5,
    "system": "Linux",
    "python": "3.11",
    "date": "2026-11-21T12:00:00+00:00",
}
PROMISED = {
    OURS_INT8: 100.0,
    OURS_FP32: 170.0,
    TOKENIZERS_FP32: 310.0,
    OURS_CASCADE: 50.0,
    FASTTEXT: 18.0,
    FASTTEXT_WORDS: 105.0,
    OPTIMUM_INT8: 900.0,
}
"""Medians on titles, in microseconds, that hold every promise about latency."""


def timing(median: float) -> Quantiles:
    """Return a distribution around ``median`` microseconds."""
    return Quantiles.of([round(median * 1000 * factor) for factor in (0.8, 0.9, 1, 1.1, 3)])


def result(name: str, median: float, *, cold: float = 0.3, rss: float = 60.0, installed: float = 145.0) -> Result:
    """Return figures of one contender; longer texts take longer."""
    by_kind = {TITLES: median, "10": median / 2, "100": median * 4}
    latency = {kind: timing(value) for kind, value in by_kind.items()}
    return Result(name, latency, 1e6 / median, ColdStart(3, cold, cold, rss), installed)


def measurement(medians: Mapping[str, float] = PROMISED, *, rss: float = 60.0, peer_cold: float = 9.0) -> Measurement:
    """Return a measurement with these medians; ours have the memory ``rss``, peers the cold start ``peer_cold``."""
    results = [
        result(name, median, rss=rss) if name.startswith("gm-edge") else result(name, median, cold=peer_cold)
        for name, median in medians.items()
    ]
    return Measurement(
        MACHINE, {"titles": 5}, results, [Absent("fastText", "not installed: pip install fasttext-wheel")]
    )
