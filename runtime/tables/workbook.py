"""Answers as an Excel workbook: codes stay text, numbers and dates what they are, and nothing becomes a formula."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.errors import ConfigError, DataError
from runtime.extras import needs_extra
from runtime.files import atomic_path
from runtime.streams import behind_link
from runtime.tables.output import Write, table_writer
from runtime.tables.rows import cell_text

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

MOST_ROWS = 1_048_576
"""Rows of a sheet, the header included."""
_MOST_COLUMNS = 16_384
_LONGEST_CELL = 32_767  # UTF-16 units
# A sheet computes with 15 digits; a longer whole number is a code, whose last digits would become zeros.
_EXACT_BELOW = 10**15
_FIRST_YEAR = 1900
# What XML cannot hold in any way; reading a table gives lone surrogates the same fate.
_NOT_IN_XML = re.compile("[\ufffe\uffff]")


@contextmanager
def open_workbook(path: Path, columns: Sequence[str], top_k: int) -> Iterator[Write]:
    """Yield a writer of the table's columns, then the answer; the file appears under ``path`` once it is complete.

    If ``path`` is a link, the file that it points to is replaced, not the link.

    Args:
        path: the file.
        columns: of the table.
        top_k: for more than one, the next best labels follow in columns ``label_2``, ``score_2`` and so on.

    Raises:
        ConfigError: XlsxWriter is not installed, or ``path`` is a device or a pipe.
        DataError: it cannot be written; from the writer too: more rows than a sheet has, or a text that is too long.
    """
    with needs_extra(f"{path}: writing Excel files", "xlsx"):
        import xlsxwriter
        from xlsxwriter.exceptions import FileCreateError
    if path.exists() and not path.is_file():
        raise ConfigError(f"--out {path} is no file; a workbook cannot be written to a device or a pipe")
    with atomic_path(behind_link(path)) as temporary:
        # Packed in memory, so that only our own write meets a full disk; until then the rows are in a file beside it.
        packed = io.BytesIO()
        book = xlsxwriter.Workbook(packed, {"constant_memory": True, "tmpdir": str(temporary.parent)})
        sheet = book.add_worksheet()
        try:
            yield table_writer(_RowWriter(book, sheet), columns, top_k)
            book.close()
        except FileCreateError as error:
            raise error.args[0] from error  # an OSError
        finally:
            sheet._opt_close()  # closes that file, which Windows could not remove otherwise; there is no public way
        temporary.write_bytes(packed.getvalue())


class _RowWriter:
    """Writes one row a call; see :func:`runtime.tables.output.table_writer`."""

    def __init__(self, book: Workbook, sheet: Worksheet) -> None:
        self._sheet = sheet
        self._rows = 0
        self._text = book.add_format({"num_format": "@"})  # so that a code stays one when it is edited
        shown_as = (
            (datetime, "yyyy-mm-dd hh:mm:ss"),
            (date, "yyyy-mm-dd"),
            (time, "hh:mm:ss"),
            (timedelta, "[h]:mm:ss"),
        )
        self._moments: dict[type, Format] = {kind: book.add_format({"num_format": how}) for kind, how in shown_as}
        sheet.freeze_panes(1, 0)
        sheet.ignore_errors({"number_stored_as_text": "A1:XFD1048576"})

    def __call__(self, cells: Sequence[object], answer: Sequence[object], where: str) -> None:
        """Write one row."""
        if self._rows == MOST_ROWS:
            raise DataError(f"{where}: a sheet has no more than {MOST_ROWS:,} rows; write .csv")
        if len(cells) + len(answer) > _MOST_COLUMNS:
            raise DataError(f"{where}: a sheet has no more than {_MOST_COLUMNS:,} columns; write .csv")
        for column, value in enumerate((*cells, *answer)):
            self._write(column, value, where)
        self._rows += 1

    def _write(self, column: int, value: object, where: str) -> None:
        if isinstance(value, bool):
            self._sheet.write_boolean(self._rows, column, value)
        elif isinstance(value, int | float) and _is_number(value):
            self._sheet.write_number(self._rows, column, value)
        elif isinstance(value, date | time | timedelta) and getattr(value, "year", _FIRST_YEAR) >= _FIRST_YEAR:
            # A date in a sheet arrives here as its midnight, and is written as a date again.
            moment = value.date() if isinstance(value, datetime) and value.time() == time.min else value
            self._sheet.write_datetime(self._rows, column, moment, self._moments[type(moment)])
        else:
            self._write_text(column, cell_text(value), where)

    def _write_text(self, column: int, text: str, where: str) -> None:
        if len(text.encode("utf-16-le")) > 2 * _LONGEST_CELL:
            raise DataError(f"{where}: a cell holds no more than {_LONGEST_CELL:,} characters; write .csv")
        if text:
            text = _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text)
            self._sheet.write_string(self._rows, column, text, self._text)


def _is_number(value: float) -> bool:
    """Return whether a sheet holds this very number; one that is not finite, as 1e999 in JSON, is none to it."""
    return abs(value) < _EXACT_BELOW if isinstance(value, int) else isfinite(value)
