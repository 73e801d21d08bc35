"""Answers as an Excel workbook."""

import datetime
import os
import random
import subprocess
import sys
from pathlib import Path

import openpyxl
import pytest
from click.testing import CliRunner

import runtime.tables.workbook
from runtime import Classifier, ConfigError, DataError
from runtime.cli import classify
from runtime.tables.items import Item
from runtime.tables.rows import read_table
from runtime.tables.workbook import open_workbook
from tests.workbooks import write_sheet, write_workbook


def _cells(path: Path) -> list[tuple[object, ...]]:
    return list(openpyxl.load_workbook(path).worksheets[0].iter_rows(values_only=True))


def _written(path: Path, bundle: Path, *cells: object) -> tuple[object, ...]:
    """Write one row with the given cells, and return what the workbook has of them."""
    values = {f"c{place}": cell for place, cell in enumerate(cells)}
    with Classifier(bundle) as classifier, open_workbook(path, [*values], 1) as write:
        write(Item("x", values, "line 2"), classifier.classify("x"))
    return _cells(path)[1][: len(cells)]


def test_a_sheet_becomes_a_sheet_with_the_answers_beside_it(shared_bundle: Path, tmp_path: Path) -> None:
    day, moment = datetime.datetime(2026, 1, 2), datetime.datetime(2026, 1, 2, 3, 4)
    rows: list[list[object]] = [
        ["编号", "text", "数量", "日期", "时刻"],
        ["00012", "乙醇", 25, day, moment],
        [None] * 5,
        ["x", "甲苯", 2.5, None, None],
    ]
    out = tmp_path / "answers.xlsx"
    given = write_sheet(tmp_path / "given.xlsx", rows)
    CliRunner().invoke(classify, [str(shared_bundle), str(given), "--out", str(out)], catch_exceptions=False)
    header, first, empty, last = _cells(out)
    assert header == ("编号", "text", "数量", "日期", "时刻", "label", "score", "accepted", "reason")
    assert first[:5] == ("00012", "乙醇", 25, day, moment)
    with Classifier(shared_bundle) as classifier:
        answer = classifier.classify("乙醇")
    assert first[5:] == (answer.label, round(answer.score, 6), answer.accepted, answer.reason.value)
    assert empty == (None, None, None, None, None, None, 0, False, "empty")
    assert last[:5] == ("x", "甲苯", 2.5, None, None)


def test_a_sheet_is_named_for_a_file_and_for_a_folder(shared_bundle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    folder.mkdir()
    write_workbook(folder / "year.xlsx", {"Jan": [["text"], ["乙醇"]], "Feb": [["text"], ["甲苯"]]})
    (folder / "other.csv").write_text("text\n硫酸\n", encoding="utf-8")
    for given, out in ((folder / "year.xlsx", tmp_path / "answers.csv"), (folder, tmp_path / "answers")):
        done = CliRunner().invoke(classify, [str(shared_bundle), str(given), "--sheet", "Feb", "--out", str(out)])
        assert done.exit_code == 0
    for answers, text in (("answers.csv", "甲苯"), ("answers/year.csv", "甲苯"), ("answers/other.csv", "硫酸")):
        assert [row.values["text"] for row in read_table(tmp_path / answers)] == [text]


def test_a_day_is_shown_without_a_time(shared_bundle: Path, tmp_path: Path) -> None:
    _written(tmp_path / "a.xlsx", shared_bundle, datetime.datetime(2026, 1, 2))
    cell = openpyxl.load_workbook(tmp_path / "a.xlsx").worksheets[0]["A2"]
    assert cell.number_format == "yyyy-mm-dd"


@pytest.mark.parametrize("text", ["=1+1", "=cmd|' /C calc'!A0", "00012", "1e5", "TRUE", "2026-01-02", "a\nb", "😀"])
def test_a_text_stays_a_text(shared_bundle: Path, tmp_path: Path, text: str) -> None:
    assert _written(tmp_path / "a.xlsx", shared_bundle, text) == (text,)
    assert openpyxl.load_workbook(tmp_path / "a.xlsx").worksheets[0]["A2"].data_type == "s"


def test_a_code_of_many_digits_keeps_them(shared_bundle: Path, tmp_path: Path) -> None:
    code = 123456789012345678
    cells = _written(tmp_path / "a.xlsx", shared_bundle, code, 123456789012345, 6.02e23, True, 1e999, {"a": [1]})
    assert cells == (str(code), 123456789012345, 6.02e23, True, "inf", '{"a": [1]}')


@pytest.mark.parametrize("text", ["a\x0bb\x00", "a\r\nb\rc\td", "_x0041_", "_x005F_", " a  b ", "<&>\"'"])
def test_a_text_comes_back_as_it_was(shared_bundle: Path, tmp_path: Path, text: str) -> None:
    _written(tmp_path / "a.xlsx", shared_bundle, text)
    assert next(read_table(tmp_path / "a.xlsx")).values["c0"] == text


def test_what_no_workbook_can_hold_becomes_a_sign_of_its_own(shared_bundle: Path, tmp_path: Path) -> None:
    assert _written(tmp_path / "a.xlsx", shared_bundle, "a\ufffe\uffff") == ("a\ufffd\ufffd",)


def test_a_day_before_the_first_of_a_sheet_is_a_text(shared_bundle: Path, tmp_path: Path) -> None:
    assert _written(tmp_path / "a.xlsx", shared_bundle, datetime.date(1899, 12, 31)) == ("1899-12-31",)


def test_a_sheet_that_would_be_too_long_is_refused(
    shared_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime.tables.workbook, "MOST_ROWS", 1)
    with pytest.raises(DataError, match=r"line 2: a sheet has no more than 1 rows; write \.csv"):
        _written(tmp_path / "a.xlsx", shared_bundle, "x")
    assert list(tmp_path.iterdir()) == []


def test_a_cell_that_would_be_too_long_is_refused(shared_bundle: Path, tmp_path: Path) -> None:
    assert _written(tmp_path / "a.xlsx", shared_bundle, "x" * 32_767) == ("x" * 32_767,)
    for text in ("x" * 32_768, "😀" * 16_384):
        with pytest.raises(DataError, match=r"line 2: a cell holds no more than 32,767 characters; write \.csv"):
            _written(tmp_path / "b.xlsx", shared_bundle, text)
    assert not (tmp_path / "b.xlsx").exists()


def test_a_sheet_that_would_be_too_wide_is_refused(tmp_path: Path) -> None:
    columns = [str(place) for place in range(16_381)]
    with pytest.raises(DataError, match=r"header: a sheet has no more than 16,384 columns; write \.csv"):
        open_workbook(tmp_path / "a.xlsx", columns, 1).__enter__()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit on the size of files")
@pytest.mark.parametrize("most_bytes", [20_000, 200_000])
def test_a_disk_that_is_full_leaves_one_line_and_nothing_else(
    shared_bundle: Path, tmp_path: Path, most_bytes: int
) -> None:
    (tmp_path / "temporary").mkdir()
    digits = random.Random(0)
    texts = "".join(f"{digits.random()}\n" for _ in range(4000))  # which no packing makes short
    program = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({most_bytes},) * 2)\n"
    program += "from runtime.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, str(shared_bundle), "-", "--out", str(tmp_path / "answers.xlsx")],
        input=texts.encode(),
        capture_output=True,
        check=False,
        env=os.environ | {"TMPDIR": str(tmp_path / "temporary")},
    )
    assert done.returncode == 3
    assert done.stderr.decode().startswith(f"gm-classify: cannot write {tmp_path / 'answers.xlsx'}: File too large")
    assert done.stderr.count(b"\n") == 1
    assert [path.name for path in tmp_path.rglob("*")] == ["temporary"]


def test_a_fault_leaves_the_earlier_workbook(shared_bundle: Path, tmp_path: Path) -> None:
    _written(tmp_path / "a.xlsx", shared_bundle, "old")
    with pytest.raises(KeyboardInterrupt), open_workbook(tmp_path / "a.xlsx", ["text"], 1):
        raise KeyboardInterrupt
    assert _cells(tmp_path / "a.xlsx")[1][0] == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.xlsx"]


def test_behind_a_link_the_workbook_that_it_names_is_replaced(shared_bundle: Path, tmp_path: Path) -> None:
    _written(tmp_path / "a.xlsx", shared_bundle, "old")
    (tmp_path / "link.xlsx").symlink_to(tmp_path / "a.xlsx")
    _written(tmp_path / "link.xlsx", shared_bundle, "new")
    assert (tmp_path / "link.xlsx").is_symlink()
    assert _cells(tmp_path / "a.xlsx")[1][0] == "new"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_holds_no_workbook(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.xlsx")
    with pytest.raises(ConfigError, match="is no file; a workbook cannot be written to a device or a pipe"):
        open_workbook(tmp_path / "pipe.xlsx", ["text"], 1).__enter__()


def test_without_the_package_the_line_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    with pytest.raises(ConfigError, match=r"writing Excel files needs .*gm-edge\[xlsx\]"):
        open_workbook(tmp_path / "a.xlsx", ["text"], 1).__enter__()
