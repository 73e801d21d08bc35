"""Folders of ours that hold no language model are told by what they are, not by what transformers knows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from distill.config.recipe import BaseRecipe
from distill.lm.folder import read_frozen
from distill.lm.misnamed import run_method
from distill.recipes.finetune import finetune
from distill.runs.run_folder import RunFolder
from runtime.errors import ConfigError
from tests.distill.tiny import tiny_recipe
from tests.distill.tiny_corpus import tiny_pretraining, write_tiny_corpus
from tests.distill.tiny_lm import tiny_finetune

Command = Callable[..., int]


@pytest.fixture(scope="module")
def teacher(data: Path, lm: Path) -> Path:
    """A finished folder of fine-tuning."""
    out = data.parent / "ft"
    finetune(tiny_finetune(data, lm, "training.epochs=1"), out, "cpu")
    return out


def begun(folder: Path, recipe: BaseRecipe) -> Path:
    """Return a folder in which a run of ``recipe`` was begun."""
    RunFolder(folder).save_recipe(recipe)
    return folder


def test_the_encoder_of_a_fine_tuning_is_named_in_its_place(
    gm_distill: Command, teacher: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gm_distill("finetune", "--lm", teacher, "--data", data, "--out", tmp_path / "again") == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.endswith(f"ft is the folder of a fine-tuning; name the encoder in it: --lm {teacher / 'encoder'}")
    texts = write_tiny_corpus(tmp_path / "texts.txt")
    assert gm_distill("pretrain", texts, "--from", teacher, "--out", tmp_path / "lm") == 2
    error = capsys.readouterr().err
    assert "ft learned labels; name with --from the language model it was made from" in error
    assert error.count("\n") == 1


def test_a_run_holds_no_language_model(
    gm_distill: Command, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = begun(tmp_path / "r1", tiny_recipe(data))
    assert gm_distill("finetune", "--lm", run, "--data", data, "--out", tmp_path / "a") == 2
    assert "r1 is a run folder and holds no language model; name a" in capsys.readouterr().err.splitlines()[-1]
    texts = write_tiny_corpus(tmp_path / "texts.txt")
    assert gm_distill("pretrain", texts, "--from", run, "--out", tmp_path / "b") == 3
    assert "holds no language model; name a local Hugging Face folder with --from" in capsys.readouterr().err
    with pytest.raises(ConfigError, match=r"holds no language model.*--set teacher\.lm="):
        read_frozen(run, "data", 16)


def test_an_ordinary_folder_holds_no_language_model(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds no language model; name a local Hugging Face"):
        finetune(tiny_finetune(data, data), tmp_path / "a", "cpu")


def test_a_run_that_is_not_finished_says_how_to_go_on(data: Path, lm: Path, tmp_path: Path) -> None:
    begun(tmp_path / "ft", tiny_finetune(data, lm))
    with pytest.raises(ConfigError, match=r"not finished.*'gm-distill finetune --out .*ft --resume'"):
        finetune(tiny_finetune(data, tmp_path / "ft"), tmp_path / "a", "cpu")
    begun(tmp_path / "lm", tiny_pretraining(tmp_path / "texts.txt"))
    with pytest.raises(ConfigError, match=r"not finished.*'gm-distill pretrain --out .*lm --resume'"):
        finetune(tiny_finetune(data, tmp_path / "lm"), tmp_path / "b", "cpu")


def test_a_language_model_beside_a_recipe_is_one(lm: Path, tmp_path: Path) -> None:
    assert run_method(begun(tmp_path, tiny_pretraining(tmp_path / "texts.txt"))) == "pretrain"
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}), encoding="utf-8")
    assert run_method(tmp_path) is None
    assert run_method(lm) is None


def test_a_recipe_that_cannot_be_read_is_none_of_a_language_model(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text("half of [", encoding="utf-8")
    assert run_method(tmp_path) == ""
