"""Which recipe a command line asks for, and the option that is named where it asks for what there is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from distill.commands.command_recipe import resolve
from distill.config.gate_mixup import GateMixupRecipe, read_gate_mixup
from distill.config.language_model import FinetuneRecipe, LayersRecipe
from distill.config.methods import AnyRecipe, recipe_class
from distill.config.multi_teacher import MultiTeacherRecipe
from distill.runs.claim import claimed
from distill.runs.run_folder import RunFolder
from runtime.errors import ConfigError
from tests.distill.tiny import tiny_recipe, write_tiny_data

Command = Callable[..., int]
Output = pytest.CaptureFixture[str]


def asked(recipe: str | None, *settings: str, **options: object) -> AnyRecipe:
    """Return what ``gm-distill run`` would train by."""
    return resolve(recipe_class, Path(recipe) if recipe else None, settings, options, None)


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """A run that was stopped after it had learned something: seed 3, its own data."""
    data = write_tiny_data(tmp_path / "data")
    run = RunFolder(tmp_path / "begun")
    with claimed(run, tiny_recipe(data, "training.seed=3"), resume=False):
        (run.checkpoint / "states").mkdir()
    return run.path


def test_options_win_over_the_file_and_set_over_options(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[training]\nseed = 1\nrounds = 3\n[data]\npath = 'a.csv'\ntext_column = 'x'\n", encoding="utf-8")
    recipe = asked(str(path), "training.seed=5", seed=4, text_column="品名", data=None)
    assert isinstance(recipe, GateMixupRecipe)
    assert (recipe.training.seed, recipe.training.rounds, recipe.data.text_column) == (5, 3, "品名")
    assert Path(recipe.data.path) == tmp_path / "a.csv"
    assert asked(str(path), data=Path("b.csv")).data.path == "b.csv"


def test_teacher_is_the_key_of_the_method_that_has_one() -> None:
    layers = asked("lm_layers", folders=(Path("lm"),))
    assert isinstance(layers, LayersRecipe)
    assert layers.lm_layers.teacher == "lm"
    several = asked("multi_teacher", folders=(Path("lm"), Path("mutual")))
    assert isinstance(several, MultiTeacherRecipe)
    assert several.teachers.folders == ("lm", "mutual")


@pytest.mark.parametrize(
    ("recipe", "settings", "options", "message"),
    [
        (
            "lm_layers",
            [],
            {"folders": (Path("a"), Path("b"))},
            r"^--teacher is given 2 times, and this method takes one",
        ),
        ("gate_mixup", [], {"folders": (Path("a"),)}, r"^--teacher: the method gate_mixup has no such option"),
        ("gate_mixup", [], {"unlabelled": (Path("a"),)}, r"^--unlabelled: the method gate_mixup has no such option"),
        ("gate_mixup", ["training.sead=1"], {}, r"^--set: unknown key training\.sead"),
        ("gate_mixup", ["trainning.seed=1"], {}, r"^--set: unknown key trainning"),
        ("gate_mixup", ["graph.nodes=['x']"], {}, r"^--set: graph\.nodes\.0: "),
        ("gate_mixup", ["student.heads=3"], {}, r"^--set: student: .*heads \(3\) must divide width"),
        ("gate_mixup", [], {"seed": 2**63}, r"^--seed: training\.seed: "),
        ("lm_layers", ["ablate.gate=true"], {}, r"^--set: unknown key ablate"),
    ],
)
def test_the_option_at_fault_is_named_and_not_the_file(
    recipe: str, settings: list[str], options: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        asked(recipe, *settings, **options)


def test_a_fault_of_the_file_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[training]\nseed = 'x'\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"mine\.toml: training\.seed"):
        asked(str(path), "training.rounds=1")


@pytest.mark.parametrize("again", [[], ["--seed", 3], ["--set", "training.seed=3", "--data", "data"]])
def test_a_resumed_run_may_be_told_again_what_it_is(
    gm_distill: Command, begun: Path, monkeypatch: pytest.MonkeyPatch, again: list[object]
) -> None:
    monkeypatch.chdir(begun.parent)
    assert gm_distill("run", "--out", begun, "--resume", *again, "--device", "cpu") == 0
    assert RunFolder(begun).recipe() == tiny_recipe(begun.parent / "data", "training.seed=3")


def test_a_resumed_run_that_is_told_otherwise_names_the_keys_with_both_values(
    gm_distill: Command, begun: Path, capsys: Output
) -> None:
    other = ["--seed", 4, "--text-column", "品名"]
    assert gm_distill("run", "--out", begun, "--resume", *other) == 2
    assert capsys.readouterr().err == (
        f'gm-distill: {begun} was begun with another recipe: data.text_column="text", not "品名", '
        "training.seed=3, not 4; leave out what differs, or choose another --out\n"
    )


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["finetune"], "was begun by 'gm-distill run'; go on with: gm-distill run --out "),
        (["pretrain"], "was begun by 'gm-distill run'; go on with: gm-distill run --out "),
        (["run", "--teacher", "lm"], "--teacher: the method gate_mixup has no such option"),
        (["run", "multi_teacher", "--teacher", "lm"], "was begun by the method gate_mixup, not multi_teacher; leave"),
    ],
)
def test_a_run_of_another_method_says_so(
    gm_distill: Command, begun: Path, capsys: Output, command: list[str], message: str
) -> None:
    assert gm_distill(*command, "--out", begun, "--resume") == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert message in error


def test_a_run_of_fine_tuning_is_sent_back_to_it(tmp_path: Path) -> None:
    RunFolder(tmp_path).save_recipe(FinetuneRecipe())
    with pytest.raises(ConfigError, match=f"go on with: gm-distill finetune --out {tmp_path} --resume"):
        resolve(lambda _: GateMixupRecipe, None, (), {}, tmp_path)


def test_a_recipe_of_pretraining_is_sent_to_pretraining() -> None:
    with pytest.raises(ConfigError, match="that is for 'gm-distill pretrain'"):
        asked("pretrain")


def test_no_run_to_resume_but_data_that_begin_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no run to go on with"):
        resolve(recipe_class, None, (), {"seed": 1}, tmp_path / "run")
    for settings, options in ((["data.path=a.csv"], {}), ([], {"data": Path("a.csv")})):
        begins = resolve(recipe_class, None, settings, options, tmp_path / "run")
        assert begins == read_gate_mixup(None, ["data.path=a.csv"])
