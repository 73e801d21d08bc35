"""Accuracy against latency: the rows of one study beside the contenders of the other."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.contenders import lineup
from benchmarks.contenders.sizes import SIZES
from benchmarks.quality.chain_rows import INT8_ROW as BOTH_INT8_ROW
from benchmarks.quality.chain_rows import TAUGHT_INT8_ROW
from benchmarks.quality.methods import CASCADE, FULL, INT8
from benchmarks.quality.peer_rows import FASTTEXT, SVM, TEXT_CNN
from benchmarks.quality.scores import Scores
from benchmarks.speed.report import table
from benchmarks.speed.results import TITLES


class Pair(NamedTuple):
    """A contender of the study of latency, the row of the study of accuracy that belongs to it, and their name."""

    contender: str
    row: str
    name: str


PAIRS = (
    Pair(lineup.OURS_INT8, INT8, lineup.OURS_INT8),
    Pair(lineup.OURS_INT8, TAUGHT_INT8_ROW, "gm-edge INT8, taught by a finished run"),
    Pair(lineup.OURS_INT8, BOTH_INT8_ROW, "gm-edge INT8, taught by a language model too"),
    Pair(lineup.OURS_CASCADE, CASCADE, lineup.OURS_CASCADE),
    Pair(lineup.OURS_FP32, FULL, lineup.OURS_FP32),
    *(Pair(size.contender, size.row, size.contender) for size in SIZES),
    Pair(lineup.LINEAR_SVC, SVM, lineup.LINEAR_SVC),
    Pair(lineup.FASTTEXT, FASTTEXT, lineup.FASTTEXT),
    Pair(lineup.TEXT_CNN, TEXT_CNN, lineup.TEXT_CNN),
)
"""Contenders whose accuracy was measured.

The Transformer peers have random weights, so no accuracy; the words of fastText and of the SVM are not both measured.
"""
PICTURE = "accuracy_latency.svg"
_HOW = (
    "p50 of titles of 16 to 24 characters, raw text to label, one text a call, all in one run of "
    "`python -m benchmarks.latency`, and its ratio to our INT8 bundle. Speed and accuracy are of the same method, not "
    "of the same weights: the SVM and fastText are timed as trained on the example set; fastText is timed with 64 "
    "dimensions and scored as its autotuning left it; TextCNN and our other sizes are timed with random weights. "
    "Students of finished teachers have the network of our INT8 bundle, with a larger vocabulary, and its time."
)


@dataclass(frozen=True, slots=True)
class Point:
    """One contender in both studies.

    Attributes:
        name: of the pair.
        p50: microseconds from a title-length text to its label.
        ratio: ``p50`` over that of our INT8 bundle in the same run.
        accuracy: on test, mean over sets of the mean over seeds, 0 to 1.
        seeds: fewest and most seeds of a set.
    """

    name: str
    p50: float
    ratio: float
    accuracy: float
    seeds: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Tradeoff:
    """All that both studies have.

    Attributes:
        points: the fastest first.
        sets: over which accuracy is a mean: those, with all labels, that have our INT8 bundle and the SVM.
        left_out: pairs that lack one of the figures, and which.
    """

    points: tuple[Point, ...]
    sets: tuple[str, ...]
    left_out: Mapping[str, str]


def read_tradeoff(scores: Scores, latency: Path) -> Tradeoff | None:
    """Return what ``scores`` and ``latency.json`` have in common; ``None`` where one lacks our INT8 bundle."""
    if not latency.is_file():
        return None
    results = json.loads(latency.read_text(encoding="utf-8"))["results"]
    return tradeoff(scores, {result["name"]: result["latency"][TITLES]["p50"] for result in results})


def tradeoff(scores: Scores, medians: Mapping[str, float]) -> Tradeoff | None:
    """Return one point for each of :data:`PAIRS` that has both figures.

    Args:
        scores: the study of accuracy.
        medians: p50 in microseconds by contender, all of one run.
    """
    sets = tuple(data for data in scores.whole_sets() if scores.seeds(data, INT8) and scores.seeds(data, SVM))
    if not sets or lineup.OURS_INT8 not in medians:
        return None
    points, left_out = [], {}
    for contender, row, name in PAIRS:
        seeds = [scores.seeds(data, row) for data in sets]
        lacking = [data for data, count in zip(sets, seeds, strict=True) if not count]
        if contender not in medians:
            left_out[name] = "no latency"
        elif lacking:
            left_out[name] = f"no accuracy on {', '.join(lacking)}"
        else:
            p50 = medians[contender]
            ratio = p50 / medians[lineup.OURS_INT8]
            points.append(Point(name, p50, ratio, _accuracy(scores, sets, row), (min(seeds), max(seeds))))
    return Tradeoff(tuple(sorted(points, key=lambda point: point.ratio)), sets, left_out)


def tradeoff_markdown(found: Tradeoff, *, drawn: bool) -> str:
    """Return the section of the report: how the figures were taken, the table, and the picture if it is ``drawn``."""
    rows = [
        [
            point.name,
            f"{point.ratio:.2f}",
            f"{point.p50:,.0f}",
            f"{point.accuracy * 100:.1f}",
            count_range(*point.seeds),
        ]
        for point in found.points
    ]
    parts = [
        "## Accuracy against latency",
        f"Test accuracy in percent, mean over {', '.join(found.sets)} of the mean over seeds. {_HOW}",
        *([f"![Accuracy against latency]({PICTURE})"] if drawn else []),
        table(["", "ratio", "p50 µs", "accuracy", "seeds a set"], rows),
    ]
    if found.left_out:
        parts.append("Left out: " + "; ".join(f"{name} ({why})" for name, why in found.left_out.items()) + ".")
    return "\n\n".join(parts) + "\n"


def count_range(fewest: int, most: int) -> str:
    """Return ``2 to 3``, or ``3`` where both are."""
    return str(most) if fewest == most else f"{fewest} to {most}"


def _accuracy(scores: Scores, sets: tuple[str, ...], row: str) -> float:
    means = [spread.mean for data in sets if (spread := scores.spread(data, row, "accuracy"))]
    return float(np.mean(means))
