"""Answers as an Excel workbook: codes stay text, numbers and dates what they are, and nothing becomes a formula."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.errors import ConfigError, DataError
from runtime.extras import needs_extra
from runtime.files import atomic_path
from runtime.output import Write, table_writer
from runtime.tables import cell_text

if TYPE_CHECKING:
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.worksheet._write_only import WriteOnlyWorksheet

MOST_ROWS = 1_048_576
"""Rows of a sheet, the header included."""
_LONGEST_CELL = 32_767
# A sheet computes with 15 digits; a longer number is a code, whose last digits would become zeros.
_EXACT_BELOW = 10**15
_AS_THEY_ARE = (bool, datetime, date, time, timedelta)
# What no XML can hold; reading a table gives lone surrogates the same fate.
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


@contextmanager
def open_workbook(path: Path, columns: Sequence[str], top_k: int) -> Iterator[Write]:
    """Yield a writer of the table's columns, then the answer; the file appears under ``path`` once it is complete.

    Characters that no workbook can hold become U+FFFD. Behind a link, it is the file that the link names which is
    replaced.

    Args:
        path: the file.
        columns: of the table.
        top_k: for more than one, the next best labels follow in columns ``label_2``, ``score_2`` and so on.

    Raises:
        ConfigError: openpyxl is not installed, or ``path`` is a device or a pipe.
        DataError: it cannot be written; from the writer too: more rows than a sheet has, or a text that is too long.
    """
    with needs_extra(f"{path}: writing Excel files", "xlsx"):
        import openpyxl
    if path.exists() and not path.is_file():
        raise ConfigError(f"--out {path} is no file; a workbook cannot be written to a device or a pipe")
    book = openpyxl.Workbook(write_only=True)
    sheet: WriteOnlyWorksheet = book.create_sheet()
    sheet.freeze_panes = "A2"
    try:
        with atomic_path(Path(os.path.realpath(path))) as temporary:
            yield table_writer(_RowWriter(sheet), columns, top_k)
            book.save(temporary)
    finally:
        if not sheet.closed:
            sheet.close()


class _RowWriter:
    """Writes one row a call; see :func:`runtime.output.table_writer`."""

    def __init__(self, sheet: WriteOnlyWorksheet) -> None:
        self._sheet = sheet
        self._rows = 0

    def __call__(self, cells: Sequence[object], answer: Sequence[object], where: str) -> None:
        """Write one row."""
        self._rows += 1
        if self._rows > MOST_ROWS:
            raise DataError(f"{where}: a sheet has no more than {MOST_ROWS:,} rows; write .csv")
        self._sheet.append([self._cell(value, where) for value in (*cells, *answer)])

    def _cell(self, value: object, where: str) -> object:
        if isinstance(value, datetime) and value.time() == time.min:
            return value.date()  # which a sheet shows without a time of day
        # A number that is not finite, as 1e999 in JSON, is not below either.
        if isinstance(value, _AS_THEY_ARE) or (isinstance(value, int | float) and abs(value) < _EXACT_BELOW):
            return value
        text = cell_text(value)
        return self._text(_NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text), where) if text else None

    def _text(self, text: str, where: str) -> WriteOnlyCell:
        from openpyxl.cell import WriteOnlyCell

        if len(text) > _LONGEST_CELL:
            raise DataError(f"{where}: a cell holds no more than {_LONGEST_CELL:,} characters; write .csv")
        cell = WriteOnlyCell(self._sheet, text)
        cell.data_type = "s"  # and no formula, whatever it begins with
        return cell
