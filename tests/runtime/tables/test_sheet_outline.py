"""The XML of a sheet, looked through: what stands beside the table, and formulas that have no value."""

from __future__ import annotations

import io

import pytest

import runtime.tables.sheet_outline
from runtime.tables.sheet_outline import Outline, address, outline

HEADER = b'<worksheet><sheetData><row r="1"><c r="A1" t="str"><v>text</v></c></row>'


def of(cells: bytes, line: int = 1, width: int = 1) -> Outline:
    """Return the outline of a sheet with one more row."""
    return outline(io.BytesIO(HEADER + b'<row r="2">' + cells + b"</row></sheetData></worksheet>"), line, width)


@pytest.mark.parametrize(
    "cell",
    [
        b'<c r="C2"><v>1</v></c>',
        b"<c r='C2' s='1' t='s'><v>0</v></c>",
        b'<x:c s="1" r="C2"><x:v>1</x:v></x:c>',
        b'<c r="C2" t="inlineStr"><is><t xml:space="preserve"> a</t></is></c>',
        b'<c r="C2"><f>A1</f><v>1</v></c>',
    ],
)
def test_a_cell_with_content_right_of_the_header_is_beside_the_table(cell: bytes) -> None:
    assert of(cell) == Outline((2,))
    assert of(cell, line=3) == Outline()
    assert of(cell, width=3) == Outline()


@pytest.mark.parametrize("cell", [b'<c r="C2" s="1"/>', b'<c r="C2" s="1"></c>', b'<c r="C2"><v></v></c>'])
def test_a_cell_that_is_but_formatted_is_not(cell: bytes) -> None:
    assert of(cell) == Outline()


@pytest.mark.parametrize(
    "cell",
    [
        b'<c r="A2"><f>B2&amp;C2</f></c>',
        b'<c r="A2"><f>B2</f><v></v></c>',
        b'<c r="A2"><f>B2</f><v /></c>',
        b'<c r="A2" t="str"><f t="shared" si="0"/></c>',
        b'<x:c r="A2"><x:f>B2</x:f></x:c>',
    ],
)
def test_a_formula_without_a_value_is_counted(cell: bytes) -> None:
    assert of(cell + b'<c r="B2"><f>1</f></c>') == Outline((), 2, "A2")


@pytest.mark.parametrize("value", [b'<c r="A2" t="str"><f>B2</f><v></v></c>', b'<c r="A2"><f>B2</f><v>0</v></c>'])
def test_a_formula_whose_value_is_no_text_has_one(value: bytes) -> None:
    assert of(value) == Outline()


def test_a_long_sheet_is_looked_through_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime.tables.sheet_outline, "_BLOCK", 7)
    rows = b"".join(b'<row r="%d"><c r="A%d"><f>B1</f></c><c r="D%d"><v>1</v></c></row>' % (n, n, n) for n in (2, 3))
    assert outline(io.BytesIO(HEADER + rows), 1, 1) == Outline((3,), 2, "A2")


@pytest.mark.parametrize(("place", "name"), [(0, "A2"), (25, "Z2"), (26, "AA2"), (701, "ZZ2"), (702, "AAA2")])
def test_the_address_of_a_cell(place: int, name: str) -> None:
    assert address(place, 2) == name
