"""``gm-distill corpus`` as users meet it: table of what was dropped, files, exit codes."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from distill.runs.run_folder import PredictionRow, RunFolder

Command = Callable[..., int]
Output = pytest.CaptureFixture[str]


@pytest.fixture
def names(tmp_path: Path) -> Path:
    """A packed file of four texts, one of them twice."""
    path = tmp_path / "names.txt.gz"
    path.write_bytes(gzip.compress("工业盐酸\n片碱 99%\n工业盐酸\nacetone\n甲苯\n".encode()))
    return path


def test_it_prints_what_was_dropped_and_what_comes_next(
    gm_distill: Command, names: Path, tmp_path: Path, capsys: Output
) -> None:
    (tmp_path / "more.csv").write_text("品名,类别\n冰醋酸,酸\n甲苯,溶剂\n", encoding="gb18030")
    (tmp_path / "test.txt").write_text("片碱 99%\n", encoding="utf-8")
    out = tmp_path / "clean"
    options = ["--text-column", "品名", "--exclude", tmp_path / "test.txt", "--shard-lines", 2, "--out", out]
    assert gm_distill("corpus", names, tmp_path / "more.csv", *options) == 0
    assert capsys.readouterr().out.splitlines() == [
        "texts                    number",
        "read                          7",
        "dropped: duplicate            2",
        "dropped: excluded             1",
        "dropped: other language       1",
        "kept                          3",
        "",
        f"2 shards in {out}",
        f"next: gm-distill pretrain {out} --out lm",
    ]
    assert (out / "shard-00000.txt").read_text(encoding="utf-8") == "工业盐酸\n甲苯\n"
    assert (out / "shard-00001.txt").read_text(encoding="utf-8") == "冰醋酸\n"
    assert json.loads((out / "report.json").read_text(encoding="utf-8"))["settings"]["shard_lines"] == 2


@pytest.mark.parametrize("encoding", ["big5", "utf-16"])
def test_column_and_encoding_of_the_corpus_are_not_those_of_predictions_to_leave_out(
    gm_distill: Command, tmp_path: Path, capsys: Output, encoding: str
) -> None:
    (tmp_path / "erp.csv").write_text("品名,類別\n工業鹽酸,酸\n冰醋酸,酸\n", encoding=encoding)
    run = RunFolder(tmp_path / "run")
    run.save_predictions("test", [PredictionRow("工業鹽酸", "酸", "酸", 0.9, (1.0, 0.0))])
    options = ["--text-column", "品名", "--encoding", encoding, "--out", tmp_path / "clean"]
    test = run.path / "predictions" / "test.jsonl"
    assert gm_distill("corpus", tmp_path / "erp.csv", "--exclude", test, *options) == 0
    assert "dropped: excluded       1" in capsys.readouterr().out
    assert (tmp_path / "clean" / "shard-00000.txt").read_text(encoding="utf-8") == "冰醋酸\n"


@pytest.mark.parametrize("option", ["--min-han", "--near-duplicate"])
def test_nan_is_refused_before_anything_is_read(
    gm_distill: Command, tmp_path: Path, capsys: Output, option: str
) -> None:
    assert gm_distill("corpus", tmp_path / "nothing.txt", option, "nan", "--out", tmp_path / "a") == 2
    assert f"Invalid value for '{option}': nan is no number; give one from 0" in capsys.readouterr().err


def test_faults_are_one_line_with_their_exit_code(
    gm_distill: Command, names: Path, tmp_path: Path, capsys: Output
) -> None:
    (tmp_path / "broken.jsonl").write_text('{"text": "盐酸"}\n{"text": \n', encoding="utf-8")
    for arguments, code, message in (
        ([tmp_path / "broken.jsonl", "--out", tmp_path / "a"], 3, "broken.jsonl, line 2: not valid JSON"),
        ([tmp_path / "nothing.txt", "--out", tmp_path / "a"], 3, "cannot read"),
        ([names, "--min-chars", 50, "--out", tmp_path / "a"], 3, "no text is left of 5"),
        ([names, "--out", tmp_path], 2, "is not empty and holds no corpus"),
        ([names, "--encoding", "utf-99", "--out", tmp_path / "a"], 2, "unknown encoding"),
    ):
        assert gm_distill("corpus", *arguments) == code
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
    assert not (tmp_path / "a").exists()
