"""The summary of a corpus that users see before a run learns from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from distill.data.corpus import Cleaned, Corpus, Example, LeftOut
from distill.data.csv_file import write_csv
from distill.data.label_faults import lost_classes, many_without_label, written_alike
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
_NAMED = 3


def summary(corpus: Corpus, left_out: Path) -> str:
    """Return how many texts there are, what was left out, what looks wrong with labels, and classes without a score.

    Args:
        corpus: what a run learns from.
        left_out: the file that holds the rows left out, if there are any.
    """
    rows = len(corpus.train) + len(corpus.dev) + len(corpus.test)
    faults = _faults(corpus.train, corpus.labels, corpus.left_out, rows)
    return "\n".join(filter(None, [_sizes(corpus, left_out), *faults, _unseen_classes(corpus)]))


def summary_uncut(cleaned: Cleaned, left_out: Path) -> str:
    """Return the same as :func:`summary` for rows that cannot be split."""
    first = f"{cleaned.rows} texts of {len(cleaned.labels)} classes" + _left_out(cleaned.left_out, left_out)
    faults = _faults(cleaned.train, cleaned.labels, cleaned.left_out, cleaned.rows)
    return "\n".join(filter(None, [first, *faults]))


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
    return f"{sizes} of {len(corpus.labels)} classes" + _left_out(corpus.left_out, file)


def _left_out(rows: LeftOut, file: Path) -> str:
    words = left_out_in_words({reason: len(of_reason) for reason, of_reason in rows.items()})
    return f"; left out: {words} ({file})" if words else ""


def _faults(train: Sequence[Example], labels: Sequence[str], left_out: LeftOut, rows: int) -> list[str]:
    """Return a line for each thing that looks wrong, or nothing in its place; ``rows`` are not left out."""
    lost = lost_classes(labels, left_out)
    alike = written_alike([*labels, *lost])
    return [many_without_label(left_out, rows), _lost(lost), _alike(alike), _smallest_classes(train)]


def _lost(lost: Mapping[str, Mapping[str, int]]) -> str:
    parts = [f"class {label!r}: {left_out_in_words(reasons)}" for label, reasons in lost.items()]
    more = [f"{len(parts) - _NAMED} more classes"] if len(parts) > _NAMED else []
    return f"no row is left of {'; of '.join([*parts[:_NAMED], *more])}" if parts else ""


def _alike(groups: Sequence[Sequence[str]]) -> str:
    parts = [", ".join(map(repr, group)) for group in groups]
    more = [f"{len(parts) - _NAMED} more such groups"] if len(parts) > _NAMED else []
    names = "; ".join([*parts[:_NAMED], *more])
    said = f"labels that differ only in width, case or white space: {names}; write them alike where they mean one class"
    return said if parts else ""


def _smallest_classes(train: Sequence[Example]) -> str:
    sizes = Counter(example.label for example in train)
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
