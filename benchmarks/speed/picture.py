"""The measurement as a picture: medians with their tails on titles, and medians against length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

from benchmarks.contenders.sizes import SIZES
from benchmarks.speed.results import TITLES, Measurement, Result
from runtime.files import atomic_path

_OURS = ("#b5360a", "#e0762f", "#f0a860")
_PEERS = ("#34618f", "#5fa2ce", "#3f8f6b", "#7b5ea7", "#8c8c8c", "#a0755a", "#454545")
_MARKERS = "os^Dv<>PX*"


def draw(measurement: Measurement, path: Path) -> None:
    """Write a PNG with two panels, both logarithmic: p50, p95 and p99 on titles, and p50 by length.

    Our other sizes are in the first alone: the second would have more lines than eyes can follow.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(13, 5.2), layout="constrained", dpi=130)
        left, right = figure.subplots(1, 2)
        colours = _colours(measurement.results)
        _titles(left, sorted(measurement.results, key=lambda result: -result.latency[TITLES].p50), colours)
        sizes = {size.contender for size in SIZES}
        _lengths(right, [result for result in measurement.results if result.name not in sizes], colours)
        figure.suptitle(f"Raw text to label, batch 1, one thread: {measurement.machine['cpu']}")
        with atomic_path(path) as temporary:
            figure.savefig(temporary, format="png")


def _titles(axes: Any, results: Sequence[Result], colours: Mapping[str, str]) -> None:  # noqa: ANN401 - matplotlib's axes have no useful type
    for row, result in enumerate(results):
        timing, colour = result.latency[TITLES], colours[result.name]
        axes.plot([timing.p50, timing.p99], [row, row], color=colour, alpha=0.45, linewidth=5, solid_capstyle="butt")
        axes.plot(timing.p50, row, "o", color=colour, markersize=8)
        axes.plot(timing.p95, row, "|", color=colour, markersize=13, markeredgewidth=2)
        place = {"textcoords": "offset points", "ha": "right", "va": "center"}
        axes.annotate(f"{timing.p50:,.0f}", (timing.p50, row), (-8, 0), **place)
    axes.set_yticks(range(len(results)), [result.name for result in results])
    for label, result in zip(axes.get_yticklabels(), results, strict=True):
        label.set_color(colours[result.name])
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel("microseconds (dot p50, tick p95, end of bar p99)")
    axes.set_title("Titles of 16 to 24 characters")
    axes.margins(x=0.1, y=0.05)
    axes.grid(axis="x", which="both", alpha=0.25)


def _lengths(axes: Any, results: Sequence[Result], colours: Mapping[str, str]) -> None:  # noqa: ANN401
    for marker, result in zip(cycle(_MARKERS), results, strict=False):
        lengths = [kind for kind in result.latency if kind != TITLES]
        medians = [result.latency[kind].p50 for kind in lengths]
        style = "-" if _is_ours(result) else "--"
        axes.plot(
            [int(n) for n in lengths], medians, style, marker=marker, color=colours[result.name], label=result.name
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    ticks = sorted({int(kind) for result in results for kind in result.latency if kind != TITLES})
    axes.set_xticks(ticks, map(str, ticks))
    axes.minorticks_off()
    axes.set_xlabel("characters")
    axes.set_ylabel("p50, microseconds")
    axes.set_title("Median by length")
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)


def _is_ours(result: Result) -> bool:
    return result.name.startswith("gm-edge")


def _colours(results: Sequence[Result]) -> dict[str, str]:
    """Return warm colours for ours and cold ones for the peers, by name."""
    warm, cold = cycle(_OURS), cycle(_PEERS)
    return {result.name: next(warm if _is_ours(result) else cold) for result in results}
