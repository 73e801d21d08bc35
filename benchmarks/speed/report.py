"""A measurement as text: tables that read well in a terminal and are Markdown at the same time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.contenders.lineup import OURS_INT8
from benchmarks.speed.results import TITLES, Measurement, Result
from benchmarks.speed.targets import as_block, cold_median, targets, title_p50
from distill.layout import aligned
from runtime.display import display_width

_HOW = (
    "p50 / p95 / p99 in microseconds from raw text to label, one text a call, one thread, contenders in turns in one "
    "process. Ratios are to the first row: above 1 means slower, larger or fewer than it."
)


def markdown(measurement: Measurement) -> str:
    """Return the whole report: where it was taken, the tables, who was absent, and the targets."""
    parts = ["# Latency", _machine(measurement), _HOW, latency_table(measurement), process_table(measurement)]
    if measurement.absent:
        parts.append("\n".join(["Not measured:", *(f"- {one.name}: {one.reason}" for one in measurement.absent)]))
    parts.append(f"Targets:\n\n{as_block(targets(measurement))}")
    return "\n\n".join(parts) + "\n"


def latency_table(measurement: Measurement) -> str:
    """Return the table of latencies by kind of text, and the ratio of medians on titles."""
    kinds = list(measurement.results[0].latency) if measurement.results else [TITLES]
    ratio = _ratios(measurement, title_p50)
    header = ["contender", "ratio", *(kind if kind == TITLES else f"{kind} characters" for kind in kinds)]
    rows = [[r.name, ratio(r), *(_quantiles(r, kind) for kind in kinds)] for r in measurement.results]
    return table(header, rows)


def process_table(measurement: Measurement) -> str:
    """Return the table of bulk rate, cold start, memory and installed size, with ratios of the first two."""
    slower = _ratios(measurement, lambda result: 1 / result.bulk)
    later = _ratios(measurement, cold_median)
    header = [
        "contender", "texts per CPU-second", "ratio", "cold start s, best", "median", "ratio",
        "peak RSS MB", "installed MB",
    ]  # fmt: skip
    rows = [
        [
            result.name,
            f"{result.bulk:,.0f}",
            slower(result),
            f"{result.cold.best:.2f}",
            f"{result.cold.median:.2f}",
            later(result),
            f"{result.cold.peak_rss_mb:.0f}",
            f"{result.installed_mb:,.0f}",
        ]
        for result in measurement.results
    ]
    return table(header, rows)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table with aligned columns: the first to the left, the others to the right."""
    cells = aligned([header, *rows])
    first, *others = ["-" * (display_width(cell) + 2) for cell in cells[0]]
    rule = "|" + "|".join([first, *(dashes[:-1] + ":" for dashes in others)]) + "|"
    title, *lines = [f"| {' | '.join(line)} |" for line in cells]
    return "\n".join([title, rule, *lines])


def _quantiles(result: Result, kind: str) -> str:
    timing = result.latency[kind]
    return f"{timing.p50:,.0f} / {timing.p95:,.0f} / {timing.p99:,.0f}"


def _ratios(measurement: Measurement, figure: Callable[[Result], float]) -> Callable[[Result], str]:
    base = measurement.result(OURS_INT8)
    return lambda result: f"{figure(result) / figure(base):.2f}" if base else "-"


def _machine(measurement: Measurement) -> str:
    facts = measurement.machine
    plan = ", ".join(f"{key} {value}" for key, value in measurement.plan.items())
    return (
        f"{facts['cpu']} ({' '.join(map(str, _items(facts['cpu_flags'])))}), CPUs {facts['affinity']}, "
        f"load {facts['load']}; {facts['system']}, Python {facts['python']}; {facts['date']}. {plan}."
    )


def _items(value: object) -> Sequence[object]:
    return value if isinstance(value, Sequence) else (value,)
