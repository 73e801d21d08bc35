"""Run folders as training leaves them, without any training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from distill.config.gate_mixup import GateMixupRecipe
from distill.config.recipe import BaseRecipe
from distill.runs.run_folder import PredictionRow, RunFolder

ANSWERS = (
    PredictionRow("盐酸 31%", "酸", "酸", 0.95, (2.0, 0.0)),
    PredictionRow("片碱 25kg/袋", "碱", "酸", 0.65, (1.0, 0.4)),
    PredictionRow("纯碱", "碱", "碱", 0.75, (0.0, 1.1)),
    PredictionRow("草酸", "酸", "碱", 0.85, (0.0, 1.8)),
)
ENVIRONMENT = {
    "seed": 3,
    "device": "cpu",
    "versions": {"python": "3.11.7", "gm-edge": "0.1.0"},
    "rows": {"train": 1200, "dev": 40, "test": 4},
    "dropped": {},
    "wall_s": 125.0,
}


def scores(value: float) -> dict[str, float]:
    """Return an accuracy, and a macro-F1 a tenth below it."""
    return {"accuracy": value, "macro_f1": value - 0.1}


def mutual_learning() -> list[dict[str, Any]]:
    """Two epochs, then three rounds, the second of which has the best student."""
    epochs = [
        {"event": "epoch", "epoch": number, "dev": {"student": scores(value), "teacher": scores(value - 0.1)}}
        for number, value in ((1, 0.5), (2, 0.95))
    ]
    rounds = [
        {
            "event": "round",
            "round": number,
            "stage_one": {"total": 1.0, "pass_rate": 0.6 + number / 10},
            "stage_two": {"total": 1.0, "pass_rate": 0.5 + number / 10},
            "dev": {"student": scores(value), "teacher": scores(0.7)},
        }
        for number, value in ((1, 0.8), (2, 0.9), (3, 0.9))
    ]
    networks = ("teacher", "initial_student", "student")
    final = {"event": "final", **{split: {name: scores(0.5) for name in networks} for split in ("dev", "test")}}
    return [*epochs, *rounds, final]


def one_network(name: str, *teachers: str, probe: bool = False) -> list[dict[str, Any]]:
    """Two epochs of a network that learns alone, after a probe or not; teachers do not learn."""
    begin = [{"event": "probe", "dev": scores(0.6)}] if probe else []
    epochs = [{"event": "epoch", "epoch": number, "loss": {}, "dev": scores(0.6 + number / 10)} for number in (1, 2)]
    final = {name: scores(0.8), **{teacher: scores(0.9) for teacher in teachers}}
    return [*begin, *epochs, {"event": "final", "dev": final, "test": final}]


def write_run(
    folder: Path,
    recipe: BaseRecipe | None = None,
    events: Sequence[dict[str, Any]] | None = None,
    answers: Sequence[PredictionRow] = ANSWERS,
    labels: Sequence[str] = ("酸", "碱"),
    **environment: object,
) -> RunFolder:
    """Write all that a page tells of; without weights, which it does not read."""
    run = RunFolder(folder)
    run.save_recipe(recipe or GateMixupRecipe())
    run.save_labels(labels)
    run.save_predictions("test", answers)
    run.save_metrics(mutual_learning() if events is None else events)
    run.save_environment({**ENVIRONMENT, **environment})
    return run


class Page:
    """A page as a reader sees it; refused where it is not well-formed.

    Args:
        text: of the page.
    """

    def __init__(self, text: str) -> None:
        self.root = ElementTree.fromstring(text)

    @property
    def headings(self) -> list[str]:
        """The headings of the sections."""
        return [said(heading) for heading in self.root.iter("h2")]

    def section(self, heading: str) -> ElementTree.Element:
        """Return the section under a heading."""
        return next(one for one in self.root.iter("section") if said(one[0]) == heading)

    @property
    def facts(self) -> dict[str, str]:
        """What the head says, by name."""
        terms = next(self.root.iter("dl"))
        return dict(zip(map(said, terms.iter("dt")), map(said, terms.iter("dd")), strict=True))

    def tables(self, heading: str) -> list[list[list[str]]]:
        """Return the cells of the tables under a heading."""
        return [rows(one) for one in self.section(heading).iter("table")]


def rows(table: ElementTree.Element) -> list[list[str]]:
    """Return the cells of a table, its header first."""
    return [[said(cell) for cell in row] for row in table.iter("tr")]


def said(element: ElementTree.Element) -> str:
    """Return the text of an element and all in it."""
    return "".join(element.itertext())
