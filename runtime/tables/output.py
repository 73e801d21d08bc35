"""The ways in which ``gm-classify`` writes its answers as text: lines to read, CSV, TSV, JSON Lines."""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections.abc import Callable, Collection, Container, Iterable, Sequence
from enum import Enum
from math import floor
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from runtime.display import display_width
from runtime.errors import ConfigError, DataError
from runtime.prediction import FIELDS, Prediction
from runtime.streams import TABLE_ENCODING
from runtime.tables.items import Item
from runtime.tables.rows import cell_text

if TYPE_CHECKING:
    from runtime.classifier import Classifier

_SHOWN_TEXT = 80
_TORN_BY = re.compile("[\t\n\r]")
# Suffixes that promise a format that is not written: other workbooks, packed files, a single JSON value.
_NEVER_WRITTEN = (".gz", ".json", ".ods", ".parquet", ".xls", ".xlsb", ".xlsm")

OWN_NAME = "predicted_"
"""Prefix of an answer's column whose name the table uses itself; repeated until the name is free."""

Write = Callable[[Item, Prediction], None]
WriteRow = Callable[[Sequence[object], Sequence[object], str], None]
"""Takes the cells of a row, those of its answer, and where it comes from."""


class Format(Enum):
    """What answers are written as."""

    LINES = "lines for people"
    CSV = ".csv"
    TSV = ".tsv"
    JSONL = ".jsonl"
    XLSX = ".xlsx"

    @property
    def encoding(self) -> str:
        """Encoding of a text file of this format."""
        return TABLE_ENCODING if self in (Format.CSV, Format.TSV) else "utf-8"


def format_of(out: Path | None, jsonl: bool, table: bool) -> Format:
    """Return the format of the answers: what the suffix of ``out`` says, else JSON Lines where they are asked for.

    Where nothing says any, a table becomes CSV, and other texts lines for people.

    Raises:
        ConfigError: the suffix is that of a format which is not written, or of another than ``jsonl`` asks for.
    """
    suffix = out.suffix.lower() if out else ""
    if suffix in _NEVER_WRITTEN:
        raise ConfigError(
            f"--out {out}: the output is CSV, TSV, JSON Lines or a workbook; end it in .csv, .tsv, .jsonl or .xlsx"
        )
    named = next((form for form in Format if form.value == suffix), None)
    if jsonl and named not in (None, Format.JSONL):
        raise ConfigError(
            f"--out {out} does not hold the JSON Lines of --jsonl; end it in .jsonl, or leave out --jsonl"
        )
    return named or (Format.JSONL if jsonl else Format.CSV if table else Format.LINES)


def write_answers(classifier: Classifier, chunk: Sequence[Item], write: Write) -> list[Prediction]:
    """Classify some texts, write their answers in order, and return these."""
    predictions = classifier.classify_many([item.text for item in chunk])
    for item, prediction in zip(chunk, predictions, strict=True):
        write(item, prediction)
    return predictions


def answer_writer(form: Format, stream: TextIO, columns: Sequence[str], labels: tuple[str, ...], top_k: int) -> Write:
    """Return the writer of a text format, for a table with ``columns`` and a bundle with ``labels``."""
    if form is Format.LINES:
        return line_writer(stream, labels, top_k)
    writers = {Format.CSV: csv_writer, Format.TSV: tsv_writer, Format.JSONL: json_writer}
    return writers[form](stream, columns, top_k)


def line_writer(stream: TextIO, labels: tuple[str, ...], top_k: int) -> Write:
    """Return a writer of lines for people: label, score, decision, text; then the next best labels."""
    width = max(display_width(_shown(label)) for label in labels)

    def write(item: Item, prediction: Prediction) -> None:
        """Write the answer as lines."""
        decision = f"{'accepted' if prediction.accepted else 'rejected'} ({prediction.reason})"
        stream.write(
            f"{_padded(prediction.label, width)}  {_percent(prediction.score)}  {decision:25}  {_shown(item.text)}\n"
        )
        for label, score in _behind_best(prediction, top_k):
            stream.write(f"{_padded(label, width)}  {_percent(score)}\n")

    return write


def json_writer(stream: TextIO, columns: Sequence[str], top_k: int) -> Write:
    """Return a writer of one JSON object a text: its cells, then the answer; ``top`` where ``top_k`` > 1.

    The answer has the same keys in all objects, none of them in ``columns``. A row may have further columns, but none
    with the name of such a key.
    """
    # JSON is UTF-8. In a stream of another encoding it keeps to ASCII, which is the same in both, and lacks nothing.
    ascii_only = codecs.lookup(stream.encoding or "utf-8").name not in ("utf-8", "utf-8-sig")
    names = _json_names(columns, top_k)
    taken = frozenset(names.values())

    def write(item: Item, prediction: Prediction) -> None:
        """Write the answer as one JSON object."""
        _refuse_name_of_answer(item, taken)
        answer: dict[str, object] = dict(prediction.to_dict())
        if top_k > 1:
            answer["top"] = [{"label": label, "score": round(score, 6)} for label, score in prediction.top(top_k)]
        row = dict(item.values) | {names[key]: value for key, value in answer.items()}
        stream.write(json.dumps(row, ensure_ascii=ascii_only, default=cell_text) + "\n")

    return write


def csv_writer(stream: TextIO, columns: Sequence[str], top_k: int) -> Write:
    """Return a writer of CSV with the columns of the table, then the answer; ``label_2`` … for ``top_k`` > 1.

    The header is written at once, so that a table without rows has one too.
    """
    rows = csv.writer(_LineFeeds(stream))
    return table_writer(lambda cells, answer, _: rows.writerow(_texts(cells, answer)), columns, top_k)


def tsv_writer(stream: TextIO, columns: Sequence[str], top_k: int) -> Write:
    """Return a writer of TSV, as :func:`csv_writer`; it knows no quotes, so a cell with a tab is refused."""

    def write_row(cells: Sequence[object], answer: Sequence[object], where: str) -> None:
        """Write one row."""
        texts = _texts(cells, answer)
        torn = next((cell for cell in texts if _TORN_BY.search(cell)), None)
        if torn is not None:
            raise DataError(f"{where}: {_shown(torn)!r} has a tab or a line break, which TSV cannot hold; write .csv")
        stream.write("\t".join(texts) + "\n")

    return table_writer(write_row, columns, top_k)


def table_writer(write_row: WriteRow, columns: Sequence[str], top_k: int) -> Write:
    """Write the header with ``write_row``, and return a writer that passes it each answer as a row."""
    write_row(columns, [*_free_names(columns, _answer_columns(top_k)).values()], "header")
    known, taken = frozenset(columns), frozenset(_json_names(columns, top_k).values())

    def write(item: Item, prediction: Prediction) -> None:
        """Write the answer as one row."""
        new = next((name for name in item.values if name not in known), None)
        if new is not None:
            _refuse_name_of_answer(item, taken)  # JSON Lines would not hold it either.
            raise DataError(f"{item.where}: column {new!r} is not in the first row; write JSON Lines with --jsonl")
        answer = (*prediction.to_dict().values(), *_next_best(prediction, top_k))
        write_row([item.values.get(name) for name in columns], answer, item.where)

    return write


class _LineFeeds:
    """What ``csv`` writes to: ends each row with a line feed alone.

    ``csv`` quotes the characters of its own line end only. Were that a line feed, a carriage return in a text would
    stand unquoted, and to whoever reads the file it would end the row.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, row: str) -> None:
        """Write one row, as ``csv`` ends it."""
        self._stream.write(row.removesuffix("\r\n") + "\n")


def _answer_columns(top_k: int) -> list[str]:
    return [*FIELDS, *(f"{name}_{rank}" for rank in range(2, top_k + 1) for name in ("label", "score"))]


def _json_names(columns: Sequence[str], top_k: int) -> dict[str, str]:
    return _free_names(columns, (*FIELDS, "top") if top_k > 1 else FIELDS)


def _refuse_name_of_answer(item: Item, taken: Collection[str]) -> None:
    # Renaming the answer's column here would change its name in the middle of the file, and looking for the name in all
    # rows beforehand would mean reading the table twice.
    name = next((name for name in item.values if name in taken), None)
    if name is not None:
        raise DataError(
            f"{item.where}: column {name!r} is not in the first row, and the answers have one of that name; "
            "add it to the first row, as null, or rename it"
        )


def _next_best(prediction: Prediction, top_k: int) -> list[str | float]:
    """Return what stands under the columns of :func:`_answer_columns` behind those of the answer."""
    behind = _behind_best(prediction, top_k)
    behind += [("", 0.0)] * (top_k - 1 - len(behind))
    return [cell for label, score in behind for cell in (label, round(score, 6))]


def _behind_best(prediction: Prediction, top_k: int) -> list[tuple[str, float]]:
    # Asking for all scores takes a third of the time that a row of a long table takes.
    return prediction.top(top_k)[1:] if top_k > 1 else []


def _free_names(taken: Container[str], keys: Iterable[str]) -> dict[str, str]:
    """Return a column name for each key that the table does not use: a ``label`` of its own must stay readable."""
    names = {}
    for key in keys:
        name = key
        while name in taken:
            name = f"{OWN_NAME}{name}"
        names[key] = name
    return names


def _texts(cells: Sequence[object], answer: Sequence[object]) -> list[str]:
    return [*map(cell_text, cells), *map(_answer_text, answer)]


def _answer_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _shown(text: str) -> str:
    """Return the text on one line, without what would move the cursor, and not longer than a line."""
    line = " ".join(text.split())
    line = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in line)
    return line if len(line) <= _SHOWN_TEXT else line[: _SHOWN_TEXT - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _padded(label: str, width: int) -> str:
    shown = _shown(label)
    return shown + " " * (width - display_width(shown))


def _percent(score: float) -> str:
    # Rounded down: no model is sure, and 100.0 % would say so.
    return f"{floor(1000 * score) / 1000:6.1%}"
