"""Tables: the rows of CSV, TSV, JSON Lines, Excel and Parquet files, one after another.

Every format gives the same :class:`Row`, so what reads a table need not know which one it was.
openpyxl (Excel) and pyarrow (Parquet) are imported when such a file is read, not before. Text formats are
also read packed by gzip, with ``.gz`` behind their suffix.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, chain, islice
from math import isfinite
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from runtime.errors import ConfigError, DataError, GMError
from runtime.parquet import parquet_rows
from runtime.sheets import Sheet, open_sheets
from runtime.text_files import PACKED, lines, readable

# What spreadsheets and data frames write for "no value here", and in place of one that they cannot compute.
_MISSING = frozenset({"", "nan", "#n/a", "#ref!", "#value!", "#div/0!", "#name?", "#num!", "#null!"})
# Titles and notes stand above the header of many a sheet, hardly ever more of them.
_HEADER_WITHIN = 20
_LOOKED_AT = 200
EVERY_SHEET = "*"
"""Stands for all sheets that have the columns; no sheet is called so."""
_BETWEEN_COLUMNS = re.compile("[,\N{FULLWIDTH COMMA}]")
_OTHER_SEPARATORS = ";\t|\N{FULLWIDTH COMMA}"

_Read = TypeVar("_Read")
_Numbered = Iterator[tuple[int, Sequence[object]]]
_Names = Collection[str]


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
        names = [columns] if columns in self.values else _parted(columns)
        cells = (self.values.get(name, "") for name in names)
        there = [cell for cell in cells if cell.strip().lower() not in _MISSING]
        return there[0] if len(there) == 1 else " ".join(cell.strip() for cell in there)


class Table(Iterator[Row]):
    """The rows of a table, one after another; its columns are known even where it has none.

    Nothing is read before the columns or the first row are asked for.
    """

    def __init__(self, header_first: Iterator[Row]) -> None:
        """Take a header, a row of which the names count only, and the rows behind it."""
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
    columns ``wanted``, below titles and notes of fewer cells, which are left out; an Excel file gives the sheet
    that has such a row. Where there is none, and where no column is wanted, it is the first row, of the first sheet.
    Column names lose the blanks around them, and the third column is called ``column 3`` if it has none. Rows without
    any content are left out at the end alone: each other row has its place. Lone surrogates (``"\ud800"`` in JSON)
    become U+FFFD.

    Args:
        path: the file; its suffix names the format.
        encoding: of a text file. Empty: by its byte order mark, else UTF-8, else GB18030, whichever
            the first MB is.
        wanted: columns, as :meth:`Row.text` takes them, which there must be; of JSON Lines the first object decides.
            With each stands what the user sets to name another one, for the message.
        sheet: name of that of an Excel file. Empty: the one that has the columns wanted; :data:`EVERY_SHEET`: all
            that have them, one after another. A hidden one, or one without rows, counts only where no other has them.

    Raises:
        DataError: as the columns or rows are read: the file cannot be read or is not what its suffix says, it lacks
            a column or the sheet, or several sheets have the columns.
        ConfigError: likewise: the encoding is unknown, the package that reads this format is not installed, or a
            file of another format has a ``sheet``.
    """
    return Table(_header_and_rows(path, encoding, wanted, sheet))


def sheet_of(path: Path, sheet: str) -> str:
    """Return the sheet for a file that may have some: a folder may hold files of other formats too."""
    return sheet if _reader(path) is _read_xlsx else ""


def _header_and_rows(path: Path, encoding: str, wanted: Mapping[str, str], sheet: str) -> Iterator[Row]:
    with readable(path):
        reader = _reader(path)
        if sheet and reader is not _read_xlsx:
            raise ConfigError(f"{path} has no sheets; leave out --sheet")
        rows = _read_xlsx(path, encoding, wanted, sheet) if sheet else reader(path, encoding, wanted)
        header = next(rows)
        for name, option in wanted.items():
            _refuse_if_missing(path, name, option, header.values)
        yield header
        yield from rows


def _refuse_if_missing(path: Path, name: str, option: str, there: _Names) -> None:
    missing = next((part for part in _parted(name) if part not in there), None)
    if name in there or missing is None:
        return
    cure = f"name another with {option}"
    only = next(iter(there)) if len(there) == 1 else ""
    separator = next((sign for sign in _OTHER_SEPARATORS if sign in only), "")
    if separator:
        cure = f"if {separator!r} parts its columns, save it with commas"
    raise DataError(f"{path} has no column {missing!r}, only: {', '.join(there) or 'none'}; {cure}")


def _parted(columns: str) -> list[str]:
    return [name.strip() for name in _BETWEEN_COLUMNS.split(columns)]


def _has_all(there: _Names, wanted: _Names) -> bool:
    return all(name in there or all(part in there for part in _parted(name)) for name in wanted)


def _header(line: int, names: Iterable[str]) -> Row:
    values = dict.fromkeys(names, "")
    return Row(line, values, values)


def _read_csv(path: Path, encoding: str, wanted: _Names) -> Iterator[Row]:
    return _rows(path, _csv_cells(path, encoding), wanted)


def _read_tsv(path: Path, encoding: str, wanted: _Names) -> Iterator[Row]:
    numbered = enumerate(lines(path, encoding), 1)
    return _rows(path, ((number, line.rstrip("\r\n").split("\t")) for number, line in numbered), wanted)


def _read_jsonl(path: Path, encoding: str, _wanted: _Names) -> Iterator[Row]:
    empty = True
    for number, line in enumerate(lines(path, encoding), 1):
        if line.strip():
            given = {key.strip(): value for key, value in _json_object(path, number, line).items()}
            if empty:
                yield _header(number, given)
            empty = False
            yield Row(number, {key: cell_text(value) for key, value in given.items()}, given)
    if empty:
        raise DataError(f"{path} is empty; write one JSON object a line")


def _read_xlsx(path: Path, _encoding: str, wanted: _Names, sheet: str = "") -> Iterator[Row]:
    return _guard(path, "an Excel workbook", _sheet_rows(path, wanted, sheet))


def _read_parquet(path: Path, _encoding: str, wanted: _Names) -> Iterator[Row]:
    return _rows(path, _guard(path, "a Parquet file", parquet_rows(path)), wanted)


_READERS: dict[str, Callable[[Path, str, _Names], Iterator[Row]]] = {
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


def _reader(path: Path) -> Callable[[Path, str, _Names], Iterator[Row]]:
    packed = path.suffix.lower() == PACKED
    reader = _READERS.get("".join(path.suffixes[-2:] if packed else path.suffixes[-1:]).lower())
    if reader is None:
        raise DataError(f"{path}: the suffix {path.suffix!r} is none of {' '.join(SUFFIXES)}; save it as one of these")
    return reader


def _rows(path: Path, numbered: _Numbered, wanted: _Names, sheet: str = "") -> Iterator[Row]:
    rows = _without_empty_ends(numbered)
    head = list(islice(rows, _HEADER_WITHIN))
    at = _header_at([cells for _, cells in head], wanted) or 0
    first, header = head[at] if head else (0, ())
    names = _column_names(path, header)
    yield _header(first, names)
    for line, cells in chain(head[at + 1 :], rows):
        if any(cell_text(cell) for cell in cells[len(names) :]):
            raise DataError(
                f"{path}, line {line}: {len(cells)} cells but {len(names)} columns; quote or remove the extra"
            )
        padded = [*cells, *[""] * (len(names) - len(cells))]
        values = {name: cell_text(cell) for name, cell in zip(names, padded, strict=False)}
        yield Row(line, values, _typed(names, padded) if sheet else values, sheet)


def _typed(names: Sequence[str], cells: Sequence[object]) -> dict[str, object]:
    return {name: "" if cell is None else cell for name, cell in zip(names, cells, strict=False)}


def _without_empty_ends(numbered: _Numbered) -> _Numbered:
    """Leave out rows without any content before the first row that has some, and behind the last one."""
    begun, empty = False, list[int]()
    for line, cells in numbered:
        if any(cell not in (None, "") for cell in cells):
            yield from ((number, ()) for number in empty)
            empty.clear()
            begun = True
            yield line, cells
        elif begun:
            empty.append(line)


def _header_at(head: Sequence[Sequence[object]], wanted: _Names) -> int | None:
    """Return where among the first rows of a table the header stands, if it names all columns wanted.

    Titles and notes above it have fewer cells; a row of as many is a row of data, and one below it no header.
    """
    names = [{cell_text(cell).strip() for cell in cells} - {""} for cells in head]
    widest = accumulate((len(there) for there in names), max, initial=0)
    found = (place for place, (there, above) in enumerate(zip(names, widest, strict=False)) if len(there) > above)
    return next((place for place in found if _has_all(names[place], wanted)), None)


def _column_names(path: Path, header: Sequence[object]) -> list[str]:
    given = [cell_text(cell).strip() for cell in header]
    if not any(given):
        raise DataError(f"{path} is empty; its first line must name the columns")
    names = [name or f"column {place}" for place, name in enumerate(given, 1)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"{path} has two columns {twice!r}; rename or remove one")
    return names


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


def _sheet_rows(path: Path, wanted: _Names, named: str) -> Iterator[Row]:
    with open_sheets(path) as sheets:
        for place, sheet in enumerate(_chosen(path, sheets, wanted, named)):
            rows = _rows(path, sheet.rows(), wanted, sheet.name)
            header = next(rows)
            if place == 0:
                yield header
            yield from rows


def _chosen(path: Path, sheets: Sequence[Sheet], wanted: _Names, named: str) -> list[Sheet]:
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
            f"{path}: the sheets {names} have these columns; name one with --sheet, or save it as a file of its own"
        )
    return found or [sheets[0]]


def _fit(sheet: Sheet, wanted: _Names) -> int:
    """Return 0 for a sheet that lacks columns, else more the likelier it is the one that is meant."""
    # Formatted rows without content, of which there may be many thousands, are no head.
    head = list(islice(_without_empty_ends(islice(sheet.rows(), _LOOKED_AT)), _HEADER_WITHIN + 1))
    at = _header_at([cells for _, cells in head[:_HEADER_WITHIN]], wanted)
    return 0 if at is None else 1 + 2 * sheet.visible + (len(head) > at + 1)


def _guard(path: Path, kind: str, read: Iterator[_Read]) -> Iterator[_Read]:
    try:
        yield from read
    except (GMError, OSError):
        raise
    except Exception as error:  # what a parser raises on a damaged file is not documented
        raise DataError(f"{path} is not {kind} ({type(error).__name__}: {error}); save it again") from error
