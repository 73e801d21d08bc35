"""The header of a table: which of the first rows it is, the names of the columns, and which one is missing.

Rows are lists of cells as stripped text; a cell without content is the empty string.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from runtime.errors import DataError, MissingColumnError

# Many sheets have titles and notes above the header, hardly ever more rows than this.
HEADER_WITHIN = 20
"""Rows among which the header is sought."""
_BETWEEN_COLUMNS = re.compile("[,\N{FULLWIDTH COMMA}]")
_OTHER_SEPARATORS = ";\t|\N{FULLWIDTH COMMA}"

_Rows = Sequence[Sequence[str]]


def split_names(columns: str) -> list[str]:
    """Split names of columns at commas, ASCII or full-width."""
    return [name.strip() for name in _BETWEEN_COLUMNS.split(columns)]


def header_at(rows: _Rows, wanted: Collection[str]) -> int | None:
    """Return where among the first rows of a table the header stands, if it names all columns wanted.

    One wanted column may be found by chance, in a cell of a data row: so the row must also have a cell where each row
    above has none, as the second line of a header does. With two or more columns that is not asked for.
    """
    several = sum(len(split_names(columns)) for columns in wanted) > 1
    return next(
        (at for at, names in enumerate(rows) if _has_all(names, wanted) and (several or _may_be_header(rows, at))), None
    )


def likeliest_header(rows: _Rows, wanted: Collection[str]) -> int:
    """Return where the header stands, or where it most likely does if none names all columns wanted.

    That is the row that names most of them; where none names any, the first that is not a title or a note: these have
    few cells.
    """
    at = header_at(rows, wanted) if wanted else 0
    if at is not None or not rows:
        return at or 0
    found = [count_named(wanted, names) * _may_be_header(rows, at) for at, names in enumerate(rows)]
    if max(found):
        return found.index(max(found))
    filled = [sum(map(bool, names)) for names in rows]
    return next((at for at, cells in enumerate(filled) if 2 * cells > max(filled)), 0)


def count_named(wanted: Collection[str], names: Collection[str]) -> int:
    """Return how many of the columns wanted are among ``names``."""
    sought = {*wanted, *(name for columns in wanted for name in split_names(columns))}
    return len(sought.intersection(names))


def column_names(header: Sequence[str]) -> list[str]:
    """Return the names of all columns: the third is called ``column 3`` if it has none."""
    return [name or unnamed(place) for place, name in enumerate(header)]


def unnamed(place: int) -> str:
    """Return the name of a column that has none, by its place from 0."""
    return f"column {place + 1}"


def check_header(where: str, rows: _Rows, names: Collection[str], wanted: Mapping[str, str]) -> None:
    """Refuse a header that lacks a column.

    Args:
        where: the table, for the message.
        rows: its first rows.
        names: of its columns.
        wanted: required columns, and for each the option by which the user names another.

    Raises:
        MissingColumnError: a column is missing.
    """
    absent = ((columns, option) for columns, option in wanted.items() if columns not in names)
    lacking = ((name, option) for columns, option in absent for name in split_names(columns))
    missing, option = next(((name, option) for name, option in lacking if name not in names), ("", ""))
    if not missing:
        return
    there, cure = ", ".join(names), f"name another with {option}"
    separated = _other_separator([*rows, list(names)], missing)
    if separated:
        there, cure = separated[1], f"if {separated[0]!r} parts its columns, save it with commas"
    raise MissingColumnError(f"{where} has no column {missing!r}, only: {there or 'none'}; {cure}")


def check_names(where: str, names: Sequence[str]) -> None:
    """Refuse a header, or a JSON object, with two columns of one name.

    Raises:
        DataError: two columns have one name.
    """
    twice = next((name for name, times in Counter(names).items() if times > 1), None)
    if twice is not None:
        raise DataError(f"{where} has two columns {twice!r}; rename or remove one")


def _has_all(there: Collection[str], wanted: Collection[str]) -> bool:
    return all(name in there or all(part in there for part in split_names(name)) for name in wanted)


def _may_be_header(rows: _Rows, at: int) -> bool:
    """Return whether a row has a cell where each row above it has none: titles and notes are not as wide."""
    filled = _filled(rows[at])
    return all(filled - _filled(above) for above in rows[:at])


def _filled(names: Sequence[str]) -> set[int]:
    return {place for place, name in enumerate(names) if name}


def _other_separator(rows: _Rows, missing: str) -> tuple[str, str] | None:
    """Return the separator that seems to stand for commas, and the row that shows it; the last row is the header."""
    whole = [",".join(name for name in names if name) for names in rows]
    for sign in _OTHER_SEPARATORS:
        for row in whole:
            if sign in row and missing in (name.strip(' "') for name in row.split(sign)):
                return sign, row
    only = rows[-1][0] if len(rows[-1]) == 1 else ""
    return next(((sign, only) for sign in _OTHER_SEPARATORS if sign in only), None)
