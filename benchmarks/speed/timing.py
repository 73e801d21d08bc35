"""Latency and throughput of contenders that take turns in one process."""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter_ns, process_time_ns

from benchmarks.contenders.contender import Contender

Clock = Callable[[], int]
"""Gives nanoseconds from some start."""


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Distribution of ``n`` timings, in microseconds."""

    n: int
    least: float
    p5: float
    p25: float
    p50: float
    p75: float
    p95: float
    p99: float
    most: float

    @classmethod
    def of(cls, nanoseconds: Sequence[int]) -> Quantiles:
        """Summarise timings in nanoseconds; linear interpolation between ranks, as numpy does.

        Raises:
            ValueError: fewer than two timings.
        """
        if len(nanoseconds) < 2:
            raise ValueError(f"quantiles need two timings or more, not {len(nanoseconds)}")
        cuts = statistics.quantiles(nanoseconds, n=100, method="inclusive")
        chosen = (min(nanoseconds), *(cuts[p - 1] for p in (5, 25, 50, 75, 95, 99)), max(nanoseconds))
        return cls(len(nanoseconds), *(round(value / 1000, 2) for value in chosen))


def turns(names: Sequence[str], round_number: int) -> list[str]:
    """Return the order of one round: rotated, so that nobody always runs behind the same neighbour."""
    start = round_number % len(names)
    return [*names[start:], *names[:start]]


def time_each(
    contenders: Mapping[str, Contender],
    texts: Sequence[str],
    block: int,
    warm_up: Sequence[str] = (),
    clock: Clock = perf_counter_ns,
) -> dict[str, list[int]]:
    """Time ``label`` on each text for each contender, in nanoseconds.

    Contenders take turns: in each round every one of them labels the same ``block`` texts, the first of
    them untimed, because a caller's steady state and not the neighbour's cold caches is to be measured.

    Args:
        contenders: opened contenders by name.
        texts: all distinct, so that no cache of answers helps anybody.
        block: texts in a turn, the untimed one included; at least 2.
        warm_up: texts of the same kind that each contender labels before the first turn.
        clock: ``perf_counter_ns``, or ``thread_time_ns`` on a machine that others use at the same time.
    """
    timings: dict[str, list[int]] = {name: [] for name in contenders}
    for contender in contenders.values():
        for text in warm_up:
            contender.label(text)
    with _steady():
        for number, start in enumerate(range(0, len(texts) - block + 1, block)):
            for name in turns(list(contenders), number):
                timings[name] += _time_block(contenders[name], texts[start : start + block], clock)
                gc.collect()
    return timings


def throughput(contenders: Mapping[str, Contender], texts: Sequence[str], chunk: int) -> dict[str, float]:
    """Return texts per CPU-second of ``labels``: the median over chunks that the contenders take in turns."""
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    with _steady():
        for number, start in enumerate(range(0, len(texts) - chunk + 1, chunk)):
            for name in turns(list(contenders), number):
                rates[name].append(_rate(contenders[name], texts[start : start + chunk]))
                gc.collect()
    return {name: round(statistics.median(values), 1) for name, values in rates.items()}


def _time_block(contender: Contender, texts: Sequence[str], clock: Clock) -> list[int]:
    label = contender.label
    label(texts[0])
    timings = []
    for text in texts[1:]:
        start = clock()
        label(text)
        timings.append(clock() - start)
    return timings


def _rate(contender: Contender, texts: Sequence[str]) -> float:
    start = process_time_ns()
    labels = contender.labels(texts)
    spent = process_time_ns() - start
    if len(labels) != len(texts):
        raise ValueError(f"{len(labels)} labels for {len(texts)} texts")
    return len(texts) * 1e9 / max(spent, 1)


@contextmanager
def _steady() -> Iterator[None]:
    # Frozen objects are not visited again, which makes the collections between turns cheap.
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()
