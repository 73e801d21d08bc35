"""The scores of each class as Markdown: what we gain and lose where there are few texts."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.quality.scores import ClassMean, Scores
from benchmarks.speed.report import table

_HOW = (
    "Test F1 in percent by class, mean over seeds; the classes with the fewest test texts first. With few texts one "
    "answer moves an F1 by points."
)


def class_markdown(scores: Scores, row: str, other: str) -> str:
    """Return the report: for each set that has both rows, ``row`` against ``other`` by class."""
    parts = [
        f"## {data}\n\n{_section(scores, data, row, other)}"
        for data in scores.names("data")
        if scores.seeds(data, row) and scores.seeds(data, other)
    ]
    return "\n\n".join(["# Accuracy by class", _HOW, *parts]) + "\n"


def _section(scores: Scores, data: str, row: str, other: str) -> str:
    found = {name: scores.by_class(data, name) for name in (row, other)}
    missing = [name for name, classes in found.items() if not classes]
    if missing:
        return _how_to_have(data, missing, max(scores.seeds(data, name) for name in missing))
    return class_table(found[row], found[other], row, other)


def class_table(mine: Mapping[str, ClassMean], others: Mapping[str, ClassMean], row: str, other: str) -> str:
    """Return the table of one set; a class that only one of the rows met in a test set is left out."""
    both = sorted((name for name in mine if name in others), key=lambda name: (mine[name].texts, name))
    lines = [
        [
            name,
            f"{mine[name].texts:.0f}",
            f"{mine[name].f1 * 100:.1f}",
            f"{others[name].f1 * 100:.1f}",
            f"{(mine[name].f1 - others[name].f1) * 100:+.1f}",
        ]
        for name in both
    ]
    return table(["class", "test texts", row, other, "difference"], lines)


def _how_to_have(data: str, missing: list[str], seeds: int) -> str:
    # The row of a bundle comes with that of its method, which is what the command knows.
    rows = " ".join(f'--row "{name.removesuffix(", INT8 bundle")}"' for name in missing)
    command = f'python -m benchmarks.accuracy --data "{data}=PATH" {rows} --seeds {seeds} --again'
    return (
        f"Not kept by class: {' and '.join(missing)}. This measures them again; runs in the folder of `--work` are not "
        f"trained anew:\n\n```\n{command}\n```"
    )
