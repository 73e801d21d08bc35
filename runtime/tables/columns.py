"""Which column of a table holds the text: the one that the user names, else that of training, else ``text``.

Several, with commas between them, count as one, as :meth:`runtime.tables.rows.Row.text` takes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from runtime.errors import DataError, MissingColumnError
from runtime.tables.header import split_names
from runtime.tables.rows import Table, read_table

USUAL = "text"
"""The default column, in training as here; as a default, it says nothing about what the column holds."""
_OPTION = "--text-column NAME"


def columns_to_try(named: str, trained: str) -> tuple[str, ...]:
    """Return the columns to look for in a table, of which the first that it has holds the text.

    Args:
        named: by the user; empty: none.
        trained: of the training data, as the manifest tells; empty: unknown.
    """
    return (named,) if named else tuple(dict.fromkeys([trained or USUAL, USUAL]))


def differ_in_columns(named: str, trained: str) -> bool:
    """Return whether both are known, and do not name the same columns in the same order."""
    return bool(named and trained) and split_names(named) != split_names(trained)


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
            # If it has none of them either, the first error stands: it names the column of the training data.
            with suppress(DataError):
                return table_and_column(path, others, encoding, sheet)
        raise


def _table(path: Path, column: str, encoding: str, sheet: str) -> Table:
    table = read_table(path, encoding, {column: _OPTION}, sheet)
    _ = table.columns  # Reads the header, so that what is wrong with it is raised here.
    return table
