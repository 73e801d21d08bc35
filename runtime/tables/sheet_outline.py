"""What a scan of a sheet's XML finds before its rows are read: cells beside the table, and formulas without a value.

A scan takes a tenth of the time that openpyxl takes to parse the XML, and few sheets have any of these.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

_BLOCK = 1 << 20
# A longer row can only be one without an end; what follows need not be kept whole.
_LONGEST_ROW = 64 << 20
# Some programs give each tag a prefix, as in <x:c r="A1">.
_PLACE = re.compile(rb"\sr=[\"']([A-Z]{1,3})(\d+)")
_COLUMN = re.compile(rb"\sr=[\"']([A-Z]{1,3})")
_CELL = re.compile(rb"<(?:\w+:)?c(\s[^>]*?)(?:/>|>(.*?)</(?:\w+:)?c>)", re.DOTALL)
_FORMULA = re.compile(rb"<(?:\w+:)?f[\s/>]")
_CONTENT = re.compile(rb"<(?:\w+:)?[vt](?:\s[^>]*)?>[^<]")
_EMPTY_TEXT = re.compile(rb"\st=[\"']str[\"']")
_VALUE = re.compile(rb"<(?:\w+:)?v[\s/>]")


@dataclass(frozen=True, slots=True)
class Outline:
    """What a sheet has beside its table.

    Attributes:
        beside: places from 0, ascending, of the columns right of the header in which some cell has content.
        unvalued: number of formulas that were never computed: the file has no value for them.
        first_unvalued: address of the first of them, as ``A2``.
    """

    beside: tuple[int, ...] = ()
    unvalued: int = 0
    first_unvalued: str = ""


def outline(stream: IO[bytes], line: int, width: int) -> Outline:
    """Look through the XML of a sheet.

    Cells that do not say where they stand, as some programs write them, are passed over.

    Args:
        stream: the XML.
        line: number of the row from which on to look, the header.
        width: columns of the header.
    """
    beside, unvalued, first = set[int](), 0, ""
    for rows in _whole_rows(stream):
        formulas = b"<f" in rows or b":f" in rows
        if not formulas and max((_place(name) for name in set(_COLUMN.findall(rows))), default=0) < width:
            continue
        for name, number, attributes, content in _cells(rows):
            if number < line:
                continue
            if _CONTENT.search(content):
                beside.add(_place(name))
            elif _FORMULA.search(content) and not (_EMPTY_TEXT.search(attributes) and _VALUE.search(content)):
                unvalued += 1
                first = first or f"{name.decode()}{number}"
    return Outline(tuple(sorted(place for place in beside if place >= width)), unvalued, first)


def address(place: int, line: int) -> str:
    """Return the address of a cell, as ``H20``, by the place of its column from 0 and the number of its row."""
    letters, left = "", place + 1
    while left:
        left, letter = divmod(left - 1, 26)
        letters = chr(ord("A") + letter) + letters
    return f"{letters}{line}"


def _place(name: bytes) -> int:
    """Return the place from 0 of a column by its letters."""
    place = 0
    for letter in name:
        place = 26 * place + letter - ord("A") + 1
    return place - 1


def _cells(rows: bytes) -> Iterator[tuple[bytes, int, bytes, bytes]]:
    """Yield letters of the column, number of the row, attributes and content of each cell that has content."""
    for cell in _CELL.finditer(rows):
        place = _PLACE.search(cell[1])
        if place and cell[2]:
            yield place[1], int(place[2]), cell[1], cell[2]


def _whole_rows(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield XML piece by piece, cut behind the ends of rows."""
    rest = b""
    while block := stream.read(_BLOCK):
        rest += block
        end = max(rest.rfind(b"</row>"), rest.rfind(b":row>"))
        if end >= 0 or len(rest) > _LONGEST_ROW:
            yield rest[:end]
            rest = rest[end:]
    yield rest
