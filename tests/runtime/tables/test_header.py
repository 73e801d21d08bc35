"""The header of a table: which row it is, and what is said of a column that is missing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from runtime.errors import DataError
from runtime.tables.rows import read_table
from tests.runtime.table_files import CSV, TITLED, failure, row, write
from tests.workbooks import write_sheet, write_workbook


def test_the_header_is_the_first_row_that_names_the_columns_wanted(tmp_path: Path) -> None:
    sheet = write_sheet(tmp_path / "data.xlsx", TITLED)
    found = replace(row(4, {"品名": "硫酸", "规格": "98%"}), sheet="Sheet")
    assert list(read_table(sheet, wanted={"品名": "--column"})) == [found]
    table = write(tmp_path / "data.csv", "物料台账,\n\n品名,规格\n硫酸,98%\n")
    assert list(read_table(table, wanted={"规格": "--column"})) == [row(4, {"品名": "硫酸", "规格": "98%"})]


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


def test_another_separator_of_columns_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "data.csv", "text;label\na;b\n")
    with pytest.raises(DataError, match="no column 'text', only: text;label; if ';' parts its columns, save it with"):
        list(read_table(path, wanted={"text": "--column"}))
    path = write(tmp_path / "data.csv", "台账, 2026\n品名;规格,型号;类别\n硫酸;98%;酸\n")
    with pytest.raises(DataError, match="no column '品名', only: 品名;规格,型号;类别; if ';' parts its columns, save"):
        list(read_table(path, wanted={"品名": "--column"}))


def test_a_column_is_missed_where_there_is_no_row_too(tmp_path: Path) -> None:
    path = write(tmp_path / "data.csv", "text,label\n")
    with pytest.raises(DataError, match=r"no column 'name', only: text, label; name another with --column"):
        list(read_table(path, wanted={"name": "--column"}))
    assert list(read_table(path, wanted={"text": "--column"})) == []


def test_two_columns_of_one_name_are_an_error(tmp_path: Path) -> None:
    assert "two columns 'text'" in failure(write(tmp_path / "data.csv", "text,label, text\na,b,c\n"))


@pytest.mark.parametrize("above", ["", '{"text": "a"}\n\n'])
def test_two_keys_that_differ_in_blanks_alone_are_an_error(tmp_path: Path, above: str) -> None:
    path = write(tmp_path / "data.jsonl", above + '{"text": "片碱", " text": "午餐", "no": 1}\n')
    line = 1 + above.count("\n")
    assert failure(path) == f"{path}, line {line} has two columns 'text'; rename or remove one"


def test_a_missing_column_names_those_there_and_the_option(tmp_path: Path) -> None:
    path = write(tmp_path / "data.csv", CSV)
    with pytest.raises(DataError, match=r"no column 'name', only: text, label; name another with --text-column"):
        list(read_table(path, wanted={"name": "--text-column"}))
