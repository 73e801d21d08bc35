"""The frame of a chart: from values to points of an SVG, with axes in percent.

Charts carry our own short words alone. Whatever people wrote, as names of classes, stands in tables, which a browser
lays out by the fonts that it has: nobody knows here how wide a character will be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

from distill.report.markup import Html, element

WIDTH, HEIGHT = 480.0, 280.0
LEFT, RIGHT, TOP, BOTTOM = 48.0, 464.0, 44.0, 232.0
"""Edges of the plot within the picture, in points; y counts downwards."""
INK, QUIET, GRID = "#1a1a1a", "#555555", "#d9d9d9"
BLUE, ORANGE, GREEN = "#1f5fa8", "#b8500f", "#3a7a3a"
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2)
_MOST_INTERVALS = 5
# Shares are sums of floats: one that is 0.3 may lie a little beside it.
_SLACK = 1e-9


@dataclass(frozen=True, slots=True)
class Frame:
    """Where values lie in the picture.

    Attributes:
        first: value at the left edge.
        last: value at the right edge, greater than the first.
        bottom: value at the lower edge.
        top: value at the upper edge, greater than that at the lower.
    """

    first: float
    last: float
    bottom: float
    top: float

    def x(self, value: float) -> float:
        """Return the distance from the left edge of the picture."""
        return LEFT + (RIGHT - LEFT) * (value - self.first) / (self.last - self.first)

    def y(self, value: float) -> float:
        """Return the distance from the upper edge of the picture."""
        return BOTTOM - (BOTTOM - TOP) * (value - self.bottom) / (self.top - self.bottom)


def share_ticks(values: Sequence[float]) -> list[float]:
    """Return round shares, two to seven, rising: ``values`` lie between the first and the last."""
    low, high = min(values), max(values)
    step = next((step for step in _STEPS if (high - low) / step <= _MOST_INTERVALS + _SLACK), _STEPS[-1])
    first, last = floor(low / step + _SLACK), ceil(high / step - _SLACK)
    if first == last:
        first, last = (first - 1, last) if first else (first, last + 1)
    return [round(step * number, 2) for number in range(first, last + 1)]


def picture(title: str, *parts: str) -> Html:
    """Return an SVG of parts, with its title above the plot."""
    heading = label(title, LEFT, 16, fill=INK, font_weight="bold")
    return element("svg", heading, *parts, viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}", role="img", aria_label=title)


def label(text: str, x: float, y: float, **attributes: str | float) -> Html:
    """Return words whose line stands on ``y``."""
    return element("text", text, **{"x": x, "y": y, "font_size": 12, "fill": QUIET, **attributes})


def line(x1: float, y1: float, x2: float, y2: float, **attributes: str | float) -> Html:
    """Return a straight line."""
    return element("line", **{"x1": x1, "y1": y1, "x2": x2, "y2": y2, "stroke": GRID, **attributes})


def share_grid(frame: Frame, ticks: Sequence[float]) -> list[Html]:
    """Return a level line for each of the shares, and its percentage left of it."""
    lines = [line(LEFT, frame.y(tick), RIGHT, frame.y(tick)) for tick in ticks]
    words = [label(f"{tick:.0%}", LEFT - 6, frame.y(tick) + 4, text_anchor="end") for tick in ticks]
    return [*lines, *words]
