"""The scores as Markdown: a table for each set, and what each part of the method gives."""

from __future__ import annotations

from benchmarks.quality.chain_rows import (
    INT8_ROW,
    LM_INT8_ROW,
    LM_ROW,
    PLAIN_ROW,
    SECOND_INT8_ROW,
    SECOND_ROW,
    SECOND_STUDENT_ROW,
    STUDENT_ROW,
    TAUGHT_INT8_ROW,
    TAUGHT_ROW,
)
from benchmarks.quality.differences import DRAWS, Difference, Differences
from benchmarks.quality.methods import ALONE_ROW, CASCADE, FULL, INT8
from benchmarks.quality.peer_rows import FASTTEXT, SVM
from benchmarks.quality.scores import METRICS, Paired, Scores
from benchmarks.speed.report import table

_HOW = (
    "Test accuracy and macro-F1 in percent, mean ± standard deviation over seeds; trained on train, chosen on dev, "
    "test scored once. A peer without randomness has no deviation where the split is fixed."
)
_COMPARED = [
    (INT8, SVM),
    (INT8, FULL),
    (CASCADE, INT8),
    (CASCADE, FASTTEXT),
    (FULL, ALONE_ROW),
    (FULL, "plain distillation"),
    (FULL, "one-way Gate-Mixup"),
    (FULL, "mutual learning, no gate"),
    (FULL, "student after initial training"),
    (TAUGHT_INT8_ROW, SVM),
    (TAUGHT_INT8_ROW, TAUGHT_ROW),
    (TAUGHT_INT8_ROW, INT8),
    (TAUGHT_ROW, ALONE_ROW),
    (LM_ROW, SVM),
    (INT8_ROW, SVM),
    (LM_INT8_ROW, SVM),
    (SECOND_ROW, SVM),
    (SECOND_ROW, LM_ROW),
    (SECOND_INT8_ROW, SVM),
    (SECOND_INT8_ROW, INT8_ROW),
    (SECOND_STUDENT_ROW, ALONE_ROW),
    (INT8_ROW, INT8),
    (INT8_ROW, STUDENT_ROW),
    (STUDENT_ROW, ALONE_ROW),
    (STUDENT_ROW, PLAIN_ROW),
]


def markdown(scores: Scores) -> str:
    """Return the whole report."""
    parts = ["# Accuracy", _HOW, *(f"## {data}\n\n{set_table(scores, data)}" for data in scores.names("data"))]
    return "\n\n".join([*parts, "## Differences", _EXPLAINED, difference_table(scores)]) + "\n"


_EXPLAINED = (
    f"Mean difference in points. In brackets a 95 % interval by paired bootstrap: the test texts of each set are drawn "
    f"anew {DRAWS:,} times, the same for both rows, and the difference is a mean over seeds. It tells what other test "
    "texts would change; what other seeds would change is the deviation in the tables above. Where a row's answers to "
    "the test texts were not kept there is the p-value of a two-sided paired t-test instead, which knows nothing of "
    "other test texts (`seeds only`), and little with few runs. A run is a set and a seed that both rows have. A peer "
    "without randomness answers the same whatever the seed: against it sets are counted (`sets only`), each the mean "
    "over its seeds. Sets of which most labels were taken away do not count."
)


def set_table(scores: Scores, data: str) -> str:
    """Return the table of one set."""
    rows = [
        [row, *(cell(scores, data, row, metric) for metric in METRICS), str(scores.seeds(data, row))]
        for row in scores.names("row")
        if scores.seeds(data, row)
    ]
    return table(["", "accuracy", "macro-F1", "seeds"], rows)


def difference_table(scores: Scores) -> str:
    """Return what is compared with what, over all sets that kept their labels."""
    rows, differences = [], Differences(scores, scores.whole_sets())
    for row, other in _COMPARED:
        if found := differences.between(row, other):
            one = found[METRICS[0]]
            counted = f"{one.units} {'set' if one.of_sets else 'run'}{'s' if one.units > 1 else ''}"
            rows.append([f"{row} − {other}", *(with_error(found[metric]) for metric in METRICS), counted])
    return table(["", "accuracy", "macro-F1", "over"], rows)


def with_error(found: Difference) -> str:
    """Return a difference in points, and the interval of other test texts or else what the t-test says."""
    points = f"{found.mean * 100:+.2f}"
    if found.interval:
        low, high = found.interval
        return f"{points} [{low * 100:+.2f}, {high * 100:+.2f}]"
    if found.p_value is None:
        return points
    return f"{points} (p = {found.p_value:.2f}, {'sets' if found.of_sets else 'seeds'} only)"


def difference(found: Paired) -> str:
    """Return a difference in points, and its p-value unless it is of one run."""
    points = f"{found.difference * 100:+.2f}"
    return points if found.runs == 1 else f"{points} (p = {found.p_value:.2f})"


def cell(scores: Scores, data: str, row: str, metric: str) -> str:
    """Return mean ± deviation in percent; empty where nothing was measured."""
    spread = scores.spread(data, row, metric)
    return f"{spread.mean * 100:.1f} ± {spread.deviation * 100:.1f}" if spread else ""
