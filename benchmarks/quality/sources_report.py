"""The scores on sources left out as Markdown, and whether the bundle keeps its lead over the SVM there."""

from __future__ import annotations

from itertools import product

from benchmarks.quality.accuracy_report import cell
from benchmarks.quality.chain_rows import INT8_ROW, TEXTS_INT8_ROW
from benchmarks.quality.differences import Differences
from benchmarks.quality.methods import INT8
from benchmarks.quality.peer_rows import SVM
from benchmarks.quality.scores import METRICS, Scores
from benchmarks.speed.report import table
from benchmarks.speed.targets import Target, as_block

LEAD = 4.0
"""Points of accuracy by which an INT8 bundle is to beat the SVM on every source."""
_BUNDLES = {
    INT8: "INT8 bundle",
    INT8_ROW: "INT8 bundle of the student of both",
    TEXTS_INT8_ROW: "the same with unlabelled texts",
}
_HOW = (
    "Trained on all sources but one, chosen on the dev texts of those, tested once on the one left out; percent, "
    "mean ± standard deviation over seeds. Test texts are those of the set's own test split unless a heading says "
    "otherwise. Texts whose class no other source has are errors of every row. The bundle was exported without limits "
    "of parity: what INT8 loses on foreign texts is in its row. In brackets, where answers were kept, what other test "
    "texts of the source would make of the lead: the 95 % interval of a paired bootstrap."
)


def markdown(scores: Scores) -> str:
    """Return the whole report."""
    parts = [f"## Without {data}\n\n{_facts(scores, data)}\n\n{_table(scores, data)}" for data in scores.names("data")]
    found = leads(scores)
    held = [f"## Targets\n\n{as_block(found)}"] if found else []
    return "\n\n".join(["# A source left out", _HOW, *parts, *held]) + "\n"


def leads(scores: Scores) -> list[Target]:
    """Return for each source by how many points of accuracy a bundle beats the SVM, seed by seed, on average."""
    measured = set(scores.names("row"))
    bundles = {row: name for row, name in _BUNDLES.items() if row == INT8 or row in measured}
    found = []
    for (row, name), data in product(bundles.items(), scores.names("data")):
        paired = scores.paired(row, SVM, "accuracy", [data])
        points = paired.difference * 100 if paired else None
        found.append(Target(f"{name} over the SVM without {data}", "≥", LEAD, "points", points))
    return found


def _facts(scores: Scores, data: str) -> str:
    one = next(score for score in scores.all if score.data == data)
    return (
        f"{sum(one.class_texts.values()):,} test texts of {len(one.class_texts)} classes; {one.unseen * 100:.1f} % "
        "of the texts have a class that no other source has."
    )


def _table(scores: Scores, data: str) -> str:
    differences = Differences(scores, [data])
    rows = [
        [row, *(cell(scores, data, row, metric) for metric in METRICS), _lead(differences, row), str(seeds)]
        for row in scores.names("row")
        if (seeds := scores.seeds(data, row))
    ]
    return table(["", "accuracy", "macro-F1", "accuracy over the SVM", "seeds"], rows)


def _lead(differences: Differences, row: str) -> str:
    found = differences.between(row, SVM) if row != SVM else {}
    if not found:
        return ""
    points, interval = f"{found['accuracy'].mean * 100:+.1f}", found["accuracy"].interval
    return f"{points} [{interval[0] * 100:+.1f}, {interval[1] * 100:+.1f}]" if interval else points
