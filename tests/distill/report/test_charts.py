"""Charts by their coordinates: what is drawn lies where its value is, and nothing overlaps or leaves the picture."""

from __future__ import annotations

from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest

from distill.report.chart import BOTTOM, LEFT, RIGHT, TOP, WIDTH, Frame, share_ticks
from distill.report.curves import Line, line_chart
from distill.report.history import Step
from distill.report.reliability import reliability, reliability_chart
from tests.distill.report.runs import said

EPOCHS = [Step("epoch", number) for number in range(1, 7)]


def drawn(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def words(svg: str, size: str = "12") -> list[tuple[float, float, str]]:
    """Return where the words of a chart stand."""
    texts = [text for text in drawn(svg).iter("text") if text.get("font-size") == size]
    return [(float(text.get("x", 0)), float(text.get("y", 0)), said(text)) for text in texts]


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([0.23, 0.88], [0.2, 0.4, 0.6, 0.8, 1.0]),
        ([0.85, 0.9], [0.85, 0.86, 0.87, 0.88, 0.89, 0.9]),
        ([0.3, 0.7], [0.3, 0.4, 0.5, 0.6, 0.7]),
        ([0.0, 1.0], [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        ([1.0], [0.99, 1.0]),
        ([0.0], [0.0, 0.01]),
    ],
)
def test_ticks_are_round_shares_around_the_values(values: list[float], ticks: list[float]) -> None:
    assert share_ticks(values) == ticks


def test_any_values_lie_within_few_ticks() -> None:
    for low, high in np.random.default_rng(0).random((200, 2)):
        ticks = share_ticks([low, high])
        assert ticks[0] <= min(low, high) <= max(low, high) <= ticks[-1] <= 1
        assert 2 <= len(ticks) <= 7


def test_a_frame_maps_its_ends_to_the_edges_of_the_plot() -> None:
    frame = Frame(0, 10, 0.5, 1.0)
    assert (frame.x(0), frame.x(10), frame.y(0.5), frame.y(1.0)) == (LEFT, RIGHT, BOTTOM, TOP)
    assert frame.y(0.75) == (TOP + BOTTOM) / 2


def test_a_curve_goes_through_its_values_and_its_ring_lies_on_it() -> None:
    svg = line_chart("Accuracy", EPOCHS[:3], [Line("student", (0.5, 0.7, 0.6))], ring=1)
    (curve,) = drawn(svg).iter("polyline")
    assert curve.get("points") == f"{LEFT:.1f},{BOTTOM:.1f} 256.0,{TOP:.1f} {RIGHT:.1f},{(TOP + BOTTOM) / 2:.1f}"
    ring = [*drawn(svg).iter("circle")][-1]
    assert (ring.get("cx"), ring.get("cy"), ring.get("fill")) == ("256", "44", "none")
    assert [said(title) for title in drawn(svg).iter("title")][1] == "student, epoch 2: 70.0%"


def test_a_line_that_is_a_goal_has_no_dots() -> None:
    svg = line_chart("Accuracy", EPOCHS[:2], [Line("teacher", (0.9, 0.9), dotted=False)])
    assert not [*drawn(svg).iter("circle")]


def test_a_single_step_is_a_dot() -> None:
    svg = line_chart("Accuracy", EPOCHS[:1], [Line("student", (0.5,))])
    (dot,) = drawn(svg).iter("circle")
    assert float(dot.get("cx", 0)) == LEFT


@pytest.mark.parametrize(("epochs", "rounds"), [(1, 1), (6, 16), (6, 60), (1, 500), (1000, 0)])
def test_numbers_below_a_chart_have_room(epochs: int, rounds: int) -> None:
    steps = [Step("epoch", n + 1) for n in range(epochs)] + [Step("round", n + 1) for n in range(rounds)]
    svg = line_chart("Accuracy", steps, [Line("student", (0.5,) * len(steps))])
    numbers = sorted((x, len(text) * 7) for x, y, text in words(svg) if y == BOTTOM + 17)
    assert 1 <= len(numbers) <= 13
    assert all(x + wide / 2 <= next_x - next_wide / 2 for (x, wide), (next_x, next_wide) in pairwise(numbers))


def test_phases_are_named_and_parted() -> None:
    steps = [Step("probe", 0), *EPOCHS]
    svg = line_chart("Accuracy", steps, [Line("language model", (0.5,) * 7)])
    assert [text for _, y, text in words(svg) if y == BOTTOM + 36] == ["probe", "epoch"]
    assert [text for _, y, text in words(svg) if y == BOTTOM + 17] == ["1", "2", "3", "4", "5", "6"]
    parted = [one for one in drawn(svg).iter("line") if one.get("y1") == "44" and one.get("y2") == "232"]
    assert len(parted) == 1


@pytest.mark.parametrize(
    "names", [("lessons of the teacher", "lessons of the student"), ("language model", "teachers"), ("student",)]
)
def test_the_legend_fits_the_picture(names: tuple[str, ...]) -> None:
    svg = line_chart("x", EPOCHS, [Line(name, (0.5,) * 6) for name in names])
    legend = [(x, x + 7 * len(text)) for x, y, text in words(svg) if y == 34]
    assert len(legend) == len(names)
    assert all(end < start for (_, end), (start, _) in pairwise(legend))
    assert legend[-1][1] < WIDTH


def test_a_bar_is_as_high_as_its_share_right_and_bins_without_texts_have_none() -> None:
    found = reliability(np.array([0.95, 0.92, 0.15]), np.array([True, False, False]))
    svg = reliability_chart(found)
    low, high = drawn(svg).iter("rect")
    assert (low.get("height"), high.get("height")) == ("0", f"{(BOTTOM - TOP) / 2:g}")
    assert LEFT < float(low.get("x", 0)) < float(high.get("x", 0)) < RIGHT
    assert [text for *_, text in words(svg, "10")] == ["1", "2", "texts"]
