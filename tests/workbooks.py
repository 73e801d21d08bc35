"""Excel workbooks for tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import openpyxl

Rows = Iterable[Iterable[object]]


def workbook(sheets: Mapping[str, Rows]) -> openpyxl.Workbook:
    """Return a workbook of these sheets, the header being their first row."""
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for cells in rows:
            sheet.append([*cells])
    return book


def write_workbook(path: Path, sheets: Mapping[str, Rows]) -> Path:
    """Write a workbook of these sheets and return its path."""
    workbook(sheets).save(path)
    return path


def write_sheet(path: Path, rows: Rows) -> Path:
    """Write a workbook of one sheet and return its path."""
    return write_workbook(path, {"Sheet": rows})
