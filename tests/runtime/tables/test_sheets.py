"""Workbooks: which sheets are read, and what their cells are."""

from __future__ import annotations

import re
from pathlib import Path
from zipfile import ZipFile

import openpyxl
import pytest
import xlsxwriter
from openpyxl.chart import BarChart

from runtime.errors import ConfigError, DataError
from runtime.tables.rows import read_table
from tests.runtime.table_files import CSV, TITLED, failure, values, write
from tests.workbooks import workbook, write_sheet, write_workbook


def test_of_a_workbook_the_sheet_with_the_columns_wanted_is_read(tmp_path: Path) -> None:
    write_workbook(tmp_path / "data.xlsx", {"Sheet": [["说明"]], "数据": TITLED})
    assert [row.values["品名"] for row in read_table(tmp_path / "data.xlsx", wanted={"品名": "--column"})] == ["硫酸"]
    assert read_table(tmp_path / "data.xlsx").columns == ("说明",)
    with pytest.raises(DataError, match="no column '名称', only: 说明; name another with --column"):
        _ = read_table(tmp_path / "data.xlsx", wanted={"名称": "--column"}).columns


def test_where_several_sheets_have_the_columns_one_is_named(tmp_path: Path) -> None:
    path, wanted = tmp_path / "year.xlsx", {"text": "--column"}
    write_workbook(path, {"Jan": [["text"], ["a"]], "Feb": [["text"], ["b"], ["c"]]})
    with pytest.raises(
        DataError, match=r"the sheets 'Jan', 'Feb' have these columns; name one with --sheet, .* \"\*\"$"
    ):
        list(read_table(path, wanted=wanted))
    assert [row.values["text"] for row in read_table(path, wanted=wanted, sheet="Feb")] == ["b", "c"]
    assert [row.values["text"] for row in read_table(path, wanted=wanted, sheet="*")] == ["a", "b", "c"]
    assert [row.values["text"] for row in read_table(path)] == ["a"]
    with pytest.raises(DataError, match="no sheet 'Mar', only: Jan, Feb; name another with --sheet"):
        list(read_table(path, sheet="Mar"))
    with pytest.raises(DataError, match="no column 'name', only: text"):
        list(read_table(path, wanted={"name": "--column"}, sheet="Feb"))


def test_all_sheets_together_have_the_columns_of_each(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "year.xlsx", {"Jan": [["text"], ["a"]], "Feb": [["no", "text"], [1, "b"]]})
    table = read_table(path, wanted={"text": "--column"}, sheet="*")
    assert table.columns == ("text", "no")
    assert [(row.sheet, row.line, row.values) for row in table] == [
        ("Jan", 2, {"text": "a"}),
        ("Feb", 2, {"no": "1", "text": "b"}),
    ]


@pytest.mark.parametrize("sheet", ["", "*"])
def test_sheets_that_are_hidden_or_have_no_rows_are_no_rivals(tmp_path: Path, sheet: str) -> None:
    path, wanted = tmp_path / "year.xlsx", {"text": "--column"}
    book = workbook({"Old": [["text"], ["x"]], "Jan": [["text"], ["a"]], "Feb": [["text"]]})
    book["Old"].sheet_state = "veryHidden"
    book.save(path)
    assert [row.values["text"] for row in read_table(path, wanted=wanted, sheet=sheet)] == ["a"]
    assert [row.values["text"] for row in read_table(path, wanted=wanted, sheet="Old")] == ["x"]


def test_a_workbook_without_a_sheet_of_cells_is_refused(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    book.create_chartsheet("chart").add_chart(BarChart())
    book.save(tmp_path / "data.xlsx")
    assert "has no sheet with cells; save the table in one" in failure(tmp_path / "data.xlsx")


def test_other_files_have_no_sheets(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.csv has no sheets; leave out --sheet"):
        list(read_table(write(tmp_path / "data.csv", CSV), sheet="Feb"))


def test_remarks_right_of_a_sheet_get_a_column_each(tmp_path: Path) -> None:
    texts = [[f"t{line}", "a"] for line in range(300)]
    write_sheet(tmp_path / "data.xlsx", [["台账", None, None, "draft"], ["text", "label"], *texts])
    book = openpyxl.load_workbook(tmp_path / "data.xlsx")
    book.active["D40"], book.active["AB200"] = "check", 7
    book.save(tmp_path / "data.xlsx")
    table = read_table(tmp_path / "data.xlsx", wanted={"text": "--column"})
    assert table.columns == ("text", "label", "column 4", "column 28")
    rows_with_any = [row for row in table if row.values["column 4"] or row.values["column 28"]]
    assert [row.values for row in rows_with_any] == [
        {"text": "t37", "label": "a", "column 4": "check", "column 28": ""},
        {"text": "t197", "label": "a", "column 4": "", "column 28": "7"},
    ]
    assert rows_with_any[1].given["column 28"] == 7


def test_a_remark_in_a_sheet_that_does_not_say_where_its_cells_are_is_named(tmp_path: Path) -> None:
    write_sheet(tmp_path / "plain.xlsx", [["text", "label"], ["a", "b"], ["c", "d", "remark"]])
    path = with_changed(tmp_path, "xl/worksheets/sheet1.xml", rb'<c r="[A-Z]+\d"', b"<c")
    message = failure(path)
    assert message.endswith("[Sheet]: C3 stands right of the table; clear it, or give its column a name in the header")


def test_formulas_that_nobody_computed_are_told(tmp_path: Path) -> None:
    rows = [["=TODAY()"], ["text", "label", "price"], ["a", "b", "=1+1"], ['=C3&"a"', "b", "=C3"]]
    book = workbook({"other": [["note"]], "Sheet": rows})
    book.save(tmp_path / "data.xlsx")
    with pytest.raises(DataError, match=r"formulas without a stored value: 3, the first in C3; open the file in Excel"):
        list(read_table(tmp_path / "data.xlsx", wanted={"text": "--column"}))
    assert read_table(tmp_path / "data.xlsx").columns == ("note",)


def test_a_formula_is_its_last_value(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "data.xlsx") as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ("text", "label"))
        for line, value in enumerate(("硫酸", 5, "#N/A"), 1):
            sheet.write_formula(line, 0, "=B9", None, value)
    assert [row.values["text"] for row in read_table(tmp_path / "data.xlsx")] == ["硫酸", "5", "#N/A"]


def test_a_number_shown_with_zeros_before_it_is_a_code(tmp_path: Path) -> None:
    book = workbook({"Sheet": [["code", "share", "whole"], [12, 0.5, 7], [123456, 12.5, -3]]})
    sheet = book.worksheets[0]
    for line in (2, 3):
        sheet.cell(line, 1).number_format = "00000"
        sheet.cell(line, 2).number_format = "0%"
        sheet.cell(line, 3).number_format = "0"
    book.save(tmp_path / "data.xlsx")
    assert values(tmp_path / "data.xlsx") == [
        {"code": "00012", "share": "0.5", "whole": "7"},
        {"code": "123456", "share": "12.5", "whole": "-3"},
    ]


def _formatted(number: float, form: str) -> openpyxl.Workbook:
    book = workbook({"Sheet": [["text", "day"], ["a", number]]})
    book.worksheets[0]["B2"].number_format = form
    return book


def _with_styles(folder: Path, pattern: bytes, instead: bytes) -> Path:
    """Return ``plain.xlsx`` of a folder with other styles: openpyxl spells out each format, others do not."""
    return with_changed(folder, "xl/styles.xml", pattern, instead)


def with_changed(folder: Path, part: str, pattern: bytes, instead: bytes) -> Path:
    """Return ``plain.xlsx`` of a folder with one of its parts changed, as other programs write it."""
    with ZipFile(folder / "plain.xlsx") as source, ZipFile(folder / "data.xlsx", "w") as target:
        for name in source.namelist():
            content = source.read(name)
            changed = re.sub(pattern, instead, content)
            assert name != part or changed != content
            target.writestr(name, changed if name == part else content)
    return folder / "data.xlsx"


@pytest.mark.parametrize("number", [27, 31, 57, 58])
def test_a_date_is_a_date_in_chinese_formats_too(tmp_path: Path, number: int) -> None:
    _formatted(45292, "mm-dd-yy").save(tmp_path / "plain.xlsx")
    path = _with_styles(tmp_path, rb'numFmtId="14"', b'numFmtId="%d"' % number)
    assert values(path) == [{"text": "a", "day": "2024-01-01 00:00:00"}]


def test_what_excel_escapes_is_read_as_what_it_stands_for(tmp_path: Path) -> None:
    path = write_sheet(tmp_path / "data.xlsx", [["text", "label"], ["片碱_x000D_\n25kg/袋", "a_x005F_x0041_"]])
    assert values(path) == [{"text": "片碱\r\n25kg/袋", "label": "a_x0041_"}]


@pytest.mark.parametrize(("form", "day"), [("yyyy-mm-dd", "#VALUE!"), ("00000", "20260102")])
def test_a_date_that_is_none_says_nothing_on_stderr(tmp_path: Path, form: str, day: str) -> None:
    book = _formatted(20260102, form)
    book.save(tmp_path / "data.xlsx")
    [row] = read_table(tmp_path / "data.xlsx")
    assert row.values == {"text": "a", "day": day}
    assert row.text("text,day") == ("a" if day == "#VALUE!" else f"a {day}")


def test_a_number_that_is_no_date_in_a_chinese_format_stays_a_number(tmp_path: Path) -> None:
    _formatted(20260102, "mm-dd-yy").save(tmp_path / "plain.xlsx")
    path = _with_styles(tmp_path, rb'numFmtId="14"', b'numFmtId="31"')
    assert values(path) == [{"text": "a", "day": "20260102"}]


def test_a_style_that_the_file_lacks_says_nothing(tmp_path: Path) -> None:
    _formatted(12, "0.000").save(tmp_path / "plain.xlsx")
    assert values(_with_styles(tmp_path, rb"<numFmts.*?</numFmts>", b"")) == [{"text": "a", "day": "12"}]


@pytest.mark.parametrize("form", ["00000", "00000;-00000", "00000;@", "00000_ ", "[$-804]00000"])
def test_formats_of_zeros(tmp_path: Path, form: str) -> None:
    _formatted(12, form).save(tmp_path / "data.xlsx")
    assert values(tmp_path / "data.xlsx") == [{"text": "a", "day": "00012"}]


@pytest.mark.parametrize("text", ["_x1234_", "a\rb", "_x0041_", "_x12"])
def test_shared_strings_are_read_as_they_are_shown(tmp_path: Path, text: str) -> None:
    with xlsxwriter.Workbook(tmp_path / "data.xlsx") as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ("text", "label"))
        sheet.write_row(1, 0, (text, "a"))
    assert values(tmp_path / "data.xlsx") == [{"text": text, "label": "a"}]
