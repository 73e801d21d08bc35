"""What the product promises about speed and size, held against a measurement. A miss is printed as a miss."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

from benchmarks.contenders.lineup import (
    FASTTEXT,
    FASTTEXT_WORDS,
    OPTIMUM_INT8,
    OURS_CASCADE,
    OURS_FP32,
    OURS_INT8,
    TOKENIZERS_FP32,
)
from benchmarks.speed.results import TITLES, Measurement, Result

Figure = Callable[[Result], float]


@dataclass(frozen=True, slots=True)
class Target:
    """A promise and what was measured for it; ``measured`` is ``None`` when a contender it needs was absent."""

    name: str
    relation: str
    limit: float
    unit: str
    measured: float | None

    @property
    def verdict(self) -> str:
        """``met``, ``MISSED`` or ``not measured``."""
        if self.measured is None:
            return "not measured"
        holds = {"≥": operator.ge, "≤": operator.le}[self.relation]
        return "met" if holds(self.measured, self.limit) else "MISSED"

    @property
    def line(self) -> str:
        """The target, the measured value and the verdict, on one line."""
        measured = "-" if self.measured is None else f"{self.measured:.2f} {self.unit}"
        return f"{self.verdict:<12}  {self.name}: {self.relation} {self.limit:g} {self.unit}, measured {measured}"

    def to_json(self) -> dict[str, object]:
        """Return fields and verdict as JSON values."""
        return {**asdict(self), "verdict": self.verdict}


def as_block(targets: Iterable[Target]) -> str:
    """Return the lines of ``targets`` as a block of Markdown."""
    return "```\n" + "\n".join(target.line for target in targets) + "\n```"


def targets(measurement: Measurement) -> list[Target]:
    """Return every promise with its measured value; latencies are of titles unless a name says otherwise."""
    ours, optimum, fp32 = map(measurement.result, (OURS_INT8, OPTIMUM_INT8, TOKENIZERS_FP32))
    words, floats = measurement.result(FASTTEXT_WORDS), measurement.result(OURS_FP32)
    cascade, fasttext = measurement.result(OURS_CASCADE), measurement.result(FASTTEXT)

    def faster(name: str, limit: float, other: Result | None, figure: Figure) -> Target:
        ratio = figure(other) / figure(ours) if ours and other else None
        return Target(name, "≥", limit, "times faster", ratio)

    return [
        faster("p50 against the optimum INT8 pipeline", 8, optimum, title_p50),
        faster("p99 against the optimum INT8 pipeline", 4, optimum, lambda result: result.latency[TITLES].p99),
        faster("p50 at 100 characters against it", 4, optimum, lambda result: result.latency["100"].p50),
        faster("p50 against tokenizers + onnxruntime fp32", 3, fp32, title_p50),
        faster("p50 against fastText after jieba", 1, words, title_p50),
        faster("p50 of INT8 against our own fp32", 1.6, floats, title_p50),
        Target(
            "p50 with cascade against fastText's character model",
            "≤",
            3,
            "times",
            title_p50(cascade) / title_p50(fasttext) if cascade and fasttext else None,
        ),
        faster("cold start against the optimum pipeline", 20, optimum, cold_median),
        Target("peak RSS after 1,000 labels", "≤", 65, "MB", ours.cold.peak_rss_mb if ours else None),
        Target("base install", "≤", 150, "MB", ours.installed_mb if ours else None),
    ]


def title_p50(result: Result) -> float:
    """Return the median latency on title-length texts, in microseconds."""
    return result.latency[TITLES].p50


def cold_median(result: Result) -> float:
    """Return the median cold start, in seconds."""
    return result.cold.median
