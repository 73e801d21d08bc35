"""The sweep as Markdown: each changed key beside the recipe without a change."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from benchmarks.quality.accuracy_report import difference
from benchmarks.quality.scores import METRICS, Score, Scores
from benchmarks.speed.report import table

UNCHANGED = "nothing changed"
"""The row of the recipe as it is."""
_SURE = 0.05
_SMALL = 4
_HOW = (
    "Development set, percent: accuracy / macro-F1 of the student of mutual learning, mean over the last quarter of "
    "its rounds and over seeds. Differences are to the recipe with nothing changed, mean over all runs (set and seed) "
    "that both rows have, with the p-value of a two-sided paired t-test. Small classes: the quarter of the classes of "
    "a set that have the fewest texts, mean F1 after the best round. No test score is kept or compared."
)


def markdown(scores: Scores) -> str:
    """Return the whole report."""
    return "\n\n".join(["# Keys of mutual learning, one at a time", _HOW, sweep_table(scores), verdict(scores)]) + "\n"


def sweep_table(scores: Scores) -> str:
    """Return a line for each variation."""
    sets = scores.names("data")
    header = ["", *sets, "accuracy", "macro-F1", "small classes", "runs"]
    return table(header, [_line(scores, row, sets) for row in scores.names("row")])


def better(scores: Scores) -> list[str]:
    """Return the variations whose macro-F1 is higher than without a change, with a p-value below 0.05."""
    found = {row: scores.paired(row, UNCHANGED, "macro_f1") for row in _variations(scores)}
    return [row for row, one in found.items() if one and one.difference > 0 and one.p_value < _SURE]


def verdict(scores: Scores) -> str:
    """Return in a sentence whether a default should be another."""
    tried, which = len(_variations(scores)), ", ".join(f"`{row}`" for row in better(scores)) or "none"
    return (
        f"Variations: {tried}; higher in macro-F1 with p < {_SURE}: {which}. If none made a difference, one in twenty "
        "would be that far off by chance, half of these for the better."
    )


def small_class_f1(score: Score) -> float:
    """Return the mean F1 of the quarter of its classes, at least one, that have the fewest texts."""
    smallest = sorted(score.class_texts, key=lambda name: (score.class_texts[name], name))
    return float(np.mean([score.class_f1[name] for name in smallest[: math.ceil(len(smallest) / _SMALL)]]))


def _variations(scores: Scores) -> list[str]:
    return [row for row in scores.names("row") if row != UNCHANGED]


def _line(scores: Scores, row: str, sets: Sequence[str]) -> list[str]:
    cells = [_scores_cell(scores, data, row) for data in sets]
    runs = [score for score in scores.all if score.row == row]
    differences = [_difference(scores, row, metric) for metric in METRICS]
    return [row, *cells, *differences, _small(scores, runs), str(len(runs))]


def _scores_cell(scores: Scores, data: str, row: str) -> str:
    found = [scores.spread(data, row, metric) for metric in METRICS]
    return " / ".join(f"{100 * spread.mean:.1f}" for spread in found if spread)


def _difference(scores: Scores, row: str, metric: str) -> str:
    found = None if row == UNCHANGED else scores.paired(row, UNCHANGED, metric)
    return difference(found) if found else ""


def _small(scores: Scores, runs: Sequence[Score]) -> str:
    """Return F1 of the small classes where nothing is changed, and by how much it is another in the other rows."""
    before = {(one.data, one.seed): small_class_f1(one) for one in scores.all if one.row == UNCHANGED}
    if runs[0].row == UNCHANGED:
        return f"{100 * np.mean(list(before.values())):.1f}"
    gained = [small_class_f1(one) - before[one.data, one.seed] for one in runs if (one.data, one.seed) in before]
    return f"{100 * np.mean(gained):+.1f}" if gained else ""
