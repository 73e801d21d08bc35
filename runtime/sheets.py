"""The cells of an Excel workbook, as who made it sees them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.extras import needs_extra

if TYPE_CHECKING:
    from openpyxl.cell.read_only import ReadOnlyCell
    from openpyxl.workbook.workbook import Workbook

# Dates as Chinese, Japanese and Korean versions write them: these numbers stand for formats that no file spells out,
# and openpyxl reads them as numbers (ECMA-376, part 1, 18.8.30).
_EAST_ASIAN_DATES = frozenset([*range(27, 37), *range(50, 59)])
_AT_A_TIME = 1000

Sheet = Iterator[tuple[int, Sequence[object]]]


@contextmanager
def open_sheets(path: Path) -> Iterator[dict[str, Callable[[], Sheet]]]:
    """Yield, by name of the sheet, what returns its rows: their numbers and cells, from the first to the last.

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
        yield {sheet.title: partial(_rows, book, number) for number, sheet in enumerate(book.worksheets)}
    finally:
        book.close()


def _rows(book: Workbook, number: int) -> Sheet:
    sheet = book.worksheets[number]
    # Some programs write a wrong size into the sheet; without it, all rows are read.
    sheet.reset_dimensions()
    rows = sheet.iter_rows()
    line = 0
    while True:
        # About styles, dates that are none and other extensions; each would be two lines on stderr.
        with _quiet():
            some = [[_value(cell) for cell in row] for row in islice(rows, _AT_A_TIME)]
        if not some:
            return
        yield from enumerate(some, line + 1)
        line += len(some)


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _value(cell: ReadOnlyCell) -> object:
    value = cell.value
    if isinstance(value, str):
        return _unescaped(value)
    if isinstance(value, float) and not isfinite(value):
        return str(value)  # 1E400 of another program than Excel
    # Of a style that says nothing, as most are, nothing need be looked up.
    if isinstance(value, int | float) and not isinstance(value, bool) and cell.has_style:
        return _formatted(cell, value)
    return value


def _formatted(cell: ReadOnlyCell, value: float) -> object:
    if cell.style_array.numFmtId in _EAST_ASIAN_DATES:
        from openpyxl.utils.datetime import from_excel

        return from_excel(value, cell.parent.parent.epoch)
    shown = cell.number_format
    is_code = len(shown) > 1 and not shown.strip("0") and value >= 0 and value == int(value)
    return f"{int(value):0{len(shown)}}" if is_code else value


def _unescaped(text: str) -> str:
    if "_x" not in text:
        return text
    from openpyxl.utils.escape import unescape

    return str(unescape(text))  # A carriage return, for instance, is "_x000D_" in the file.
