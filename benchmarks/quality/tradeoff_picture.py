"""Accuracy against latency as a picture: every point has its name beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.contenders.lineup import OURS_INT8
from benchmarks.quality.tradeoff import Tradeoff, count_range
from runtime.files import atomic_path

_OURS, _PEER = "#b5360a", "#34618f"
_SIZE = 9
_CHARACTER, _LINE = 0.62 * _SIZE, 1.25 * _SIZE
"""Width of a character of a label on average, and height of its line, in points."""
_SIDES = {"left": 0.0, "center": 0.5, "right": 1.0}
_PLACES = ((8, 0, "left"), (0, 12, "center"), (0, -12, "center"), (-8, 0, "right"), (8, 12, "left"), (8, -12, "left"))
"""Where a label may stand beside its point, the best first: offsets in points, and its side that is there."""


class _Box(NamedTuple):
    left: float
    bottom: float
    right: float
    top: float

    def meets(self, other: _Box) -> bool:
        apart = self.right < other.left or other.right < self.left or self.top < other.bottom or other.top < self.bottom
        return not apart


def draw_tradeoff(found: Tradeoff, path: Path) -> None:
    """Write an SVG: accuracy in percent over the ratio of medians to our INT8 bundle, which is logarithmic.

    The same figures give the same file, so that a picture under version control changes with its figures alone.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    style = {"font.size": _SIZE, "svg.fonttype": "none", "svg.hashsalt": "gm-edge"}
    with mpl.rc_context({**style, "axes.spines.top": False, "axes.spines.right": False}):
        # 72 dots an inch: a dot is a point, the unit of labels and offsets.
        figure = Figure(figsize=(9, 5), dpi=72)
        figure.subplots_adjust(left=0.08, right=0.97, top=0.9, bottom=0.12)
        axes = figure.subplots()
        _points(axes, found)
        _label(axes, found)
        with atomic_path(path) as temporary:
            figure.savefig(temporary, format="svg", metadata={"Date": None})


def _points(axes: Any, found: Tradeoff) -> None:  # noqa: ANN401 - matplotlib's axes have no useful type
    for point in found.points:
        axes.plot(point.ratio, point.accuracy * 100, "o", color=_colour(point.name), markersize=7)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.margins(x=0.25, y=0.15)
    axes.grid(which="major", alpha=0.25)
    axes.set_xlabel(f"p50 of a title, times that of {OURS_INT8}; both in one run")
    axes.set_ylabel("test accuracy, percent")
    seeds = [count for point in found.points for count in point.seeds]
    axes.set_title(
        f"Mean over {', '.join(found.sets)}; seeds of each: {count_range(min(seeds), max(seeds))}", loc="left"
    )


def _label(axes: Any, found: Tradeoff) -> None:  # noqa: ANN401
    # The ranges of the axes are settled only when something is drawn, and with them where a point lies.
    axes.figure.draw_without_rendering()
    values = [(point.ratio, point.accuracy * 100) for point in found.points]
    spots = [tuple(map(float, spot)) for spot in axes.transData.transform(values)]
    beyond = _Box(axes.figure.bbox.width, float("-inf"), float("inf"), float("inf"))
    taken = [beyond, *(_Box(x - 4, y - 4, x + 4, y + 4) for x, y in spots)]
    for point, value, (x, y) in zip(found.points, values, spots, strict=True):
        others = [box for box in taken if not (box.left <= x <= box.right and box.bottom <= y <= box.top)]
        right, up, side = _place(point.name, x, y, others)
        taken.append(_box(point.name, x + right, y + up, side))
        axes.annotate(
            point.name, value, (right, up), textcoords="offset points", ha=side, va="center", color=_colour(point.name)
        )


def _place(name: str, x: float, y: float, taken: Sequence[_Box]) -> tuple[int, int, str]:
    """Return the first place that is free; the first of all where none is."""
    free = (
        place for place in _PLACES if not any(_box(name, x + place[0], y + place[1], place[2]).meets(t) for t in taken)
    )
    return next(free, _PLACES[0])


def _box(name: str, x: float, y: float, side: str) -> _Box:
    width = _CHARACTER * len(name)
    left = x - _SIDES[side] * width
    return _Box(left, y - _LINE / 2, left + width, y + _LINE / 2)


def _colour(name: str) -> str:
    return _OURS if name.startswith("gm-edge") else _PEER
