"""The language-model chain in the study of accuracy: every row is measured once, and kept beside the others."""

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.accuracy import study_of
from benchmarks.language_models import command, told_by_row
from benchmarks.quality.chain import Chain
from benchmarks.quality.chain_rows import (
    INT8_ROW,
    LM_INT8_ROW,
    LM_ROW,
    LM_STUDENT_ROW,
    PLAIN_ROW,
    SECOND_INT8_ROW,
    SECOND_ROW,
    SECOND_STUDENT_ROW,
    SECOND_TOGETHER_ROW,
    STUDENT_ROW,
    TAUGHT_INT8_ROW,
    TAUGHT_ROW,
    TOGETHER_ROW,
)
from benchmarks.quality.methods import FULL
from benchmarks.quality.scores import Score, Scores
from distill.config.gate_mixup import GateMixupRecipe
from distill.config.language_model import FinetuneRecipe
from distill.config.multi_teacher import MultiTeacherRecipe
from distill.runs.run_folder import RunFolder
from runtime.errors import ConfigError
from tests.benchmarks.tiny_chain import MADE, short_full_method
from tests.distill.tiny import write_tiny_data
from tests.distill.tiny_lm import SMALL_FINETUNE, SMALL_STUDENT, write_tiny_lm
from tests.threads import one_thread

__all__ = ["one_thread"]


def _run(tmp_path: Path, *options: object) -> Scores:
    """Run the study twice, the second time with everything there; return what it kept."""
    data = write_tiny_data(tmp_path / "data")
    names = tmp_path / "names.txt"
    names.write_text("氯化钠\n氯化钾\n", encoding="utf-8")
    arguments = ["--data", f"tiny={data}", "--seeds", "1", "--unlabelled", names, *options]
    if "full" not in options:
        arguments += ["--lm", write_tiny_lm(tmp_path / "lm", data)]
        arguments += [word for key in SMALL_FINETUNE for word in ("--lm-set", key)]
    arguments += [word for key in (*SMALL_STUDENT, *MADE) for word in ("--set", key)]
    arguments += ["--work", tmp_path / "work", "--out", tmp_path]
    for _ in range(2):
        told = CliRunner().invoke(command, [str(argument) for argument in arguments], catch_exceptions=False)
        assert told.exit_code == 0, told.output
    return Scores(tmp_path / "accuracy.json")


def test_the_chain_is_measured_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.quality.chain.trained", short_full_method)
    scores = _run(tmp_path, "--plain", "--label-share", "0.5")
    rows = [score.row for score in scores.all]
    assert {score.data for score in scores.all} == {"tiny, 50 % of the labels"}
    assert sorted(set(rows)) == sorted(rows)
    assert {LM_ROW, TOGETHER_ROW, STUDENT_ROW, PLAIN_ROW} <= set(rows) <= {*_ROWS}
    assert FULL not in rows
    assert STUDENT_ROW in (tmp_path / "accuracy.md").read_text(encoding="utf-8")


def test_a_student_of_the_language_model_alone_needs_no_run_of_the_full_method(tmp_path: Path) -> None:
    rows = [score.row for score in _run(tmp_path, "--taught-by", "lm").all]
    assert len(rows) == len(set(rows))
    assert {LM_ROW, LM_STUDENT_ROW} <= set(rows) <= {LM_ROW, LM_STUDENT_ROW, LM_INT8_ROW}
    assert len(list((tmp_path / "work").iterdir())) == 2


def test_a_student_of_the_full_method_needs_no_language_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.quality.chain.trained", short_full_method)
    rows = [score.row for score in _run(tmp_path, "--taught-by", "full").all]
    assert len(rows) == len(set(rows))
    assert {TAUGHT_ROW} <= set(rows) <= {TAUGHT_ROW, TAUGHT_INT8_ROW}
    assert len(list((tmp_path / "work").iterdir())) == 2


@pytest.mark.parametrize("words", [["--lm", ".", "--taught-by", "full"], []])
def test_a_language_model_is_named_where_one_teaches(words: list[str]) -> None:
    told = CliRunner().invoke(command, ["--data", "tiny=.", *words])
    assert told.exit_code == 2
    assert "give --lm FOLDER, or --taught-by full" in told.output


def test_a_second_language_model_is_measured_as_the_teacher_that_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.quality.chain.trained", short_full_method)
    monkeypatch.setattr("benchmarks.quality.chain._SECOND", ("training.epochs=1", "teachers.dictionary_words=20"))
    options = ("--taught-by", "second", "--full-set", "teacher.bag_width=4")
    scores = {score.row: score for score in _run(tmp_path, *options).all}
    rows = {LM_ROW, TOGETHER_ROW, SECOND_ROW, SECOND_TOGETHER_ROW, SECOND_STUDENT_ROW}
    assert rows <= set(scores) <= {*rows, SECOND_INT8_ROW}
    assert len(list((tmp_path / "work").iterdir())) == 4
    recipes = [RunFolder(path).recipe() for path in (tmp_path / "work").iterdir()]
    taught = [recipe.teachers for recipe in recipes if isinstance(recipe, FinetuneRecipe) and recipe.teachers.folders]
    taught_students = [recipe.teachers for recipe in recipes if isinstance(recipe, MultiTeacherRecipe)]
    assert [len(teachers.folders) for teachers in taught] == [len(one.folders) for one in taught_students] == [2]
    assert [recipe.teacher.bag_width for recipe in recipes if isinstance(recipe, GateMixupRecipe)] == [4]
    assert scores[SECOND_STUDENT_ROW].settings.endswith("full method: teacher.bag_width=4")
    assert scores[TOGETHER_ROW].settings == " ".join([*SMALL_FINETUNE, "full method: teacher.bag_width=4"])
    assert "teachers.dictionary_words=20" in scores[SECOND_ROW].settings
    assert [bool(scores[row].answers) for row in (LM_ROW, SECOND_ROW, SECOND_STUDENT_ROW)] == [True] * 3


def test_the_teachers_of_a_second_language_model_are_told_by_their_own_settings() -> None:
    chain = Chain(Path("lm"), Path("work"), lm_settings=("training.seed=1",), settings=("student.layers=1",))
    second = replace(chain, taught_by="second")
    assert told_by_row(chain, plain=True)[TOGETHER_ROW] == ["training.seed=1"]
    told = told_by_row(second, plain=False)
    assert told[TOGETHER_ROW] == told[LM_ROW] == ["training.seed=1"]
    assert told[SECOND_ROW] == told[SECOND_TOGETHER_ROW] == ["training.epochs=3", "training.seed=1"]
    assert told[SECOND_STUDENT_ROW] == ["student.layers=1"]


def test_a_kept_row_of_other_settings_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    data = write_tiny_data(tmp_path / "data")
    scores = Scores(tmp_path / "accuracy.json")
    fingerprint = study_of(f"tiny={data}", 0, 1.0, tmp_path / "work", scores).corpus.fingerprint[:16]
    scores.add(Score("tiny", LM_ROW, 0, 0.5, 0.5, fingerprint, "training.epochs=9"))
    arguments = ["--lm", str(tmp_path), "--data", f"tiny={data}", "--out", str(tmp_path), "--taught-by", "lm"]
    told = CliRunner().invoke(command, [*arguments, "--work", str(tmp_path / "work")])
    assert isinstance(told.exception, ConfigError)
    assert f"{LM_ROW!r} of tiny, seed 0, by other settings: 'training.epochs=9', now ''" in str(told.exception)
    assert not (tmp_path / "work").exists()


def test_a_student_without_made_texts_is_one_of_both_teachers(tmp_path: Path) -> None:
    told = CliRunner().invoke(command, ["--lm", str(tmp_path), "--data", "tiny=.", "--plain", "--taught-by", "lm"])
    assert told.exit_code == 2
    assert "leave out --taught-by" in told.output


def test_settings_of_the_full_method_want_a_run_of_it(tmp_path: Path) -> None:
    words = ["--lm", str(tmp_path), "--data", "tiny=.", "--taught-by", "lm", "--full-set", "training.rounds=1"]
    told = CliRunner().invoke(command, words)
    assert told.exit_code == 2
    assert "leave out --taught-by lm" in told.output


_ROWS = (LM_ROW, TOGETHER_ROW, STUDENT_ROW, PLAIN_ROW, INT8_ROW)
