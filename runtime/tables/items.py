"""The texts to classify, as a table gives them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runtime.tables.columns import table_and_column
from runtime.tables.rows import EVERY_SHEET

CHUNK = 1024
"""Rows classified at a time, whatever reads the table: the same rows then give the same digits."""


@dataclass(frozen=True, slots=True)
class Item:
    """A text to classify.

    Attributes:
        text: the text.
        values: cells of the table row that it comes from, by column, as :attr:`runtime.tables.rows.Row.given` has them;
            ``text`` alone where there is no table.
        where: file and line, for messages.
    """

    text: str
    values: Mapping[str, object]
    where: str


def table_items(
    path: Path, text_columns: Sequence[str], encoding: str, sheet: str
) -> tuple[tuple[str, ...], Iterator[Item]]:
    """Return the columns of a table, and its texts one after another, of the first of ``text_columns`` that it has.

    Where all sheets of a workbook are read, a column ``sheet`` says behind its own ones from which a row comes.

    Raises:
        DataError: it cannot be read, or has no such column or sheet; the texts raise it too.
        ConfigError: the package that reads this format is not installed, or it has no sheets and one is named.
    """
    table, column = table_and_column(path, text_columns, encoding, sheet)
    if sheet != EVERY_SHEET:
        items = (Item(row.text(column), row.given, f"{path}, line {row.line}") for row in table)
        return table.columns, items
    origin = "sheet"
    while origin in table.columns:
        origin = f"source_{origin}"
    of_sheets = (
        Item(row.text(column), {**row.given, origin: row.sheet}, f"{path} [{row.sheet}], line {row.line}")
        for row in table
    )
    return (*table.columns, origin), of_sheets
