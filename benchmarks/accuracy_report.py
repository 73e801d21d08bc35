"""The scores as Markdown: a table for each set, and what each part of the method gives."""

from __future__ import annotations

from benchmarks.chain_rows import (
    INT8_ROW,
    LM_INT8_ROW,
    LM_ROW,
    PLAIN_ROW,
    SECOND_INT8_ROW,
    SECOND_ROW,
    SECOND_STUDENT_ROW,
    STUDENT_ROW,
)
from benchmarks.methods import ALONE_ROW, CASCADE, FULL, INT8
from benchmarks.report import table
from benchmarks.scores import METRICS, Paired, Scores

SVM = "TF-IDF characters + LinearSVC"
"""The peer that ours are held against."""
_HOW = (
    "Test accuracy and macro-F1 in percent, mean ± standard deviation over seeds; trained on train, chosen on dev, "
    "test scored once. A peer without randomness has no deviation where the split is fixed."
)
_COMPARED = [
    (INT8, SVM),
    (INT8, FULL),
    (CASCADE, INT8),
    (CASCADE, "fastText, autotuned"),
    (FULL, ALONE_ROW),
    (FULL, "plain distillation"),
    (FULL, "one-way Gate-Mixup"),
    (FULL, "mutual learning, no gate"),
    (FULL, "student after initial training"),
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
    "Mean difference in points over all runs (set and seed) that both rows have, and the p-value of a two-sided "
    "paired t-test; with few runs it says little, and of one there is none. Sets of which most labels were taken away "
    "do not count."
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
    rows, sets = [], scores.whole_sets()
    for row, other in _COMPARED:
        found = {metric: scores.paired(row, other, metric, sets) for metric in METRICS}
        if all(found.values()):
            cells = [difference(p) for p in found.values() if p]
            rows.append([f"{row} − {other}", *cells, str(max(p.runs for p in found.values() if p))])
    return table(["", "accuracy", "macro-F1", "runs"], rows)


def difference(found: Paired) -> str:
    """Return a difference in points, and its p-value unless it is of one run."""
    points = f"{found.difference * 100:+.2f}"
    return points if found.runs == 1 else f"{points} (p = {found.p_value:.2f})"


def cell(scores: Scores, data: str, row: str, metric: str) -> str:
    """Return mean ± deviation in percent; empty where nothing was measured."""
    spread = scores.spread(data, row, metric)
    return f"{spread.mean * 100:.1f} ± {spread.deviation * 100:.1f}" if spread else ""
