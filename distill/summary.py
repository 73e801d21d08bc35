"""What people are told of a corpus before a run learns from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from distill.corpus import Corpus, Example, LeftOut
from distill.csv_file import write_csv
from distill.layout import first_few

_LEFT_OUT = {
    "empty label": "without a label",
    "empty text": "without a text",
    "also in test": "of dev that stand in test too",
    "also in dev or test": "of train that stand in dev or test too",
    "conflicting labels": "with conflicting labels",
    "duplicate": "repeated",
    "label not in train": "of classes that train lacks",
}
LEFT_OUT = ("file", "line", "reason", "text", "label")
"""Columns of the file of rows left out."""
# A class of fewer texts is seldom meant: often it is another one's name, mistyped.
_SMALL_CLASS = 10


def summary(corpus: Corpus, left_out: Path) -> str:
    """Return how many texts there are, what was left out, the smallest classes, and those that no score can see.

    Args:
        corpus: what a run learns from.
        left_out: the file that holds the rows left out, if there are any.
    """
    return "\n".join(filter(None, [_sizes(corpus, left_out), _smallest_classes(corpus), _unseen_classes(corpus)]))


def left_out_in_words(dropped: Mapping[str, int]) -> str:
    """Return how many rows were left out for which reason: ``1 without a text, 3 repeated``; nothing for none."""
    # A reason that another release gave is told as it stands.
    return ", ".join(f"{number} {_LEFT_OUT.get(reason, reason)}" for reason, number in dropped.items())


def write_left_out(path: Path, left_out: LeftOut) -> None:
    """Write the rows that nothing is learned from as CSV, each with its file, line and the reason.

    Raises:
        DataError: the file cannot be written.
    """
    cells = ((row.file, row.line, reason, row.text, row.label) for reason, rows in left_out.items() for row in rows)
    write_csv(path, LEFT_OUT, cells)


def _sizes(corpus: Corpus, file: Path) -> str:
    sizes = f"{len(corpus.train)} train, {len(corpus.dev)} dev, {len(corpus.test)} test texts"
    left_out = left_out_in_words(corpus.dropped)
    return f"{sizes} of {len(corpus.labels)} classes" + (f"; left out: {left_out} ({file})" if left_out else "")


def _smallest_classes(corpus: Corpus) -> str:
    sizes = Counter(example.label for example in corpus.train)
    small = sorted((size, label) for label, size in sizes.items() if size < _SMALL_CLASS)
    if not small:
        return ""
    named = first_few([f"{label!r} {size}" for size, label in small])
    return f"smallest classes, fewer than {_SMALL_CLASS} train texts: {named}; is a label mistyped?"


def _unseen_classes(corpus: Corpus) -> str:
    unseen = {"dev": _labels_without(corpus.dev, corpus), "test": _labels_without(corpus.test, corpus)}
    parts = [
        f"in {name} for {len(labels)} of {len(corpus.labels)} classes ({first_few(list(map(repr, labels)))})"
        for name, labels in unseen.items()
        if labels
    ]
    return f"no text {', '.join(parts)}: the scores there say nothing of these" if parts else ""


def _labels_without(examples: Sequence[Example], corpus: Corpus) -> list[str]:
    there = {example.label for example in examples}
    return [label for label in corpus.labels if label not in there]
