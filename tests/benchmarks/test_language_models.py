"""The language-model chain in the study of accuracy: every row is measured once, and kept beside the others."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.chain_rows import INT8_ROW, LM_ROW, PLAIN_ROW, STUDENT_ROW, TOGETHER_ROW
from benchmarks.language_models import command
from benchmarks.methods import FULL
from benchmarks.scores import Scores
from tests.benchmarks.tiny_chain import MADE, short_full_method
from tests.distill.tiny import write_tiny_data
from tests.distill.tiny_lm import SMALL_FINETUNE, SMALL_STUDENT, write_tiny_lm
from tests.threads import one_thread

__all__ = ["one_thread"]


def test_the_chain_is_measured_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write_tiny_data(tmp_path / "data")
    lm, names = write_tiny_lm(tmp_path / "lm", data), tmp_path / "names.txt"
    names.write_text("氯化钠\n氯化钾\n", encoding="utf-8")
    monkeypatch.setattr("benchmarks.chain.trained", short_full_method)
    arguments = ["--lm", lm, "--data", f"tiny={data}", "--seeds", "1", "--unlabelled", names, "--plain"]
    arguments += ["--label-share", "0.5"]
    arguments += [word for key in SMALL_FINETUNE for word in ("--lm-set", key)]
    arguments += [word for key in (*SMALL_STUDENT, *MADE) for word in ("--set", key)]
    arguments += ["--work", tmp_path / "work", "--out", tmp_path]
    for _ in range(2):
        told = CliRunner().invoke(command, [str(argument) for argument in arguments], catch_exceptions=False)
        assert told.exit_code == 0, told.output
    scores = Scores(tmp_path / "accuracy.json")
    rows = [score.row for score in scores.all]
    assert {score.data for score in scores.all} == {"tiny, 50 % of the labels"}
    assert sorted(set(rows)) == sorted(rows)
    assert {LM_ROW, TOGETHER_ROW, STUDENT_ROW, PLAIN_ROW} <= set(rows) <= {*_ROWS}
    assert FULL not in rows
    assert STUDENT_ROW in (tmp_path / "accuracy.md").read_text(encoding="utf-8")


_ROWS = (LM_ROW, TOGETHER_ROW, STUDENT_ROW, PLAIN_ROW, INT8_ROW)
