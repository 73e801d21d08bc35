"""gm-classify, run as a user runs it."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
from math import floor
from pathlib import Path

import pytest

from runtime import Classifier
from runtime.streams import open_output
from runtime.tables.items import Item
from runtime.tables.output import csv_writer, line_writer, write_answers
from runtime.tables.rows import read_table
from tests.runtime.gm_classify import answers as _answers
from tests.runtime.gm_classify import run as _run
from tests.runtime.gm_classify import start as _start
from tests.runtime.small_bundles import TEXTS, add_cascade
from tests.workbooks import write_sheet

TWO = "{}: rows: 2; accepted: 2\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A CSV table with a label column of its own."""
    path = tmp_path / "table.csv"
    path.write_text('id,text,label\n1,乙醇,old\n2,"acid, ""pure""",\n3,,x\n', encoding="utf-8")
    return path


def test_help_shows_examples_and_exit_codes() -> None:
    code, out, _ = _run("--help")
    assert code == 0
    assert "  Examples:\n    gm-classify bundle " in out
    assert "--debug" in out
    assert "Exit codes: 0 done, 2 wrong use" in out


def test_texts_are_answered_in_lines_to_read(shared_bundle: Path, classifier: Classifier) -> None:
    code, out, err = _run(shared_bundle, *TEXTS[:3], "")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    for text, line in zip(TEXTS, lines[:3], strict=False):
        prediction = classifier.classify(text)
        percent = f"{floor(1000 * prediction.score) / 10:.1f}%"
        assert line.split() == [prediction.label, percent, "accepted", "(ok)", *text.split()]
    assert lines[3].split() == ["0.0%", "rejected", "(empty)"]


def test_top_k_adds_the_next_best_labels(shared_bundle: Path, classifier: Classifier) -> None:
    _, out, _ = _run(shared_bundle, "乙醇", "--top-k", "2")
    label, score = classifier.classify("乙醇").top(2)[1]
    assert out.splitlines()[1].split() == [label, f"{score:.1%}"]


def test_json_lines_hold_the_text_and_the_answer(shared_bundle: Path, classifier: Classifier) -> None:
    prediction = classifier.classify("乙醇")
    assert _answers(shared_bundle, "乙醇", "--top-k", "2") == [
        {
            "text": "乙醇",
            "label": prediction.label,
            "score": round(prediction.score, 6),
            "accepted": True,
            "reason": "ok",
            "top": [{"label": label, "score": round(score, 6)} for label, score in prediction.top(2)],
        }
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "cp936", "ascii"])
def test_json_lines_are_json_whatever_stdout_can_encode(packed: Path, encoding: str) -> None:
    texts = ("Ölsäure", "酸😀", "\\xd6", "a\rb")
    with _start((packed, *texts, "--jsonl"), encoding) as process:
        out, err = process.communicate()
    assert (process.returncode, err) == (0, b"")
    assert [json.loads(line)["text"] for line in out.decode(encoding).split("\n")[:-1]] == list(texts)
    assert out.isascii() == (encoding != "utf-8")


@pytest.mark.parametrize("arguments", [["--backend", "openvino"], ["--threads", "2"]])
def test_engine_and_threads_change_no_label(shared_bundle: Path, classifier: Classifier, arguments: list[str]) -> None:
    labels = [answer["label"] for answer in _answers(shared_bundle, *TEXTS, *arguments)]
    assert labels == [prediction.label for prediction in classifier.classify_many(TEXTS)]


def test_the_model_answers_all_where_the_cascade_is_off(bundle: Path) -> None:
    with Classifier(bundle) as classifier:
        alone = [round(prediction.score, 6) for prediction in classifier.classify_many(TEXTS)]
    add_cascade(bundle, threshold=0.0)  # from now on its head answers everything
    assert [answer["score"] for answer in _answers(bundle, *TEXTS)] != alone
    assert [answer["score"] for answer in _answers(bundle, *TEXTS, "--no-cascade")] == alone


def test_a_promise_refuses_what_would_break_it(shared_bundle: Path, classifier: Classifier) -> None:
    answers = _answers(shared_bundle, *TEXTS, "--max-error", "0.05")
    expected = [prediction.score >= 0.9 for prediction in classifier.classify_many(TEXTS)]
    assert [answer["accepted"] for answer in answers] == expected


def test_a_promise_out_of_reach_exits_2_with_one_line(shared_bundle: Path) -> None:
    code, out, err = _run(shared_bundle, "乙醇", "--max-error", "0.01")
    assert (code, out) == (2, "")
    assert "an error of 0.01 cannot be promised from 8 development texts" in err
    assert len(err.splitlines()) == 1


def test_stdin_is_one_text_a_line(packed: Path) -> None:
    answers = _answers(packed, "-", stdin="\ufeff乙醇\r\n\nacid".encode())
    assert [answer["text"] for answer in answers] == ["乙醇", "", "acid"]
    assert [answer["reason"] for answer in answers] == ["ok", "empty", "ok"]


@pytest.mark.parametrize("encoding", ["gb18030", "utf-16"])
def test_stdin_may_have_another_encoding(packed: Path, encoding: str) -> None:
    answers = _answers(packed, "-", "--encoding", encoding, stdin="乙醇\n甲苯\n".encode(encoding))
    assert [answer["text"] for answer in answers] == ["乙醇", "甲苯"]


def test_stdin_is_answered_line_by_line(packed: Path) -> None:
    with _start((packed, "-", "--jsonl")) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for text in ("乙醇", "甲苯"):
            process.stdin.write(f"{text}\n".encode())
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["text"] == text
        process.stdin.close()
    assert process.returncode == 0


def test_a_table_keeps_its_columns_and_gets_the_answer_beside_them(table: Path, packed: Path) -> None:
    code, out, err = _run(packed, table, "--top-k", "2")
    assert (code, err) == (0, "")
    rows = list(csv.DictReader(io.StringIO(out)))
    answer = ["predicted_label", "score", "accepted", "reason", "label_2", "score_2"]
    assert list(rows[0]) == ["id", "text", "label", *answer]
    assert [(row["id"], row["text"], row["label"]) for row in rows] == [
        ("1", "乙醇", "old"),
        ("2", 'acid, "pure"', ""),
        ("3", "", "x"),
    ]
    assert [row["reason"] for row in rows] == ["ok", "ok", "empty"]
    assert [row["accepted"] for row in rows] == ["true", "true", "false"]
    assert rows[2]["label_2"] == ""


@pytest.mark.parametrize("content", ["id,text", "id,text\n\n"])
def test_a_table_without_rows_keeps_its_header(packed: Path, tmp_path: Path, content: str) -> None:
    (tmp_path / "none.csv").write_text(content, encoding="utf-8")
    header = "id,text,label,score,accepted,reason,label_2,score_2\n"
    assert _run(packed, tmp_path / "none.csv", "--top-k", "2") == (0, header, "")
    assert _run(packed, tmp_path / "none.csv", "--jsonl") == (0, "", "")
    code, out, err = _run(packed, tmp_path / "none.csv", "--column", "name")
    assert (code, out) == (3, "")
    assert "none.csv has no column 'name', only: id, text; name another with --text-column NAME" in err


def test_a_table_may_become_json_lines(table: Path, packed: Path) -> None:
    first = _answers(packed, table)[0]
    assert list(first) == ["id", "text", "label", "predicted_label", "score", "accepted", "reason"]


def test_an_excel_sheet_becomes_csv_that_excel_opens(packed: Path, tmp_path: Path) -> None:
    write_sheet(tmp_path / "book.xlsx", [["品名", "no"], ["乙醇", 1], ["甲苯", 2.5]])
    out = tmp_path / "answers.csv"
    assert _run(packed, tmp_path / "book.xlsx", "--column", "品名", "--out", out) == (
        0,
        "",
        TWO.format(out),
    )
    assert out.read_bytes().startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(out.read_text(encoding="utf-8-sig"))))
    assert [(row["品名"], row["no"]) for row in rows] == [("乙醇", "1"), ("甲苯", "2.5")]
    assert rows[0]["label"]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".JSONL", ".XLSX"])
@pytest.mark.parametrize("given", ["arguments", "stdin", "table"])
def test_the_suffix_of_the_output_is_its_format(packed: Path, tmp_path: Path, suffix: str, given: str) -> None:
    texts, names, out = ["乙醇", "acid, base"], tmp_path / "names.tsv", tmp_path / f"answers{suffix}"
    lines = "".join(f"{text}\n" for text in texts)
    names.write_text(f"text\n{lines}", encoding="utf-8")
    arguments: dict[str, list[str | Path]] = {"arguments": [*texts], "stdin": ["-"], "table": [names]}
    assert _run(packed, *arguments[given], "--out", out, stdin=lines.encode()) == (
        0,
        "",
        TWO.format(out),
    )
    answers = read_table(out)
    assert answers.columns == ("text", "label", "score", "accepted", "reason")
    assert [row.values["text"] for row in answers] == texts


def test_another_suffix_leaves_the_format_as_it_is_on_stdout(packed: Path, table: Path, tmp_path: Path) -> None:
    for arguments in ((packed, "乙醇"), (packed, "乙醇", "--jsonl"), (packed, table)):
        assert _run(*arguments, "--out", tmp_path / "answers.txt")[:2] == (0, "")
        assert (tmp_path / "answers.txt").read_text(encoding="utf-8-sig") == _run(*arguments)[1]


def test_a_tab_in_a_cell_is_refused_where_tsv_is_written(packed: Path, table: Path, tmp_path: Path) -> None:
    table.write_text('id,text\n1,acid\n2,"a\tb"\n', encoding="utf-8")
    code, _, err = _run(packed, table, "--out", tmp_path / "answers.tsv")
    assert (code, err.count("\n")) == (3, 1)
    assert "table.csv, line 3: 'a b' has a tab or a line break, which TSV cannot hold; write .csv" in err
    assert os.listdir(tmp_path) == ["table.csv"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_written_to_and_stays_a_pipe(packed: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    with _start((packed, "乙醇", "--out", pipe)) as process:
        assert pipe.read_text(encoding="utf-8-sig").splitlines()[0] == "text,label,score,accepted,reason"
        process.communicate()
    assert process.returncode == 0
    assert pipe.is_fifo()
    assert os.listdir(tmp_path) == ["pipe.csv"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no such device")
def test_a_device_is_written_to_and_what_it_refuses_is_one_line(packed: Path, tmp_path: Path) -> None:
    assert _run(packed, "乙醇", "--out", _link(tmp_path / "nothing", "/dev/null"))[:2] == (0, "")
    code, _, err = _run(packed, "乙醇", "--out", _link(tmp_path / "full", "/dev/full"))
    assert (code, err.count("\n")) == (3, 1)
    assert "No space left on device" in err
    assert all(path.is_char_device() for path in tmp_path.iterdir())


@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="this system has no such name for stdout")
def test_stdout_by_its_name_keeps_what_is_written_before_and_behind(packed: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from runtime.cli import main; main()", str(packed), "乙醇", "--jsonl", "--out"]
    named = _link(tmp_path / "stdout", "/dev/stdout")
    with (tmp_path / "log").open("wb") as log:
        script = 'echo before; "$@" && echo behind'
        subprocess.run(["sh", "-c", script, "sh", *command, str(named)], stdout=log, check=True)
    before, answer, behind = (tmp_path / "log").read_text(encoding="utf-8").splitlines()
    assert (before, json.loads(answer)["text"], behind) == ("before", "乙醇", "behind")
    assert named.is_symlink()


def test_a_link_stays_a_link_to_the_answers(packed: Path, tmp_path: Path) -> None:
    link = _link(tmp_path / "link.csv", "answers.csv")
    for _ in range(2):
        assert _run(packed, "乙醇", "--out", link) == (0, "", f"{link}: rows: 1; accepted: 1\n")
        assert link.is_symlink()
        assert [row.values["text"] for row in read_table(tmp_path / "answers.csv")] == ["乙醇"]


def _link(path: Path, target: str) -> Path:
    path.symlink_to(target)
    return path


def test_a_folder_becomes_a_folder_as_each_of_its_tables_would(table: Path, packed: Path, tmp_path: Path) -> None:
    (tmp_path / "shards.csv").mkdir()
    table.rename(tmp_path / "shards.csv" / "part.csv")
    arguments = (packed, tmp_path / "shards.csv", "--out", tmp_path / "answers", "--top-k", "2")
    line = "shards: {} done, {} done before, 0 failed; rows: 3, 1 of them not accepted\n"
    assert _run(*arguments) == (0, line.format(1, 0), "")
    assert _run(*arguments) == (0, line.format(0, 1), "")
    assert _run(packed, tmp_path / "shards.csv" / "part.csv", "--top-k", "2", "--out", tmp_path / "one.csv")[0] == 0
    assert (tmp_path / "answers" / "part.csv").read_bytes() == (tmp_path / "one.csv").read_bytes()
    assert _run(*arguments, "--jsonl", "--column", "none")[0] == 3


def test_a_failure_half_way_leaves_no_output(packed: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text('{"text": "乙醇"}\n{"text": \n', encoding="utf-8")
    code, _, err = _run(packed, tmp_path / "bad.jsonl", "--out", tmp_path / "out.csv")
    assert code == 3
    assert "bad.jsonl, line 2" in err
    assert sorted(os.listdir(tmp_path)) == ["bad.jsonl"]


def test_json_rows_with_changing_keys_need_json_lines(packed: Path, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "a"}\n{"text": "b", "extra": "1"}\n', encoding="utf-8")
    code, _, err = _run(packed, path)
    assert code == 3
    assert "line 2: column 'extra' is not in the first row; write JSON Lines with --jsonl" in err
    assert _answers(packed, path)[1]["extra"] == "1"


def test_a_device_that_agrees_passes_the_selftest(packed: Path) -> None:
    code, out, _ = _run(packed, "--selftest")
    assert code == 0
    assert out.startswith("64 golden texts: 100.0% get")
    assert _answers(packed, "--selftest")[0]["ok"] is True


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ((), 2, "nothing to classify; give TEXT, a FILE, or - for stdin"),
        (("--selftest", "x"), 2, "--selftest takes no TEXT"),
        (("-", "x"), 2, "'-' must stand alone"),
        (("x", "--top-k", "0"), 2, "--top-k"),
        (("x", "--threads", "0"), 2, "--threads"),
        (("x", "--backend", "tensorrt"), 2, "--backend"),
        (("x", "--encoding", "utf-99"), 2, "unknown encoding 'utf-99'; use for example utf-8"),
        (("-", "--encoding", "hex"), 2, "unknown encoding 'hex'"),
        (("-", "--encoding", "rot13"), 2, "unknown encoding 'rot13'"),
        ((__file__,), 2, "test_cli.py is a file, but no table; pipe its lines and give -, or save it as .csv"),
        ((os.devnull,), 2, "is a file, but no table"),
        (("x", "--out", "answers.xls"), 2, "--out answers.xls: the output is CSV, TSV, JSON Lines or a workbook; end"),
        (("x", "--out", "answers.CSV.gz"), 2, "--out answers.CSV.gz: the output is CSV, TSV, JSON Lines or a workbook"),
        (("-", "--out", "answers.jsonl.gz"), 2, "end it in .csv, .tsv, .jsonl or .xlsx"),
        (("x", "--jsonl", "--out", "answers.xlsx"), 2, "--out answers.xlsx does not hold the JSON Lines of --jsonl"),
        (("x", "--jsonl", "--out", "answers.csv"), 2, "--out answers.csv does not hold the JSON Lines of --jsonl"),
        (("none.csv",), 3, "cannot read none.csv"),
        ((".",), 2, ". is a folder; name a folder for its answers with --out, or pipe it as a text"),
        ((".", "--out", __file__), 2, ". is a folder; name a folder for its answers"),
        ((".", "--out", os.devnull), 2, ". is a folder; name a folder for its answers"),
        (("x", "--out", "."), 2, "--out . is a folder; name a file"),
        (("x", "--sheet", "Feb"), 2, "--sheet Feb: there is no workbook to read; leave it out"),
        (("x", "--engine", "ray"), 2, "--engine ray takes one FOLDER of tables"),
        (("x", __file__), 2, "test_cli.py is a file, but no table"),
        (("x", "none.csv"), 2, "'none.csv' must stand alone, not beside other texts or files; a folder takes many"),
        (("--selftest", "--out", "none.csv"), 2, "--out none.csv: there are no texts to answer"),
        ((".", "--out", "none", "--workers", "2"), 2, "--ray-address and --workers belong to --engine ray"),
    ],
)
def test_wrong_use_is_told_in_one_line(shared_bundle: Path, arguments: tuple[str, ...], code: int, says: str) -> None:
    got, out, err = _run(shared_bundle, *arguments)
    assert (got, out) == (code, "")
    assert says in err.splitlines()[-1]
    assert "Traceback" not in err


def test_other_faults_have_their_codes(shared_bundle: Path, bundle: Path, table: Path, tmp_path: Path) -> None:
    code, _, err = _run(shared_bundle, table, "--column", "name")
    assert (code, err.count("\n")) == (3, 1)
    assert "no column 'name', only: id, text, label; name another with --text-column NAME" in err
    assert _run(tmp_path / "none", "x")[0] == 4
    assert _run(bundle, "x", "--backend", "openvino")[0] == 6
    (bundle / "model.onnx").write_bytes(b"")
    code, _, err = _run(bundle, "x", "--debug")
    assert code == 4
    assert err.startswith("Traceback")
    assert err.splitlines()[-1].startswith("gm-classify: ")


def test_undecodable_stdin_names_the_line_and_the_way_out(packed: Path) -> None:
    code, _, err = _run(packed, "-", stdin=b"ok\n\xff\xfe\n")
    assert code == 3
    assert "not UTF-8 text; name its encoding with --encoding" in err


def test_stdin_may_begin_with_a_mark_where_its_encoding_is_named(packed: Path) -> None:
    answers = _answers(packed, "-", "--encoding", "utf-8", stdin="\ufeff乙醇\n".encode())
    assert [answer["text"] for answer in answers] == ["乙醇"]


@pytest.mark.parametrize("name", ["names.txt", "names.xls", "names.json", "names.xlsx.gz"])
def test_a_file_that_is_no_table_is_not_taken_for_a_text(packed: Path, tmp_path: Path, name: str) -> None:
    assert _answers(packed, tmp_path / name)[0]["text"] == str(tmp_path / name)
    (tmp_path / name).write_text("acid\n", encoding="utf-8")
    code, out, err = _run(packed, tmp_path / name)
    assert (code, out) == (2, "")
    assert f"{tmp_path / name} is a file, but no table; pipe its lines and give -, or save it as" in err


@pytest.mark.skipif(sys.platform == "win32", reason="closes stdin as a POSIX shell does")
def test_a_closed_stdin_is_told_in_one_line(packed: Path) -> None:
    command = [sys.executable, "-c", "from runtime.cli import main; main()", str(packed), "-"]
    done = subprocess.run(["sh", "-c", '"$@" <&-', "sh", *command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "gm-classify: stdin is closed; pipe the texts into it, one a line\n"


@pytest.mark.skipif(sys.platform == "win32", reason="pipes break in another way on Windows")
def test_a_reader_that_leaves_ends_it_quietly(packed: Path, tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text("text\n" + "乙醇\n" * 20_000, encoding="utf-8")
    with _start((packed, path)) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_a_shown_text_stays_on_its_line(classifier: Classifier) -> None:
    stream = io.StringIO()
    text = "two\nlines \x1b[31m" + "x" * 200
    line_writer(stream, classifier.labels, 1)(Item(text, {"text": text}, "TEXT"), classifier.classify(text))
    line = stream.getvalue()
    assert line.count("\n") == 1
    assert "two lines \N{REPLACEMENT CHARACTER}[31mxxx" in line
    assert line.endswith("…\n")


@pytest.mark.parametrize(("label", "width"), [("酸碱", 4), ("re\u0301sine", 6)])
def test_columns_line_up_under_wide_characters_and_combining_marks(
    label: str, width: int, classifier: Classifier
) -> None:
    stream = io.StringIO()
    write = line_writer(stream, (label, "acid"), 1)
    prediction = classifier.classify("")
    write(Item("text", {"text": "text"}, "TEXT"), prediction)
    assert stream.getvalue().index("0.0%") == width + 2 + 2


def test_csv_answers_hold_any_text_and_are_read_back_as_they_were(classifier: Classifier, tmp_path: Path) -> None:
    texts = ["acid\rdrum", "\racid", "acid\r\ndrum\r", "two\nlines", 'a "quoted", b', "\u2028乙\x85醇", " blank\t "]
    out = tmp_path / "answers.csv"
    with open_output(out, "utf-8-sig") as stream:
        write_answers(
            classifier, [Item(text, {"text": text}, "TEXT") for text in texts], csv_writer(stream, ["text"], 1)
        )
    assert [row.values["text"] for row in read_table(out)] == texts
    assert out.read_bytes().startswith("\ufefftext,label,score,accepted,reason\n".encode())


def test_a_free_name_is_found_however_many_are_taken(classifier: Classifier) -> None:
    stream = io.StringIO()
    values = {"text": "x", "label": "a", "predicted_label": "b"}
    csv_writer(stream, list(values), 1)(Item("x", values, "line 2"), classifier.classify("x"))
    assert stream.getvalue().splitlines()[0].split(",")[3] == "predicted_predicted_label"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends Ctrl-C in another way")
def test_control_c_ends_it_with_one_line(packed: Path) -> None:
    with _start((packed, "-")) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write("乙醇\n".encode())
        process.stdin.flush()
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == b"gm-classify: interrupted\n"
    assert process.returncode == 130
