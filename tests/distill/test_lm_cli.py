"""The commands of the language-model chain: fine-tune, build a student, go on, and what is said on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from distill.config.gate_mixup import GateMixupRecipe
from distill.config.language_model import FinetuneRecipe, LayersRecipe
from distill.config.multi_teacher import MultiTeacherRecipe
from distill.recipes import gate_mixup
from distill.recipes.finetune import finetune
from distill.recipes.lm_layers import train
from distill.runs.run_folder import RunFolder
from tests.distill.teachers.runs import tiny_multi_teacher
from tests.distill.tiny import tiny_recipe
from tests.distill.tiny_lm import SMALL_FINETUNE, SMALL_STUDENT, tiny_finetune, tiny_layers

Command = Callable[..., int]
Output = pytest.CaptureFixture[str]
FAST_TEACHER = [word for key in SMALL_FINETUNE for word in ("--set", key)]
FAST_STUDENT = [word for key in SMALL_STUDENT for word in ("--set", key)]


@pytest.fixture(scope="module")
def teacher(data: Path, lm: Path) -> Path:
    """A fine-tuned tiny language model."""
    finetune(tiny_finetune(data, lm), data.parent / "teacher", "cpu")
    return data.parent / "teacher"


def test_finetune_then_run_by_the_name_of_a_shipped_recipe(
    gm_distill: Command, data: Path, lm: Path, tmp_path: Path, capsys: Output
) -> None:
    teacher, run = tmp_path / "teacher", tmp_path / "run"
    assert gm_distill("finetune", "--lm", lm, "--data", data, *FAST_TEACHER, "--out", teacher, "--device", "cpu") == 0
    printed = capsys.readouterr()
    starts = [
        "54 train, 18 dev, 18 test texts",
        "logistic regression on the encoder as it is: dev macro-F1",
        "epoch 1/2",
        "epoch 2/2",
    ]
    assert all(line.startswith(start) for line, start in zip(printed.err.splitlines()[:4], starts, strict=True))
    assert "teacher (language model)" in printed.out
    assert f"next: gm-distill run --teacher {teacher}" in printed.out

    named = ["--teacher", teacher]
    assert gm_distill("run", "lm_layers", "--data", data, *named, *FAST_STUDENT, "--out", run, "--device", "cpu") == 0
    printed = capsys.readouterr()
    assert printed.err.splitlines()[1] == "the teacher has read 54 of 54 texts"
    rows = [line.split("  ")[0] for line in printed.out.splitlines()[:3]]
    assert rows == ["test set", "teacher (language model)", "student"]
    assert f"next: gm-export --int8 {run}" in printed.out
    assert isinstance(RunFolder(run).recipe(), LayersRecipe)


def test_a_student_of_several_teachers_by_a_recipe_beside_them(
    gm_distill: Command, data: Path, teacher: Path, capsys: Output
) -> None:
    gate_mixup.train(tiny_recipe(data), data.parent / "mutual", "cpu")
    path, run = data.parent / "several.toml", data.parent / "several"
    recipe = tiny_multi_teacher(Path(data.name), [Path(teacher.name), Path("mutual")])
    path.write_text(recipe.to_toml(), encoding="utf-8")
    assert gm_distill("run", path, "--out", run, "--device", "cpu") == 0
    printed = capsys.readouterr()
    rows = [line.split("  ")[0] for line in printed.out.splitlines()[:3]]
    assert rows == ["test set", "teachers together", "student"]
    assert gm_distill("evaluate", run) == 0
    final = RunFolder(run).metrics()[-1]["test"]["student"]
    assert capsys.readouterr().out.startswith(f"18 texts: accuracy {final['accuracy']:.4f}")


def test_named_teachers_need_no_recipe(
    gm_distill: Command, data: Path, teacher: Path, tmp_path: Path, capsys: Output
) -> None:
    names, run = tmp_path / "names.txt", tmp_path / "run"
    names.write_text("氯化钠\n氯化钾\n", encoding="utf-8")
    quick = ["--set", "teachers.dictionary_words=0", "--set", "teachers.replaced_words=0", "--set", "training.epochs=1"]
    named = ["--teacher", teacher, "--unlabelled", names]
    assert gm_distill("run", *named, *quick, "--data", data, "--out", run, "--device", "cpu") == 0
    recipe = RunFolder(run).recipe()
    assert isinstance(recipe, MultiTeacherRecipe)
    assert (recipe.teachers.folders, recipe.data.unlabelled) == ((str(teacher),), (str(names),))
    assert RunFolder(run).environment()["rows"]["unlabelled"] == 2
    capsys.readouterr()
    assert gm_distill("run", "--unlabelled", names, "--data", data, "--out", tmp_path / "other") == 2
    assert "name who by --teacher" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    "named", [["--teacher", "nowhere"], ["multi_teacher", "--set", 'teachers.folders=["nowhere"]']]
)
def test_folder_called_as_a_shipped_recipe_is_not_taken_for_it(
    gm_distill: Command, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output, named: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("multi_teacher").mkdir()
    assert gm_distill("run", *named, "--data", data, "--out", "run") == 3
    assert "nowhere is not a run folder" in capsys.readouterr().err


def test_file_called_as_a_shipped_recipe_goes_first(
    gm_distill: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("lm_layers").write_text("[training]\nseed = 'mine'\n", encoding="utf-8")
    assert gm_distill("run", "lm_layers", "--out", "run") == 2
    assert "lm_layers: training.seed" in capsys.readouterr().err


def test_recipe_of_a_teacher_may_be_a_file_of_its_own(
    gm_distill: Command, data: Path, lm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = data.parent / "mine.toml"
    path.write_text(tiny_finetune(Path("data"), Path("lm"), "training.epochs=1").to_toml(), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert gm_distill("finetune", path, "--out", "teacher", "--device", "cpu") == 0
    recipe = RunFolder(Path("teacher")).recipe()
    assert isinstance(recipe, FinetuneRecipe)
    assert Path(recipe.lm.folder) == lm
    assert Path(recipe.data.path) == data


def test_graph_teacher_with_the_states_of_a_language_model(
    gm_distill: Command, data: Path, lm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    path = data.parent / "graphs.toml"
    once = ("training.initial_epochs=1", "training.rounds=1", "teacher.features=lm", f"teacher.lm={lm.name}")
    path.write_text(tiny_recipe(Path("data"), *once).to_toml(), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert gm_distill("run", path, "--out", "run", "--device", "cpu") == 0
    assert "the language model has read 90 of 90 texts\nepoch 1/1" in capsys.readouterr().err
    recipe = RunFolder(Path("run")).recipe()
    assert isinstance(recipe, GateMixupRecipe)
    assert Path(recipe.teacher.lm) == lm


def test_interrupted_run_says_how_to_go_on_and_does(
    gm_distill: Command, data: Path, lm: Path, teacher: Path, tmp_path: Path
) -> None:
    def stop(event: dict[str, object]) -> None:
        raise KeyboardInterrupt

    out = tmp_path / "teacher"
    with pytest.raises(KeyboardInterrupt):
        finetune(tiny_finetune(data, lm), out, "cpu", report=stop)
    assert gm_distill("finetune", "--out", out, "--resume", "--device", "cpu") == 0
    assert RunFolder(out).metrics() == RunFolder(teacher).metrics()


def test_ctrl_c_names_the_command_that_was_given(
    gm_distill: Command, data: Path, lm: Path, tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("distill.recipes.finetune.finetune", stop)
    out = tmp_path / "teacher"
    assert gm_distill("finetune", "--lm", lm, "--data", data, "--out", out) == 130
    assert capsys.readouterr().err.strip() == f"interrupted; go on with: gm-distill finetune --out {out} --resume"


def test_killed_run_goes_on_as_if_it_had_not_been(
    gm_distill: Command, data: Path, teacher: Path, tmp_path: Path
) -> None:
    """SIGKILL leaves no time to tidy up: what counts is what was written before."""
    recipe = tiny_layers(data, teacher, "training.epochs=5")
    path, killed, whole = tmp_path / "recipe.toml", tmp_path / "killed", tmp_path / "whole"
    path.write_text(recipe.to_toml(), encoding="utf-8")
    script = "from distill.cli import main; main()"
    command = [sys.executable, "-c", script, "run", str(path), "--out", str(killed), "--device", "cpu"]
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=one_thread) as run:
        assert run.stderr is not None
        next(line for line in run.stderr if line.startswith("epoch 2/5"))
        time.sleep(0.05)  # somewhere inside the third epoch
        run.kill()
    assert run.returncode == -signal.SIGKILL
    train(recipe, whole, "cpu")
    train(recipe, killed, "cpu", resume=True)
    assert RunFolder(killed).metrics() == RunFolder(whole).metrics()


def test_evaluate_reads_the_folder_of_a_teacher(gm_distill: Command, teacher: Path, capsys: Output) -> None:
    assert gm_distill("evaluate", teacher) == 0
    final = RunFolder(teacher).metrics()[-1]["test"]["teacher"]
    assert capsys.readouterr().out.startswith(f"18 texts: accuracy {final['accuracy']:.4f}")


def test_report_of_a_teacher_has_its_scores(gm_distill: Command, teacher: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    assert gm_distill("report", teacher, "--out", page) == 0
    final = RunFolder(teacher).metrics()[-1]["test"]["teacher"]
    assert f"Language model: accuracy {final['accuracy']:.4f}" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["finetune"], "--lm"),
        (["finetune", "--lm", ".", "--unlabelled", "names.txt"], "name who by --teacher FOLDER"),
        (["run", "lm_layers"], "--teacher FOLDER"),
        (["run", "multi_teacher"], "--teacher FOLDER"),
        (["run", "--set", "teacher.features=lm"], "--set teacher.lm=FOLDER"),
        (["run", "--set", "teacher.features=lm", "--set", "teacher.lm=nowhere"], "nowhere: no such folder"),
        (["run", "--set", "teacher.lm=nowhere"], "add --set teacher.features=lm, or leave it out"),
        (["run", "nonsense"], "cannot read recipe nonsense"),
        (["finetune", "lm_layers"], "recipe: Input should be 'finetune'"),
    ],
)
def test_what_is_missing_is_said_in_one_line(
    gm_distill: Command, data: Path, tmp_path: Path, capsys: Output, arguments: list[str], said: str
) -> None:
    assert gm_distill(*arguments, "--data", data, "--out", tmp_path / "out") == 2
    *before, error = capsys.readouterr().err.splitlines()
    assert before in ([], ["54 train, 18 dev, 18 test texts of 3 classes"])
    assert said in error
