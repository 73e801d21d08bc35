"""gm-classify and a user's table: what comes back stands beside what was sent, and nothing of it is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runtime.tables.rows import read_table
from tests.runtime.gm_classify import answers, run, start
from tests.runtime.small_bundles import edit_manifest
from tests.workbooks import write_sheet, write_workbook


def test_every_row_and_column_comes_back_in_its_place(packed: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("no,品名,\n1,乙醇,remark\n,,\n3,NaN,#N/A\n,,\n", encoding="utf-8")
    code, out, _ = run(packed, table, "--column", "品名")
    rows = [line.split(",") for line in out.splitlines()]
    assert code == 0
    assert rows[0] == ["no", "品名", "column 3", "label", "score", "accepted", "reason"]
    assert [row[:3] for row in rows[1:]] == [["1", "乙醇", "remark"], ["", "", ""], ["3", "NaN", "#N/A"]]
    assert [row[-1] for row in rows[1:]] == ["ok", "empty", "empty"]


def test_json_values_come_back_as_they_are(packed: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.jsonl"
    row = {"id": 7, "flag": True, "none": None, "tags": ["a"], "text": "乙醇"}
    table.write_text(json.dumps(row), encoding="utf-8")
    [answer] = answers(packed, table)
    assert {key: answer[key] for key in row} == row
    assert run(packed, table)[1].splitlines()[1].startswith('7,True,,"[""a""]",乙醇,')


def _json_lines(path: Path, *rows: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("first", "key", "options"),
    [
        ({}, "label", ("--jsonl",)),
        ({"label": "old"}, "predicted_label", ("--jsonl",)),
        ({}, "top", ("--jsonl", "--top-k", "2")),
        ({}, "label", ()),  # CSV; to send this one to --jsonl would be in vain
        ({}, "top", ("--top-k", "2")),
    ],
)
def test_a_later_row_with_a_key_of_the_answer_is_refused(
    packed: Path, tmp_path: Path, first: dict[str, object], key: str, options: tuple[str, ...]
) -> None:
    table = _json_lines(tmp_path / "table.jsonl", {"text": "a"} | first, {"text": "b", "more": 1, key: "old"})
    out = tmp_path / ("out.jsonl" if "--jsonl" in options else "out.csv")
    code, _, err = run(packed, table, *options, "--out", out)
    cure = "add it to the first row, as null, or rename it"
    said = f"line 2: column '{key}' is not in the first row, and the answers have one of that name; {cure}"
    assert (code, err, out.exists()) == (3, f"gm-classify: {table}, {said}\n", False)
    _json_lines(table, {"text": "a", "more": None, key: None} | first, {"text": "b", "more": 1, key: "old"})
    assert run(packed, table, *options, "--out", out)[0] == 0


def test_the_answer_has_the_same_keys_in_every_line(packed: Path, tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"text": "乙醇", "label": "old"}, {"text": "甲苯"}, {"text": "乙醇", "more": 1}]
    table = _json_lines(tmp_path / "table.jsonl", *rows)
    keys = ["predicted_label", "score", "accepted", "reason"]
    assert [list(answer) for answer in answers(packed, table)] == [[*row, *keys] for row in rows]


def test_several_columns_are_one_text(packed: Path, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("名称,规格\n硫酸,98%\n", encoding="utf-8")
    [answer] = answers(packed, tmp_path / "table.csv", "--text-column", "名称,规格")
    [alone] = answers(packed, "硫酸 98%")
    assert (answer["label"], answer["score"]) == (alone["label"], alone["score"])


@pytest.fixture
def joined(bundle: Path) -> Path:
    """A bundle trained on two columns, joined."""
    edit_manifest(bundle, text_column="名称,规格")
    return bundle


def test_the_columns_of_training_are_the_default(joined: Path, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("名称,规格,text\n硫酸,98%,乙醇\n", encoding="utf-8")
    [answer] = answers(joined, tmp_path / "table.csv")
    [alone] = answers(joined, "硫酸 98%")
    assert (answer["label"], answer["score"]) == (alone["label"], alone["score"])


def test_a_table_without_the_columns_of_training_is_read_as_ever(joined: Path, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("规格,text\n98%,乙醇\n", encoding="utf-8")
    [answer] = answers(joined, tmp_path / "table.csv")
    [alone] = answers(joined, "乙醇")
    assert (answer["label"], answer["score"]) == (alone["label"], alone["score"])


def test_each_table_of_a_folder_gives_the_columns_of_training_that_it_has(joined: Path, tmp_path: Path) -> None:
    shards, out = tmp_path / "shards", tmp_path / "answers"
    shards.mkdir()
    (shards / "a.csv").write_text("名称,规格,text\n硫酸,98%,乙醇\n", encoding="utf-8")
    (shards / "b.csv").write_text("text\n乙醇\n", encoding="utf-8")
    assert run(joined, shards, "--out", out)[0] == 0
    of = [(out / name).read_text(encoding="utf-8-sig").splitlines()[1].split(",")[-4:] for name in ("a.csv", "b.csv")]
    alone = [[answer["label"], f"{answer['score']:.4f}"] for answer in answers(joined, "硫酸 98%", "乙醇")]
    assert [[label, f"{float(score):.4f}"] for label, score, *_ in of] == alone


def test_columns_other_than_those_of_training_are_answered_with_a_warning(joined: Path, tmp_path: Path) -> None:
    (tmp_path / "shards").mkdir()
    table = tmp_path / "shards" / "table.csv"
    table.write_text("名称,规格\n硫酸,98%\n", encoding="utf-8")
    warning = (
        f"gm-classify: warning: {joined} was trained on 名称,规格, and --text-column names 规格: "
        "make sure that both hold the same\n"
    )
    code, out, err = run(joined, table, "--text-column", "规格")
    assert (code, out.startswith("名称,规格,label,"), err) == (0, True, warning)
    assert run(joined, table.parent, "--text-column", "规格", "--out", tmp_path / "answers")[2] == warning
    assert run(joined, table, "--text-column", "名称，规格")[2] == ""


def test_the_table_itself_is_not_written_over(packed: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("text\n乙醇\n", encoding="utf-8")
    (tmp_path / "link.csv").symlink_to(table)
    for out in (table, tmp_path / "link.csv"):
        code, _, err = run(packed, table, "--out", out)
        assert (code, table.read_text(encoding="utf-8")) == (2, "text\n乙醇\n")
        assert f"--out {out} is the table itself; name another file" in err


THEIRS = "编号,品名\n1,乙醇\n"


@pytest.mark.parametrize("name", ["theirs.csv", "theirs.tsv", "theirs.jsonl", "theirs.txt", "theirs.xlsx", "theirs"])
def test_no_other_file_is_written_over(packed: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(THEIRS, encoding="utf-8")
    code, out, err = run(packed, "乙醇", "--out", tmp_path / name)
    assert (code, out, (tmp_path / name).read_text(encoding="utf-8")) == (2, "", THEIRS)
    said = "the file is there, and holds no answers of gm-classify; name a new one, or remove it"
    assert err == f"gm-classify: --out {tmp_path / name}: {said}\n"


def test_no_other_workbook_is_written_over(packed: Path, tmp_path: Path) -> None:
    theirs = write_sheet(tmp_path / "theirs.xlsx", [["品名", "label"], ["乙醇", "酸"]])
    before = theirs.read_bytes()
    assert run(packed, "乙醇", "--out", theirs)[0] == 2
    assert theirs.read_bytes() == before


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.xlsx", "a.txt"])
def test_answers_are_written_over_by_new_ones(packed: Path, tmp_path: Path, name: str) -> None:
    table, out = tmp_path / "table.jsonl", tmp_path / name
    table.write_text(json.dumps({"text": "乙醇", "label": "old", "score\nin %": 1}), encoding="utf-8")
    if name == "a.tsv":
        table.write_text('{"text": "乙醇", "label": "old"}', encoding="utf-8")
    for arguments in (("乙醇",), (table,), ("甲苯", "--top-k", "2")):
        assert run(packed, *arguments, "--out", out)[0] == 0


def test_a_folder_for_the_answers_is_there_already(packed: Path, tmp_path: Path) -> None:
    code, _, err = run(packed, "乙醇", "--out", tmp_path / "none" / "answers.csv")
    assert (code, err) == (
        2,
        f"gm-classify: --out {tmp_path / 'none' / 'answers.csv'}: there is no folder {tmp_path / 'none'}; make it\n",
    )
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".jsonl"])
def test_the_answers_to_all_sheets_say_whose_they_are(packed: Path, tmp_path: Path, suffix: str) -> None:
    sheets: dict[str, list[list[object]]] = {
        "一月": [["text", "sheet"], ["乙醇", "A4"]],
        "二月": [["no", "text"], [7, "甲苯"]],
    }
    year, out = write_workbook(tmp_path / "year.xlsx", sheets), tmp_path / f"answers{suffix}"
    assert run(packed, year, "--sheet", "*", "--out", out)[0] == 0
    rows = [row.values for row in read_table(out)]
    assert [(row["source_sheet"], row["text"], row.get("sheet", ""), row.get("no", "")) for row in rows] == [
        ("一月", "乙醇", "A4", ""),
        ("二月", "甲苯", "", "7"),
    ]
    if suffix != ".jsonl":
        assert list(rows[0]) == ["text", "sheet", "no", "source_sheet", "label", "score", "accepted", "reason"]


def test_a_missing_table_is_told_where_the_answers_are_there_already(packed: Path, tmp_path: Path) -> None:
    (tmp_path / "answers.csv").touch()
    code, _, err = run(packed, tmp_path / "none.csv", "--out", tmp_path / "answers.csv")
    assert (code, err.startswith(f"gm-classify: cannot read {tmp_path / 'none.csv'}: ")) == (3, True)


def test_nothing_is_written_into_the_bundle(bundle: Path) -> None:
    before = sorted(os.listdir(bundle))
    for out in (bundle / "answers.csv", bundle / "new" / "answers.csv"):
        code, _, err = run(bundle, "乙醇", "--out", out)
        assert code == 2
        assert "lies in the bundle, which would no longer be whole; name another place" in err
    assert sorted(os.listdir(bundle)) == before


@pytest.mark.parametrize("encoding", ["gbk", "cp1252"])
def test_a_table_on_stdout_holds_every_character_whatever_the_terminal_can_show(
    packed: Path, tmp_path: Path, encoding: str
) -> None:
    (tmp_path / "table.csv").write_text('text\n"6m³/瓶 ™\nb"\n', encoding="utf-8")
    with start((packed, tmp_path / "table.csv"), encoding) as process:
        out, _ = process.communicate()
    assert out.decode("utf-8").startswith('text,label,score,accepted,reason\n"6m³/瓶 ™\nb",')


def test_a_bad_line_on_stdin_takes_no_other_with_it(packed: Path) -> None:
    code, out, err = run(packed, "-", stdin=b"acid\n" * 50 + b"\xff\n" + b"acid\n")
    assert (code, out.count("\n")) == (3, 50)
    assert "stdin, after line 50: not UTF-8 text" in err


def test_there_are_no_more_best_labels_than_labels(packed: Path, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("text\n乙醇\n", encoding="utf-8")
    header = run(packed, tmp_path / "table.csv", "--top-k", "100000000")[1].splitlines()[0].split(",")
    assert header[-1] == "score_4"


def test_a_summary_says_what_was_not_accepted(packed: Path, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("no,text\n1,乙醇\n2,\n3,\n", encoding="utf-8")
    out = tmp_path / "answers.csv"
    assert run(packed, tmp_path / "table.csv", "--out", out) == (0, "", f"{out}: rows: 3; accepted: 1; empty: 2\n")


@pytest.mark.skipif(sys.platform == "win32", reason="closes stdout as a POSIX shell does")
def test_without_stdout_a_file_is_written_and_a_table_is_told_where_to_go(packed: Path, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("text\n乙醇\n", encoding="utf-8")
    command = [sys.executable, "-c", "from runtime.cli import main; main()", packed, tmp_path / "table.csv"]
    closed = ["sh", "-c", '"$@" >&-', "sh", *map(str, command)]
    done = subprocess.run([*closed, "--out", tmp_path / "out.csv"], capture_output=True, text=True, check=False)
    assert (done.returncode, (tmp_path / "out.csv").exists()) == (0, True)
    done = subprocess.run(closed, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (3, "gm-classify: stdout is closed; write to a file with --out\n")


@pytest.mark.skipif(sys.platform == "win32", reason="closes stderr as a POSIX shell does")
def test_without_stderr_a_table_and_a_folder_are_answered(packed: Path, tmp_path: Path) -> None:
    table = tmp_path / "shards" / "table.csv"
    table.parent.mkdir()
    table.write_text("text\n乙醇\n", encoding="utf-8")
    for source, out in ((table, tmp_path / "out.csv"), (table.parent, tmp_path / "answers")):
        command = [sys.executable, "-c", "from runtime.cli import main; main()", packed, source, "--out", out]
        done = subprocess.run(["sh", "-c", '"$@" 2>&-', "sh", *map(str, command)], capture_output=True, check=False)
        assert (done.returncode, out.exists()) == (0, True)


@pytest.fixture
def as_in_a_terminal() -> Iterator[None]:
    """Programs that are started have SIGHUP as a terminal gives it to them, though the tests run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@contextmanager
def _half_written(packed: Path, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that waits for more texts, and has begun to write answers."""
    with start((packed, "-", "--out", tmp_path / "out.csv")) as process:
        assert process.stdin is not None
        process.stdin.write(b"acid\n")
        process.stdin.flush()
        while not any(tmp_path.iterdir()):
            time.sleep(0.01)
        yield process


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without asking it")
@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGHUP", 129)])
@pytest.mark.usefixtures("as_in_a_terminal")
def test_a_signal_to_end_leaves_nothing_half_written(packed: Path, tmp_path: Path, name: str, code: int) -> None:
    with _half_written(packed, tmp_path) as process:
        for _ in range(2):
            process.send_signal(getattr(signal, name))
    assert (process.returncode, os.listdir(tmp_path)) == (code, [])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal")
@pytest.mark.usefixtures("as_in_a_terminal")
def test_what_nohup_started_goes_on_without_its_terminal(packed: Path, tmp_path: Path) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with _half_written(packed, tmp_path) as process:
        process.send_signal(signal.SIGHUP)
        process.communicate(b"base\n")
    assert (process.returncode, os.listdir(tmp_path)) == (0, ["out.csv"])
