"""Line charts of shares by epoch and round."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from distill.report.chart import (
    BLUE,
    BOTTOM,
    GREEN,
    LEFT,
    ORANGE,
    QUIET,
    TOP,
    Frame,
    label,
    line,
    picture,
    share_grid,
    share_ticks,
)
from distill.report.history import Step
from distill.report.markup import Html, element, percent

# Dashes tell the lines apart on a black-and-white print too.
_STYLES = ((BLUE, "none"), (ORANGE, "6 3"), (GREEN, "2 3"))
_MOST_NUMBERS = 12
_INTERVALS = (1, 2, 5)
_CHARACTER = 6.6
"""Width of a character of our own words on average, at the size of labels, in points."""


class Line(NamedTuple):
    """A line of a chart.

    Attributes:
        name: short, of our own words.
        values: shares, one for each step.
        dotted: whether each step has a dot; a line that only is a goal for the others has none.
    """

    name: str
    values: tuple[float, ...]
    dotted: bool = True


class _Place(NamedTuple):
    x: float
    step: Step


def line_chart(title: str, steps: Sequence[Step], lines: Sequence[Line], ring: int | None = None) -> Html:
    """Return a chart as SVG.

    Args:
        title: what the values are.
        steps: below the plot, those of a phase side by side.
        lines: at most three, each with a value for each step.
        ring: the step at which the first line gets a ring.
    """
    ticks = share_ticks([value for one in lines for value in one.values])
    frame = Frame(0, max(1, len(steps) - 1), ticks[0], ticks[-1])
    places = [_Place(frame.x(number), step) for number, step in enumerate(steps)]
    drawn = [_curve(one, places, frame, style) for one, style in zip(lines, _STYLES, strict=False)]
    rings = [] if ring is None else [_ring(places[ring].x, frame.y(lines[0].values[ring]))]
    return picture(title, *_legend(lines), *share_grid(frame, ticks), *_phases(places), *drawn, *rings)


def _curve(one: Line, places: Sequence[_Place], frame: Frame, style: tuple[str, str]) -> Html:
    colour, dash = style
    spots = [(place.x, frame.y(value)) for place, value in zip(places, one.values, strict=True)]
    path = element(
        "polyline",
        points=" ".join(f"{x:.1f},{y:.1f}" for x, y in spots),
        fill="none",
        stroke=colour,
        stroke_width=2,
        stroke_dasharray=dash,
    )
    if not one.dotted:
        return path
    said = [f"{one.name}, {_name(place.step)}: {percent(v)}" for place, v in zip(places, one.values, strict=True)]
    dots = [_dot(x, y, colour, text) for (x, y), text in zip(spots, said, strict=True)]
    return element("g", path, *dots)


def _dot(x: float, y: float, colour: str, said: str) -> Html:
    """Return a point; what it says is shown where the mouse rests on it."""
    return element("circle", element("title", said), cx=x, cy=y, r=2.5, fill=colour)


def _ring(x: float, y: float) -> Html:
    return element("circle", cx=x, cy=y, r=6, fill="none", stroke=BLUE, stroke_width=2)


def _legend(lines: Sequence[Line]) -> Iterator[Html]:
    x = LEFT
    for one, (colour, dash) in zip(lines, _STYLES, strict=False):
        yield line(x, 30, x + 22, 30, stroke=colour, stroke_width=2, stroke_dasharray=dash)
        yield label(one.name, x + 27, 34)
        x += 27 + _CHARACTER * len(one.name) + 14


def _phases(places: Sequence[_Place]) -> Iterator[Html]:
    """Return numbers below the plot, the name of each phase below its numbers, and what parts it from the next."""
    every, end = _interval(len(places)), None
    for phase, group in groupby(places, lambda place: place.step.phase):
        own = list(group)
        if end is not None:
            middle = (end + own[0].x) / 2
            yield line(middle, TOP, middle, BOTTOM, stroke=QUIET, stroke_dasharray="2 2")
        end = own[-1].x
        yield label(phase, (own[0].x + end) / 2, BOTTOM + 36, text_anchor="middle")
        for place in _numbered(own, every):
            yield label(str(place.step.number), place.x, BOTTOM + 17, text_anchor="middle")


def _numbered(places: Sequence[_Place], every: int) -> Sequence[_Place]:
    """Return the steps of a phase that get a number: the multiples of ``every``, at least one."""
    if places[0].step.phase == "probe":
        return ()
    return [place for place in places if place.step.number % every == 0] or places[:1]


def _interval(steps: int) -> int:
    """Return 1, 2, 5, 10, 20 and so on: the first by which no more numbers stand than have room."""
    power = 1
    while True:
        for factor in _INTERVALS:
            if steps <= factor * power * _MOST_NUMBERS:
                return factor * power
        power *= 10


def _name(step: Step) -> str:
    return step.phase if step.phase == "probe" else f"{step.phase} {step.number}"
