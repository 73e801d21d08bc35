"""What was measured, as data: the one form that tables, picture, targets and JSON are made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from benchmarks.contenders.contender import Absent
from benchmarks.speed.processes import ColdStart
from benchmarks.speed.timing import Quantiles

TITLES = "titles"
"""Key of the title-length texts among the latencies; the other keys are numbers of characters."""


@dataclass(frozen=True, slots=True)
class Result:
    """All figures of one contender.

    Attributes:
        name: as the tables show it.
        latency: microseconds from raw text to label at batch 1, by :data:`TITLES` or characters.
        bulk: texts per CPU-second of many title-length texts.
        cold: seconds from process start to first label, and peak RSS after the calls that follow.
        installed_mb: MB (10^6 bytes) of the distributions it needs.
    """

    name: str
    latency: Mapping[str, Quantiles]
    bulk: float
    cold: ColdStart
    installed_mb: float


@dataclass(frozen=True, slots=True)
class Measurement:
    """One run of the benchmark: what took part, what did not, where and how."""

    machine: Mapping[str, object]
    plan: Mapping[str, object]
    results: Sequence[Result]
    absent: Sequence[Absent]

    def result(self, name: str) -> Result | None:
        """Return the figures of one contender; ``None`` when it did not take part."""
        return next((result for result in self.results if result.name == name), None)

    def to_json(self) -> dict[str, object]:
        """Return everything as JSON values."""
        return asdict(self)
