"""Tables: every format gives the same rows, and whatever is wrong with a file is said in one line."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import openpyxl
import pyarrow
import pytest
import xlsxwriter
from openpyxl.chart import BarChart
from openpyxl.styles import Border, Side
from pyarrow import parquet

from runtime.errors import ConfigError, DataError
from runtime.tables import Row, read_table
from runtime.text_files import read_lines
from tests.workbooks import workbook, write_sheet, write_workbook

ROWS = [{"text": "片碱 99%", "label": "无机"}, {"text": "甲苯, 工业级", "label": "溶剂"}]


def write(path: Path, content: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(content.encode(encoding))
    return path


def row(line: int, values: dict[str, str]) -> Row:
    return Row(line, values, values)


def values(path: Path, encoding: str = "") -> list[dict[str, str]]:
    return [row.values for row in read_table(path, encoding)]


def failure(path: Path, encoding: str = "") -> str:
    """Return the message of the DataError that reading ends with: one line that names the file."""
    with pytest.raises(DataError) as caught:
        list(read_table(path, encoding))
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


CSV = 'text,label\n片碱 99%,无机\n"甲苯, 工业级",溶剂\n'
TSV = "text\tlabel\n片碱 99%\t无机\n甲苯, 工业级\t溶剂\n"
JSONL = '{"text": "片碱 99%", "label": "无机"}\n\n{"text": "甲苯, 工业级", "label": "溶剂"}\n'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize(("suffix", "content"), [(".csv", CSV), (".TSV", TSV), (".jsonl", JSONL)])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_text_files_are_read_in_their_own_encoding(
    tmp_path: Path, suffix: str, content: str, encoding: str, line_end: str
) -> None:
    path = write(tmp_path / f"data{suffix}", content.replace("\n", line_end), encoding)
    assert values(path) == ROWS
    assert values(path, encoding) == ROWS


def test_excel_and_parquet_files_give_the_same_rows(tmp_path: Path) -> None:
    cells: list[list[object]] = [list(row.values()) for row in ROWS]
    assert values(write_sheet(tmp_path / "data.xlsx", [["text", "label"], *cells])) == ROWS
    parquet.write_table(pyarrow.Table.from_pylist(ROWS), tmp_path / "data.parquet")
    assert list(read_table(tmp_path / "data.parquet")) == [row(2, ROWS[0]), row(3, ROWS[1])]


def test_a_row_knows_the_line_on_which_it_begins(tmp_path: Path) -> None:
    path = write(tmp_path / "data.csv", 'text,label\n"two\nlines",a\n\nb,b\n')
    assert [(row.line, row.values["text"]) for row in read_table(path)] == [(2, "two\nlines"), (4, ""), (5, "b")]


def test_tsv_knows_no_quotes(tmp_path: Path) -> None:
    path = write(tmp_path / "data.tsv", 'text\tlabel\n"1/2" 管\t"a\n')
    assert values(path) == [{"text": '"1/2" 管', "label": '"a'}]


def test_column_names_lose_blanks_and_unnamed_columns_are_called_by_their_place(tmp_path: Path) -> None:
    path = write(tmp_path / "data.csv", ", text ,label ,\n0,a,b,\n")
    assert values(path) == [{"column 1": "0", "text": "a", "label": "b", "column 4": ""}]


def test_a_remark_in_a_sheet_may_stand_under_a_cell_without_a_name(tmp_path: Path) -> None:
    path = write_sheet(tmp_path / "data.xlsx", [["text", None, "label"], ["a", "remark", "b"]])
    book = openpyxl.load_workbook(path)
    book.active["D1"].border = Border(left=Side("thin"))
    book.active["D3"] = "late"
    book.save(path)
    assert [row.values for row in read_table(path)] == [
        {"text": "a", "column 2": "remark", "label": "b", "column 4": ""},
        {"text": "", "column 2": "", "label": "", "column 4": "late"},
    ]


@pytest.mark.parametrize("name", ["data.csv", "data.tsv", "data.xlsx"])
def test_an_empty_row_keeps_its_place_but_for_those_at_the_end(tmp_path: Path, name: str) -> None:
    cells: list[list[object]] = [["", ""], ["text", "label"], ["", ""], ["a", "b"], ["", ""], ["c", "d"], ["", ""]]
    separator = "," if name.endswith(".csv") else "\t"
    if name.endswith(".xlsx"):
        path = write_sheet(tmp_path / name, cells)
    else:
        path = write(tmp_path / name, "".join(separator.join(map(str, row)) + "\n" for row in cells))
    assert [(row.line, row.values["text"]) for row in read_table(path)] == [(3, ""), (4, "a"), (5, ""), (6, "c")]


TITLED: list[list[object]] = [["某化工厂 物料台账", None], [None, None], ["品名", "规格"], ["硫酸", "98%"]]


def test_the_header_is_the_first_row_that_names_the_columns_wanted(tmp_path: Path) -> None:
    sheet = write_sheet(tmp_path / "data.xlsx", TITLED)
    found = replace(row(4, {"品名": "硫酸", "规格": "98%"}), sheet="Sheet")
    assert list(read_table(sheet, wanted={"品名": "--column"})) == [found]
    table = write(tmp_path / "data.csv", "物料台账,\n\n品名,规格\n硫酸,98%\n")
    assert list(read_table(table, wanted={"规格": "--column"})) == [row(4, {"品名": "硫酸", "规格": "98%"})]


def test_of_a_workbook_the_sheet_with_the_columns_wanted_is_read(tmp_path: Path) -> None:
    write_workbook(tmp_path / "data.xlsx", {"Sheet": [["说明"]], "数据": TITLED})
    assert [row.values["品名"] for row in read_table(tmp_path / "data.xlsx", wanted={"品名": "--column"})] == ["硫酸"]
    assert read_table(tmp_path / "data.xlsx").columns == ("说明",)
    with pytest.raises(DataError, match="no column '名称', only: 说明; name another with --column"):
        _ = read_table(tmp_path / "data.xlsx", wanted={"名称": "--column"}).columns


def test_where_several_sheets_have_the_columns_one_is_named(tmp_path: Path) -> None:
    path, wanted = tmp_path / "year.xlsx", {"text": "--column"}
    write_workbook(path, {"Jan": [["text"], ["a"]], "Feb": [["text"], ["b"], ["c"]]})
    with pytest.raises(DataError, match=r"the sheets 'Jan', 'Feb' have these columns; name one with --sheet, .* '\*'$"):
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


def test_a_row_of_data_is_not_taken_for_a_header(tmp_path: Path) -> None:
    path = write(tmp_path / "data.csv", "Text,no\n片碱,1\ntext,2\n")
    with pytest.raises(DataError, match="no column 'text', only: Text, no"):
        list(read_table(path, wanted={"text": "--column"}))


def test_a_first_object_without_keys_lacks_the_column(tmp_path: Path) -> None:
    path = write(tmp_path / "data.jsonl", '{}\n{"text": "a"}\n')
    with pytest.raises(DataError, match="no column 'text', only: none; name another with --column"):
        list(read_table(path, wanted={"text": "--column"}))


def test_the_second_line_of_a_header_may_hold_the_names(tmp_path: Path) -> None:
    lines: list[list[object]] = [
        ["序号", "物料信息", None, "分类"],
        [None, "品名", "规格", "类别"],
        [1, "硫酸", "98%", "酸"],
    ]
    path = write_sheet(tmp_path / "data.xlsx", lines)
    for wanted in ({"品名,规格": "--text-column", "类别": "--label-column"}, {"品名": "--text-column"}):
        [row] = read_table(path, wanted=wanted)
        assert row.values == {"column 1": "1", "品名": "硫酸", "规格": "98%", "类别": "酸"}
    with pytest.raises(
        DataError, match="no column '大类', only: column 1, 品名, 规格, 类别; name another with --label"
    ):
        list(read_table(path, wanted={"品名": "--text", "大类": "--label"}))
    full = write(tmp_path / "data.csv", "序号,物料,物料\n序号,品名,规格\n1,硫酸,98%\n")
    assert [row.line for row in read_table(full, wanted={"品名,规格": "--text-column"})] == [3]


@pytest.mark.parametrize("name", ["data.csv", "data.xlsx"])
def test_the_column_that_is_missing_is_named_and_not_the_title(tmp_path: Path, name: str) -> None:
    lines = [
        ["某化工厂 物料台账", ""],
        ["制表: 张三", "2026-01-02"],
        ["品名", "规格", "单位", "类别"],
        ["硫酸", "98%", "t", "酸"],
    ]
    if name.endswith(".csv"):
        path = write(tmp_path / name, "".join(",".join(line) + "\n" for line in lines))
    else:
        path = write_workbook(tmp_path / name, {"说明": [["说明", "品"]], "数据": lines})
    with pytest.raises(DataError, match="no column '大类', only: 品名, 规格, 单位, 类别; name another with --label"):
        list(read_table(path, wanted={"品名,规格": "--text-column", "大类": "--label-column"}))
    if name.endswith(".csv"):
        with pytest.raises(DataError, match="no column '名称', only: 品名, 规格, 单位, 类别; name another with --text"):
            list(read_table(path, wanted={"名称": "--text-column"}))


def test_a_header_is_not_sought_below_the_twentieth_row(tmp_path: Path) -> None:
    path = write(tmp_path / "data.csv", "note\n" * 20 + "text\na\n")
    with pytest.raises(DataError, match="no column 'text', only: note"):
        list(read_table(path, wanted={"text": "--column"}))


def test_several_columns_between_commas_make_one_text(tmp_path: Path) -> None:
    path = write(tmp_path / "data.csv", 'name,grade,"a,b"\n硫酸, 98% ,x\n液碱,,y\n')
    assert [row.text("name, grade") for row in read_table(path, wanted={"name, grade": "--column"})] == [
        "硫酸 98%",
        "液碱",
    ]
    assert [row.text("grade\N{FULLWIDTH COMMA}name") for row in read_table(path)] == ["98% 硫酸", "液碱"]
    assert [row.text("a,b") for row in read_table(path, wanted={"a,b": "--column"})] == ["x", "y"]
    with pytest.raises(DataError, match="no column 'size', only: name, grade, a,b; name another with --column"):
        list(read_table(path, wanted={"name,size": "--column"}))


def test_another_separator_of_columns_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "data.csv", "text;label\na;b\n")
    with pytest.raises(DataError, match="no column 'text', only: text;label; if ';' parts its columns, save it with"):
        list(read_table(path, wanted={"text": "--column"}))
    path = write(tmp_path / "data.csv", "台账, 2026\n品名;规格,型号;类别\n硫酸;98%;酸\n")
    with pytest.raises(DataError, match="no column '品名', only: 品名;规格,型号;类别; if ';' parts its columns, save"):
        list(read_table(path, wanted={"品名": "--column"}))


@pytest.mark.parametrize(
    "cell", ["", "NaN", "nan", " nan ", "#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NUM!", "#NULL!"]
)
def test_what_stands_for_no_value_is_no_text_and_stays_as_it_is(tmp_path: Path, cell: str) -> None:
    table = write(tmp_path / "data.csv", f"text,label\n{cell},a\n")
    sheet = write_sheet(tmp_path / "data.xlsx", [["text", "label"], [cell, "a"]])
    for path in (table, sheet):
        [row] = read_table(path)
        assert (row.text("text"), row.text("text,label"), row.values["text"]) == ("", "a", cell)


@pytest.mark.parametrize("value", ["null", "NaN"])
def test_null_and_nan_in_json_are_empty(tmp_path: Path, value: str) -> None:
    path = write(tmp_path / "data.jsonl", f'{{"text": {value}, "label": "a"}}\n')
    assert values(path) == [{"text": "", "label": "a"}]


def test_json_values_are_given_as_they_are(tmp_path: Path) -> None:
    path = write(tmp_path / "data.jsonl", '{" id ": 7, "flag": true, "none": null, "tags": ["a"]}\n')
    [row] = read_table(path)
    content = '{"a": NaN, "b": -Infinity, "c": 1e999, "d": 0.5}'
    given = next(read_table(write(tmp_path / "nan.jsonl", content))).given
    assert given == {"a": None, "b": None, "c": None, "d": 0.5}
    assert row.values == {"id": "7", "flag": "True", "none": "", "tags": '["a"]'}
    assert row.given == {"id": 7, "flag": True, "none": None, "tags": ["a"]}


def test_null_and_nan_in_parquet_are_empty(tmp_path: Path) -> None:
    table = pyarrow.table({"text": ["a", None], "number": [float("nan"), 2.0], "raw": [b"\xe7\xa2\xb1", b""]})
    parquet.write_table(table, tmp_path / "data.parquet")
    expected = [{"text": "a", "number": "", "raw": "碱"}, {"text": "", "number": "2", "raw": ""}]
    assert values(tmp_path / "data.parquet") == expected


def test_numbers_read_as_a_sheet_shows_them(tmp_path: Path) -> None:
    path = write_sheet(tmp_path / "data.xlsx", [["text", "label"], [1.0, 2], [0.5, None], ["x"]])
    assert values(path) == [{"text": "1", "label": "2"}, {"text": "0.5", "label": ""}, {"text": "x", "label": ""}]


def test_nested_json_stays_json(tmp_path: Path) -> None:
    path = write(tmp_path / "data.jsonl", '{"text": "a", "more": {"cas": ["1310-73-2"]}}\n')
    assert values(path) == [{"text": "a", "more": '{"cas": ["1310-73-2"]}'}]


def test_lone_surrogates_become_replacement_characters_and_pairs_join(tmp_path: Path) -> None:
    path = write(tmp_path / "data.jsonl", r'{"text": "\ud800碱\udc00", "label": "\ud83e\uddea"}' + "\n")
    assert values(path) == [{"text": "\ufffd碱\ufffd", "label": "\U0001f9ea"}]


def test_a_cell_of_ten_megabytes_is_read_whole(tmp_path: Path) -> None:
    huge = "碱" * (10 * 2**20 // 3)
    assert values(write(tmp_path / "data.csv", f"text,label\n{huge},a\n"))[0]["text"] == huge


def test_a_row_with_fewer_cells_is_filled_up(tmp_path: Path) -> None:
    assert values(write(tmp_path / "data.csv", "text,label\na\n")) == [{"text": "a", "label": ""}]


def test_surplus_cells_are_an_error_unless_empty(tmp_path: Path) -> None:
    assert values(write(tmp_path / "data.csv", "text,label\na,b,,\n")) == [{"text": "a", "label": "b"}]
    message = failure(write(tmp_path / "data.tsv", "text\tlabel\na\tb\nc\td\te\n"))
    assert "line 3: 3 cells but 2 columns" in message


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


def test_a_header_alone_has_no_rows(tmp_path: Path) -> None:
    assert values(write(tmp_path / "data.csv", "text,label\n")) == []


def test_columns_are_known_before_the_first_row_and_without_any(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "data.csv", "\n text ,label\na,b\n"))
    assert (table.columns, next(table), next(table, None)) == (
        ("text", "label"),
        row(3, {"text": "a", "label": "b"}),
        None,
    )
    assert read_table(write(tmp_path / "data.jsonl", JSONL)).columns == ("text", "label")
    assert read_table(write_sheet(tmp_path / "data.xlsx", [["text", "label"]])).columns == ("text", "label")
    parquet.write_table(pyarrow.table({"text": pyarrow.array([], pyarrow.string())}), tmp_path / "data.parquet")
    assert read_table(tmp_path / "data.parquet").columns == ("text",)


def test_a_column_is_missed_where_there_is_no_row_too(tmp_path: Path) -> None:
    path = write(tmp_path / "data.csv", "text,label\n")
    with pytest.raises(DataError, match=r"no column 'name', only: text, label; name another with --column"):
        list(read_table(path, wanted={"name": "--column"}))
    assert list(read_table(path, wanted={"text": "--column"})) == []


@pytest.mark.parametrize("name", ["data.csv", "data.tsv", "data.jsonl"])
def test_an_empty_file_is_an_error(tmp_path: Path, name: str) -> None:
    assert "is empty" in failure(write(tmp_path / name, "\ufeff\n \n" if name == "data.jsonl" else "", "utf-8"))


def test_two_columns_of_one_name_are_an_error(tmp_path: Path) -> None:
    assert "two columns 'text'" in failure(write(tmp_path / "data.csv", "text,label, text\na,b,c\n"))


def test_broken_json_names_its_line(tmp_path: Path) -> None:
    assert "line 2: not valid JSON" in failure(write(tmp_path / "data.jsonl", '{"text": "a"}\n{"text": \n'))
    assert "line 1: a JSON list" in failure(write(tmp_path / "data.jsonl", "[1]\n"))
    assert "line 1: not valid JSON" in failure(write(tmp_path / "data.jsonl", "[" * 200_000 + "\n"))


def test_a_quote_that_is_never_closed_does_not_swallow_the_file(tmp_path: Path) -> None:
    message = failure(write(tmp_path / "data.csv", 'text,label\na,b\n"c,d\ne,f\n'))
    assert "line 3: not valid CSV" in message


def test_a_lone_carriage_return_does_not_break_a_csv_row_in_silence(tmp_path: Path) -> None:
    assert "line 2: not valid CSV" in failure(write(tmp_path / "data.csv", "text,label\na\rb,c\n"))
    assert values(write(tmp_path / "data.csv", 'text,label\n"a\rb",c\n')) == [{"text": "a\rb", "label": "c"}]


def test_nul_bytes_are_no_text(tmp_path: Path) -> None:
    assert "line 2: holds NUL" in failure(write(tmp_path / "data.csv", "text,label\na\0,b\n"))
    assert "line 1: holds NUL" in failure(write(tmp_path / "data.tsv", TSV, "utf-16-le"))


def test_bytes_in_no_known_encoding_name_their_line(tmp_path: Path) -> None:
    path = tmp_path / "data.tsv"
    path.write_bytes("text\tlabel\n碱\t无机\n".encode() + b"\xff\xff\ta\n")
    assert "line 3: not UTF-8 or GB18030 text" in failure(path)
    path.write_bytes("text\tlabel\n碱\t无".encode()[:-1])
    assert "line 2: not UTF-8 or GB18030 text" in failure(path)


def test_a_line_in_another_encoding_after_the_first_megabyte_is_named(tmp_path: Path) -> None:
    line = "氢氧化钠 片碱 99%\t无机\n".encode()
    count = 2**20 // len(line) + 1000
    path = tmp_path / "data.tsv"
    path.write_bytes(b"text\tlabel\n" + line * count + "甲苯\t溶剂\n".encode("gb18030") + line)
    assert f"line {count + 2}: not UTF-8 text" in failure(path)


def test_a_multibyte_character_across_the_end_of_the_sample_is_no_error(tmp_path: Path) -> None:
    for shift in range(3):
        path = write(tmp_path / "data.tsv", "text\n" + "x" * shift + "碱" * 400_000 + "\n")
        assert values(path)[0]["text"].count("碱") == 400_000


def test_utf_16_without_its_mark_is_no_text_in_a_line(tmp_path: Path) -> None:
    path = write(tmp_path / "data.csv", CSV, "utf-16-le")
    assert "line 1: not UTF-16 text" in failure(path, "utf-16")


def test_a_named_encoding_is_taken_at_its_word(tmp_path: Path) -> None:
    path = write(tmp_path / "data.csv", CSV, "gb18030")
    assert values(path, "GB2312") == ROWS
    assert "line 2: not UTF-8 text" in failure(path, "utf8")
    assert values(write(tmp_path / "data.csv", "text\n塩酸\n", "shift_jis"), "shift_jis") == [{"text": "塩酸"}]


@pytest.mark.parametrize("encoding", ["utf-9", "base64", "a\0b"])
def test_an_unknown_encoding_is_a_configuration_error(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(ConfigError, match="unknown encoding"):
        list(read_table(write(tmp_path / "data.csv", CSV), encoding))


@pytest.mark.parametrize(("name", "content"), [("data.csv.gz", CSV), ("data.TSV.GZ", TSV)])
def test_packed_tables_are_read_as_unpacked_ones(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(content.encode("gb18030")))
    assert values(path) == ROWS


def test_lines_lose_their_ends_and_nothing_else(tmp_path: Path) -> None:
    content = "  氢氧化钠\t片碱 \r\n\n\u2028乙\x85醇\n末行".encode("utf-8-sig")
    for name, stored in (("texts.txt", content), ("texts", content), ("texts.txt.gz", gzip.compress(content))):
        (tmp_path / name).write_bytes(stored)
        assert list(read_lines(tmp_path / name)) == ["  氢氧化钠\t片碱 ", "", "\u2028乙\x85醇", "末行"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (gzip.compress(TSV.encode() * 9)[:-12], "is not a whole gzip file"),
        (gzip.compress(TSV.encode())[:12] + b"\xff" * 40, "is not a whole gzip file"),
        (TSV.encode(), "cannot read"),
        (gzip.compress("碱\n".encode() * 9 + b"\xff\xff\n"), "line 10: not UTF-8 or GB18030 text"),
    ],
)
def test_what_cannot_be_unpacked_is_a_data_error(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "texts.txt.gz").write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        list(read_lines(tmp_path / "texts.txt.gz"))
    assert "texts.txt.gz" in str(caught.value)


@pytest.mark.parametrize("name", ["data.xls", "data", "data.json", "data.xlsx.gz", "data.gz"])
def test_an_unknown_suffix_names_the_known_ones(tmp_path: Path, name: str) -> None:
    assert ".csv .tsv .jsonl .xlsx .parquet" in failure(write(tmp_path / name, CSV))


@pytest.mark.parametrize(("name", "kind"), [("data.xlsx", "an Excel workbook"), ("data.parquet", "a Parquet file")])
def test_a_damaged_file_is_not_what_its_suffix_says(tmp_path: Path, name: str, kind: str) -> None:
    assert f"is not {kind}" in failure(write(tmp_path / name, CSV))


def test_what_cannot_be_opened_is_a_data_error(tmp_path: Path) -> None:
    assert "No such file" in failure(tmp_path / "missing.csv")
    assert "No such file" in failure(tmp_path / "missing")
    (tmp_path / "folder.csv").mkdir()
    assert "is a folder" in failure(tmp_path / "folder.csv")
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    assert "cannot read" in failure(tmp_path / "loop.csv")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read every file")
def test_a_file_without_read_permission_is_a_data_error(tmp_path: Path) -> None:
    path = write(tmp_path / "data.csv", CSV)
    path.chmod(0)
    assert "Permission denied" in failure(path)


def test_a_missing_column_names_those_there_and_the_option(tmp_path: Path) -> None:
    path = write(tmp_path / "data.csv", CSV)
    with pytest.raises(DataError, match=r"no column 'name', only: text, label; name another with --text-column"):
        list(read_table(path, wanted={"name": "--text-column"}))


def test_a_json_object_without_the_column_has_an_empty_cell(tmp_path: Path) -> None:
    path = write(tmp_path / "data.jsonl", '{"text": "a", "label": "b"}\n{"text": "c"}\n')
    assert [row.text("label") for row in read_table(path, wanted={"label": "--label-column"})] == ["b", ""]


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


@pytest.mark.parametrize(("name", "package"), [("data.xlsx", "openpyxl"), ("data.parquet", "pyarrow")])
def test_a_missing_package_is_named_with_its_installation(tmp_path: Path, name: str, package: str) -> None:
    path = write(tmp_path / name, CSV)
    program = f"""
import sys
import runtime.tables
assert "openpyxl" not in sys.modules and "pyarrow" not in sys.modules
sys.modules["{package}"] = None  # as Python marks a package that cannot be imported
from pathlib import Path
from runtime.errors import ConfigError
try:
    list(runtime.tables.read_table(Path(sys.argv[1])))
except ConfigError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    assert "pip install" in done.stdout
    assert package in done.stdout
