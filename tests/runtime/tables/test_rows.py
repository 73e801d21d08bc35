"""Tables: every format gives the same rows, and whatever is wrong with a file is said in one line."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import openpyxl
import pyarrow
import pytest
from openpyxl.styles import Border, Side
from pyarrow import parquet

from runtime.errors import ConfigError, DataError
from runtime.tables.rows import read_table
from runtime.tables.text_files import read_lines
from tests.runtime.table_files import CSV, failure, row, values, write
from tests.workbooks import write_sheet

ROWS = [{"text": "片碱 99%", "label": "无机"}, {"text": "甲苯, 工业级", "label": "溶剂"}]


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


@pytest.mark.parametrize("name", ["data.csv", "data.tsv", "data.jsonl"])
def test_an_empty_file_is_an_error(tmp_path: Path, name: str) -> None:
    assert "is empty" in failure(write(tmp_path / name, "\ufeff\n \n" if name == "data.jsonl" else "", "utf-8"))


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


def test_a_json_object_without_the_column_has_an_empty_cell(tmp_path: Path) -> None:
    path = write(tmp_path / "data.jsonl", '{"text": "a", "label": "b"}\n{"text": "c"}\n')
    assert [row.text("label") for row in read_table(path, wanted={"label": "--label-column"})] == ["b", ""]


@pytest.mark.parametrize(("name", "package"), [("data.xlsx", "openpyxl"), ("data.parquet", "pyarrow")])
def test_a_missing_package_is_named_with_its_installation(tmp_path: Path, name: str, package: str) -> None:
    path = write(tmp_path / name, CSV)
    program = f"""
import sys
import runtime.tables.rows
assert "openpyxl" not in sys.modules and "pyarrow" not in sys.modules
sys.modules["{package}"] = None  # as Python marks a package that cannot be imported
from pathlib import Path
from runtime.errors import ConfigError
try:
    list(runtime.tables.rows.read_table(Path(sys.argv[1])))
except ConfigError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    assert "pip install" in done.stdout
    assert package in done.stdout
