"""Tables: the rows of CSV, TSV, JSON Lines, Excel and Parquet files, one after another.

Every format gives the same :class:`Row`, so what reads a table need not know which one it was.
openpyxl (Excel) and pyarrow (Parquet) are imported when such a file is read, not before. Text formats are
also read packed by gzip, with ``.gz`` behind their suffix.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice
from math import isfinite
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from runtime.errors import ConfigError, DataError, GMError
from runtime.tables.header import (
    HEADER_WITHIN,
    check_header,
    check_names,
    column_names,
    count_named,
    header_at,
    likeliest_header,
    split_names,
    unnamed,
)
from runtime.tables.parquet import parquet_rows
from runtime.tables.sheet_outline import address
from runtime.tables.sheets import Sheet, open_sheets
from runtime.tables.text_files import PACKED, lines, readable

# What spreadsheets and data frames write for "no value here", and in place of one that they cannot compute.
_MISSING = frozenset({"", "nan", "#n/a", "#ref!", "#value!", "#div/0!", "#name?", "#num!", "#null!"})
_LOOKED_AT = 200
EVERY_SHEET = "*"
"""Stands for all sheets that have the columns; no sheet is called so."""

_Read = TypeVar("_Read")
_Numbered = Iterator[tuple[int, Sequence[object]]]
_Wanted = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table.

    Attributes:
        line: 1-based line of the file on which the row begins (row of the sheet); the header is 1.
        values: cell by column name, as text; a missing cell and null are the empty string.
        given: of JSON Lines and Excel files, the values as they are in the file, in which dates are those of
            ``datetime``; of other formats, ``values``.
        sheet: of Excel files, the name of the sheet.
    """

    line: int
    values: dict[str, str]
    given: Mapping[str, object]
    sheet: str = ""

    def text(self, columns: str) -> str:
        """Return a cell, or several joined by blanks: ``columns`` is one name, or several between commas.

        What spreadsheets and data frames write for "no value here", as ``NaN``, and the errors of formulas, as ``#N/A``
        and ``#REF!``, are no text.
        """
        names = [columns] if columns in self.values else split_names(columns)
        cells = (self.values.get(name, "") for name in names)
        there = [cell for cell in cells if cell.strip().lower() not in _MISSING]
        return there[0] if len(there) == 1 else " ".join(cell.strip() for cell in there)


class Table(Iterator[Row]):
    """The rows of a table, one after another; its columns are known even where it has none.

    Nothing is read before the columns or the first row are asked for.
    """

    def __init__(self, header_first: Iterator[Row]) -> None:
        """Take rows of which the first is the header: only its names count."""
        self._rows = header_first

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns in their order; of JSON Lines, the keys of the first object."""
        return tuple(next(self._rows).values)

    def __iter__(self) -> Iterator[Row]:
        _ = self.columns  # The header is no row.
        return self._rows

    def __next__(self) -> Row:
        return next(iter(self))


def read_table(
    path: Path, encoding: str = "", wanted: Mapping[str, str] = MappingProxyType({}), sheet: str = ""
) -> Table:
    r"""Return the rows of a ``.csv``, ``.tsv``, ``.jsonl``, ``.xlsx`` or ``.parquet`` file.

    CSV is quoted as in RFC 4180, TSV not at all. The header is the first of the first twenty rows that names all
    columns ``wanted``, below titles and notes, which are left out; an Excel file gives the sheet that has such a row.
    Where no column is wanted, it is the first row, of the first sheet. Column names lose the blanks around them, and
    the third column is called ``column 3`` if it has none, as one of remarks right of a sheet's header. Empty
    rows are left out only at the end: all others keep their place. Lone surrogates (``"\ud800"`` in JSON)
    become U+FFFD.

    Args:
        path: the file; its suffix names the format.
        encoding: of a text file. Empty: by its byte order mark, else UTF-8, else GB18030, whichever
            the first MB is.
        wanted: required columns, as :meth:`Row.text` takes them, each with the option by which the user names another,
            for the message. In JSON Lines the first object must have them.
        sheet: name of that of an Excel file. Empty: the one that has the columns wanted; :data:`EVERY_SHEET`: all
            that have them, one after another, and the columns of all. A hidden one, or one without rows, counts only
            where no other has them.

    Raises:
        DataError: as the columns or rows are read: the file cannot be read or is not what its suffix says, it lacks
            a column or the sheet, several sheets have the columns, or a sheet has formulas without a stored value.
        ConfigError: likewise: the encoding is unknown, the package that reads this format is not installed, or a
            file of another format has a ``sheet``.
    """
    return Table(_header_and_rows(path, encoding, wanted, sheet))


def sheet_of(path: Path, sheet: str) -> str:
    """Return ``sheet`` for a workbook, and nothing for other files: a folder may hold both."""
    return sheet if _reader(path) is _read_xlsx else ""


def _header_and_rows(path: Path, encoding: str, wanted: Mapping[str, str], sheet: str) -> Iterator[Row]:
    with readable(path):
        reader = _reader(path)
        if sheet and reader is not _read_xlsx:
            raise ConfigError(f"{path} has no sheets; leave out --sheet")
        rows = _read_xlsx(path, encoding, wanted, sheet) if sheet else reader(path, encoding, wanted)
        yield from rows


def _header(line: int, names: Iterable[str]) -> Row:
    values = dict.fromkeys(names, "")
    return Row(line, values, values)


def _read_csv(path: Path, encoding: str, wanted: _Wanted) -> Iterator[Row]:
    return _rows(path, _csv_cells(path, encoding), wanted)


def _read_tsv(path: Path, encoding: str, wanted: _Wanted) -> Iterator[Row]:
    numbered = enumerate(lines(path, encoding), 1)
    return _rows(path, ((number, line.rstrip("\r\n").split("\t")) for number, line in numbered), wanted)


def _read_jsonl(path: Path, encoding: str, wanted: _Wanted) -> Iterator[Row]:
    empty = True
    for number, line in enumerate(lines(path, encoding), 1):
        if line.strip():
            stored = _json_object(path, number, line)
            given = {key.strip(): value for key, value in stored.items()}
            if len(given) < len(stored):
                check_names(f"{path}, line {number}", [key.strip() for key in stored])
            if empty:
                check_header(str(path), [], given, wanted)
                yield _header(number, given)
            empty = False
            yield Row(number, {key: cell_text(value) for key, value in given.items()}, given)
    if empty:
        raise DataError(f"{path} is empty; write one JSON object a line")


def _read_xlsx(path: Path, _encoding: str, wanted: _Wanted, sheet: str = "") -> Iterator[Row]:
    return _guard(path, "an Excel workbook", _sheet_rows(path, wanted, sheet))


def _read_parquet(path: Path, _encoding: str, wanted: _Wanted) -> Iterator[Row]:
    return _rows(path, _guard(path, "a Parquet file", parquet_rows(path)), wanted)


_READERS: dict[str, Callable[[Path, str, _Wanted], Iterator[Row]]] = {
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".jsonl": _read_jsonl,
    ".xlsx": _read_xlsx,
    ".parquet": _read_parquet,
}
# Excel and Parquet files are packed inside, and are read from any place, not from start to end.
_READERS |= {suffix + PACKED: _READERS[suffix] for suffix in (".csv", ".tsv", ".jsonl")}
SUFFIXES = tuple(_READERS)
"""Suffixes that :func:`read_table` reads, in lower case."""


def _reader(path: Path) -> Callable[[Path, str, _Wanted], Iterator[Row]]:
    packed = path.suffix.lower() == PACKED
    reader = _READERS.get("".join(path.suffixes[-2:] if packed else path.suffixes[-1:]).lower())
    if reader is None:
        raise DataError(f"{path}: the suffix {path.suffix!r} is none of {' '.join(SUFFIXES)}; save it as one of these")
    return reader


def _rows(path: Path, numbered: _Numbered, wanted: _Wanted, sheet: Sheet | None = None) -> Iterator[Row]:
    tab = sheet.name if sheet else ""
    where = f"{path} [{tab}]" if tab else str(path)
    rows = _without_empty_ends(numbered)
    head = list(islice(rows, HEADER_WITHIN))
    at = likeliest_header(_as_names(head), wanted)
    first, header = head[at] if head else (0, ())
    if not any(_names(header)):
        raise DataError(f"{where} is empty; its first line must name the columns")
    width, beside = len(header), _beside(where, sheet, first, len(header)) if sheet else ()
    names = column_names(_names(header)) + [unnamed(place) for place in beside]
    check_header(where, _as_names(head), names, wanted)
    check_names(where, names)
    yield _header(first, names)
    for line, cells in chain(head[at + 1 :], rows):
        if any(cell_text(cell) for cell in cells[width:]):
            _refuse_surplus(where, line, cells, width, beside, sheet)
        padded = [*cells, *[""] * (width - len(cells))]
        if beside:
            padded[width:] = [cells[place] if place < len(cells) else "" for place in beside]
        values = {name: cell_text(cell) for name, cell in zip(names, padded, strict=False)}
        yield Row(line, values, _typed(names, padded) if tab else values, tab)


def _as_names(rows: Iterable[tuple[int, Sequence[object]]]) -> list[list[str]]:
    return [_names(cells) for _, cells in rows]


def _names(cells: Sequence[object]) -> list[str]:
    return [cell_text(cell).strip() for cell in cells]


def _beside(where: str, sheet: Sheet, header: int, width: int) -> tuple[int, ...]:
    """Return the places right of a header in which some row of the sheet has a cell."""
    outline = sheet.outline(header, width)
    if outline.unvalued:
        raise DataError(
            f"{where}: formulas without a stored value: {outline.unvalued}, the first in {outline.first_unvalued}; "
            "open the file in Excel and save it"
        )
    return outline.beside


def _refuse_surplus(
    where: str, line: int, cells: Sequence[object], width: int, beside: Collection[int], sheet: Sheet | None
) -> None:
    place = next((at for at in range(width, len(cells)) if at not in beside and cell_text(cells[at])), None)
    if place is None:
        return
    if sheet is None:
        raise DataError(f"{where}, line {line}: {len(cells)} cells but {width} columns; quote or remove the extra")
    cell = address(place, line)
    raise DataError(f"{where}: {cell} stands right of the table; clear it, or give its column a name in the header")


def _typed(names: Sequence[str], cells: Sequence[object]) -> dict[str, object]:
    return {name: "" if cell is None else cell for name, cell in zip(names, cells, strict=False)}


def _without_empty_ends(numbered: _Numbered) -> _Numbered:
    """Leave out the empty rows before the first row with content and after the last one."""
    begun, empty = False, list[int]()
    for line, cells in numbered:
        if any(cell not in (None, "") for cell in cells):
            yield from ((number, ()) for number in empty)
            empty.clear()
            begun = True
            yield line, cells
        elif begun:
            empty.append(line)


def cell_text(value: object) -> str:
    """Return a cell as text: 1.0 as a sheet shows it, nothing for a missing value."""
    if isinstance(value, str):
        text = value
    elif value is None or value != value:  # NaN is not itself
        text = ""
    elif isinstance(value, float) and value.is_integer():
        text = str(int(value))
    elif isinstance(value, bytes):
        text = value.decode("utf-8", "replace")
    elif isinstance(value, dict | list):
        # Lists of a Parquet file may hold dates, decimal numbers and bytes, which JSON lacks.
        text = json.dumps(value, ensure_ascii=False, default=cell_text)
    else:
        text = str(value)
    return _without_lone_surrogates(text)


def _without_lone_surrogates(text: str) -> str:
    # A lone surrogate cannot be written to any file again.
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _csv_cells(path: Path, encoding: str) -> _Numbered:
    # The limit is there for programs that do not trust their input's size; one cell of 10 MB is legal here.
    csv.field_size_limit(2**31 - 1)
    # Strict, because a quote that is never closed would swallow the rest of the file in silence.
    reader = csv.reader(lines(path, encoding), strict=True)
    start = 1
    try:
        for cells in reader:
            yield start, cells
            start = reader.line_num + 1
    except csv.Error as error:
        hint = "quote cells that hold quotes or line breaks, and double the quotes in them"
        raise DataError(f"{path}, line {start}: not valid CSV ({error}); {hint}") from error


def _json_object(path: Path, number: int, line: str) -> dict[str, object]:
    try:
        # NaN and infinity, which Python and pandas write, are no JSON and no value; nor is what a float cannot hold.
        value = json.loads(line, parse_constant=lambda _: None, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}, line {number}: not valid JSON ({error}); write one object a line") from error
    if not isinstance(value, dict):
        raise DataError(f"{path}, line {number}: a JSON {type(value).__name__}, not an object; write one object a line")
    return value


def _finite(digits: str) -> float | None:
    number = float(digits)
    return number if isfinite(number) else None


def _sheet_rows(path: Path, wanted: _Wanted, named: str) -> Iterator[Row]:
    with open_sheets(path) as sheets:
        tables = [_rows(path, sheet.rows(), wanted, sheet) for sheet in _chosen(path, sheets, wanted, named)]
        headers = [next(rows) for rows in tables]
        yield _header(headers[0].line, chain.from_iterable(header.values for header in headers))
        yield from chain.from_iterable(tables)


def _chosen(path: Path, sheets: Sequence[Sheet], wanted: _Wanted, named: str) -> list[Sheet]:
    """Return the sheet that is named, or that has the columns; all of those for :data:`EVERY_SHEET`."""
    if not sheets:
        raise DataError(f"{path} has no sheet with cells; save the table in one")
    if named not in ("", EVERY_SHEET):
        found = [sheet for sheet in sheets if sheet.name == named]
        if not found:
            names = ", ".join(sheet.name for sheet in sheets)
            raise DataError(f"{path} has no sheet {named!r}, only: {names}; name another with --sheet")
        return found
    fits = [(_fit(sheet, wanted), sheet) for sheet in sheets] if wanted else []
    # A sheet that is hidden, or has a header alone, counts only where no other has the columns.
    best = max((fit for fit, _ in fits), default=0)
    found = [sheet for fit, sheet in fits if fit and fit == best]
    if len(found) > 1 and not named:
        names = ", ".join(repr(sheet.name) for sheet in found)
        raise DataError(
            f'{path}: the sheets {names} have these columns; name one with --sheet, or read all with --sheet "*"'
        )
    return found or [max(sheets, key=lambda sheet: _named(sheet, wanted))]


def _fit(sheet: Sheet, wanted: _Wanted) -> int:
    """Return 0 for a sheet that lacks columns, else a number that is the higher, the likelier the sheet is meant."""
    head = _head(sheet)
    at = header_at(_as_names(head[:HEADER_WITHIN]), wanted)
    return 0 if at is None else 1 + 2 * sheet.visible + (len(head) > at + 1)


def _named(sheet: Sheet, wanted: _Wanted) -> int:
    """Return how many wanted columns a sheet names; where no sheet has all, the message shows the best one's header.

    A sheet without rows, which has none to show, gets -1.
    """
    rows = _as_names(_head(sheet)[:HEADER_WITHIN]) if wanted else []
    return count_named(wanted, rows[likeliest_header(rows, wanted)]) if rows else -1


def _head(sheet: Sheet) -> list[tuple[int, Sequence[object]]]:
    # Formatted rows without content, of which there may be many thousands, do not count.
    return list(islice(_without_empty_ends(islice(sheet.rows(), _LOOKED_AT)), HEADER_WITHIN + 1))


def _guard(path: Path, kind: str, read: Iterator[_Read]) -> Iterator[_Read]:
    try:
        yield from read
    except (GMError, OSError):
        raise
    except Exception as error:  # what a parser raises on a damaged file is not documented
        raise DataError(f"{path} is not {kind} ({type(error).__name__}: {error}); save it again") from error
