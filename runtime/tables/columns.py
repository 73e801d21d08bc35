"""Which column of a table holds the text: the one that the user names, else that of training, else ``text``.

Several, with commas between them, count as one, as :meth:`runtime.tables.rows.Row.text` takes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from runtime.errors import DataError, MissingColumnError
from runtime.tables.header import parted
from runtime.tables.rows import Table, read_table

USUAL = "text"
"""The column where none is named, in training as here: a name that says nothing of what the column holds."""
_OPTION = "--text-column NAME"


def columns_to_try(named: str, trained: str) -> tuple[str, ...]:
    """Return the columns to look for in a table, of which the first that it has holds the text.

    Args:
        named: by the user; empty: none.
        trained: of the training data, as the manifest tells; empty: unknown.
    """
    return (named,) if named else tuple(dict.fromkeys([trained or USUAL, USUAL]))


def differ(named: str, trained: str) -> bool:
    """Return whether both are known, and are not the same columns in the same order."""
    return bool(named and trained) and parted(named) != parted(trained)


def table_and_column(path: Path, choices: Sequence[str], encoding: str, sheet: str) -> tuple[Table, str]:
    """Return a table, and the first of ``choices``, at least one, that it has.

    Raises:
        DataError: it cannot be read, or has no such sheet, or none of the columns; the message names the first.
        ConfigError: the package that reads this format is not installed, or it has no sheets and one is named.
    """
    first, *others = choices
    try:
        return _table(path, first, encoding, sheet), first
    except MissingColumnError:
        if others:
            # If it has none of them either, what is said of the first names the columns that the model knows.
            with suppress(DataError):
                return table_and_column(path, others, encoding, sheet)
        raise


def _table(path: Path, column: str, encoding: str, sheet: str) -> Table:
    table = read_table(path, encoding, {column: _OPTION}, sheet)
    _ = table.columns  # What is wrong with the file or its header shows here.
    return table
