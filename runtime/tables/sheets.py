"""The cells of an Excel workbook, as its author sees them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.extras import needs_extra
from runtime.tables.sheet_outline import Outline, outline

if TYPE_CHECKING:
    from openpyxl.cell.read_only import ReadOnlyCell
    from openpyxl.workbook.workbook import Workbook

# Dates as Chinese, Japanese and Korean versions write them: these numbers stand for formats that no file spells out,
# and openpyxl reads them as numbers (ECMA-376, part 1, 18.8.30).
_EAST_ASIAN_DATES = frozenset([*range(27, 37), *range(50, 59)])
# A number of zeros, after a language and before the width of a sign, in the first section of a format.
_ZEROS = re.compile(r"(?:\[[^\]]*\])?(00+)(?:_.)?(?:;.*)?", re.DOTALL)
# How a file writes control characters, and text that would look like one. openpyxl decodes only some of the latter.
_ESCAPED = re.compile(r"_x(00[01][0-9A-Fa-f]|005F(?=_x[0-9A-Fa-f]{4}_))_")
# Rows read first and then at a time: a look at the head needs few, and reading a whole sheet wants large pieces.
_FIRST, _AT_A_TIME = 32, 1024


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet of a workbook.

    Attributes:
        name: as its tab shows it.
        visible: whether its tab is shown.
        rows: returns number and cells of each row, from the first to the last.
        outline: takes the line of the header and its width; returns what stands beside the table, see
            :func:`runtime.tables.sheet_outline.outline`.
    """

    name: str
    visible: bool
    rows: Callable[[], Iterator[tuple[int, Sequence[object]]]]
    outline: Callable[[int, int], Outline]


@contextmanager
def open_sheets(path: Path) -> Iterator[list[Sheet]]:
    """Yield the sheets of a workbook.

    A formula is its last value. A number in a format of zeros alone, as 12 shown as ``00012``, is the text that is
    shown, for it is a code; dates and times are those of ``datetime``.

    Raises:
        ConfigError: openpyxl is not installed.
    """
    with needs_extra(f"{path}: reading Excel files", "xlsx"):
        import openpyxl
    with _quiet():
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    try:
        sheets = enumerate(book.worksheets)
        yield [
            Sheet(sheet.title, sheet.sheet_state == "visible", partial(_rows, book, at), partial(_outline, book, at))
            for at, sheet in sheets
        ]
    finally:
        book.close()


def _rows(book: Workbook, number: int) -> Iterator[tuple[int, Sequence[object]]]:
    sheet = book.worksheets[number]
    # Some programs write a wrong size into the sheet; without it, all rows are read.
    sheet.reset_dimensions()
    rows = sheet.iter_rows()
    line, count = 0, _FIRST
    while True:
        # About styles, dates that are none and other extensions; each would be two lines on stderr.
        with _quiet():
            some = [[_value(cell) for cell in row] for row in islice(rows, count)]
        if not some:
            return
        yield from enumerate(some, line + 1)
        line, count = line + len(some), _AT_A_TIME


def _outline(book: Workbook, number: int, line: int, width: int) -> Outline:
    # Nothing public gives the XML of a sheet, by which a formula is told from a cell without content.
    with book.worksheets[number]._get_source() as stream:
        return outline(stream, line, width)


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _value(cell: ReadOnlyCell) -> object:
    value = cell.value
    if isinstance(value, str):
        return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), value) if "_x" in value else value
    if isinstance(value, float) and not isfinite(value):
        return str(value)  # 1E400 of another program than Excel
    # Most cells have no style, so that there is nothing to look up.
    if isinstance(value, int | float) and not isinstance(value, bool) and cell.has_style:
        return _formatted(cell, value)
    return value


def _formatted(cell: ReadOnlyCell, value: float) -> object:
    try:
        if cell.style_array.numFmtId in _EAST_ASIAN_DATES:
            from openpyxl.utils.datetime import from_excel

            return from_excel(value, cell.parent.parent.epoch)
        zeros = _ZEROS.fullmatch(cell.number_format)
    except (OverflowError, ValueError, IndexError):
        return value  # no date, or a style that the file does not have
    if zeros and value >= 0 and value == int(value):
        return f"{int(value):0{len(zeros[1])}}"
    return value
