"""Folders that hold a language model: a fine-tuned one, or any Hugging Face encoder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from distill.lm.folder import read_finetuned, read_frozen
from distill.recipes.finetune import finetune
from distill.runs.run_folder import RunFolder
from runtime.errors import ConfigError, DataError
from tests.distill.tiny_lm import tiny_finetune


@pytest.fixture(scope="module")
def teacher(data: Path, lm: Path) -> Path:
    """A fine-tuned tiny language model that reads a prefix."""
    out = data.parent / "teacher"
    finetune(tiny_finetune(data, lm, "lm.prefix='盐 '", "training.epochs=1"), out, "cpu")
    return out


def fingerprint(teacher: Path) -> str:
    return str(RunFolder(teacher).environment()["data_fingerprint"])


def test_finetuned_one_is_asked_with_its_own_weights_and_prefix(teacher: Path) -> None:
    frozen, finetuned = read_frozen(teacher, fingerprint(teacher), 16), read_finetuned(teacher, 16)
    assert frozen.sha256 == finetuned.sha256
    assert frozen.tokenizer.prefix == "盐 "
    assert not frozen.encoder.training
    weights = finetuned.teacher.encoder.state_dict()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in frozen.encoder.state_dict().items())


def test_ordinary_encoder_knows_no_labels_and_serves_any_data(lm: Path, teacher: Path) -> None:
    frozen = read_frozen(lm, "any data", 16)
    assert frozen.tokenizer.prefix == ""
    assert not frozen.encoder.training
    assert frozen.sha256 != read_frozen(teacher, fingerprint(teacher), 16).sha256


def test_one_that_pretraining_wrote_is_an_ordinary_encoder(lm: Path, tmp_path: Path) -> None:
    for file in lm.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "recipe.toml").write_text('recipe = "pretrain"\n', encoding="utf-8")
    assert read_frozen(tmp_path, "any data", 16).sha256 == read_frozen(lm, "any data", 16).sha256


def test_what_a_folder_lacks_and_nobody_asks_is_no_part_of_its_fingerprint(lm: Path, tmp_path: Path) -> None:
    for file in lm.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = load_file(lm / "model.safetensors")
    without_pooler = {name: tensor for name, tensor in weights.items() if "pooler" not in name}
    assert len(without_pooler) < len(weights)
    save_file(without_pooler, tmp_path / "model.safetensors", metadata={"format": "pt"})
    first, second = (read_frozen(tmp_path, "any data", 16) for _ in range(2))
    assert first.sha256 == second.sha256 != read_frozen(lm, "any data", 16).sha256


def test_one_of_other_data_may_know_the_labels_and_is_refused(teacher: Path) -> None:
    with pytest.raises(ConfigError, match=r"labels of dev and test; give all runs the same data"):
        read_frozen(teacher, "other data", 16)
    with pytest.raises(ConfigError, match="labels of dev and test"):
        read_frozen(teacher / "encoder", "other data", 16)
    assert read_frozen(teacher / "encoder", fingerprint(teacher), 16).tokenizer.prefix == "盐 "


def test_its_encoder_is_refused_wherever_it_was_copied_to(teacher: Path, tmp_path: Path) -> None:
    shutil.copytree(teacher / "encoder", tmp_path / "enc")
    with pytest.raises(ConfigError, match=r"enc learned other data.*labels of dev and test"):
        read_frozen(tmp_path / "enc", "other data", 16)
    assert not read_frozen(tmp_path / "enc", fingerprint(teacher), 16).encoder.training


def test_missing_folder_names_the_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing: no such folder.*--set teacher\.lm="):
        read_frozen(tmp_path / "nothing", "data", 16)


def test_unfinished_one_is_named(tmp_path: Path, data: Path, lm: Path) -> None:
    RunFolder(tmp_path).save_recipe(tiny_finetune(data, lm))
    with pytest.raises(DataError, match=r"labels\.json is missing"):
        read_frozen(tmp_path, "data", 16)
