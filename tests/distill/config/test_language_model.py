"""Recipes of the language-model chain: keys, shipped files, and how a file names its method."""

from __future__ import annotations

from pathlib import Path

import pytest
import tomlkit

from distill.config.gate_mixup import GateMixupRecipe
from distill.config.language_model import FinetuneRecipe, LayersRecipe
from distill.config.methods import read_any_recipe, recipe_class
from distill.config.recipe import SHIPPED_RECIPES, BaseRecipe, Section, read_recipe_of
from runtime.errors import ConfigError

KINDS: list[type[BaseRecipe]] = [FinetuneRecipe, LayersRecipe]


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_is_explained(kind: type[BaseRecipe]) -> None:
    recipe = kind()
    for name, section in recipe:
        fields = type(section).model_fields if isinstance(section, Section) else {name: kind.model_fields[name]}
        for key, field in fields.items():
            assert field.description, key
            assert f"# {field.description}" in recipe.to_toml()


@pytest.mark.parametrize("kind", KINDS)
def test_document_is_plain_toml_with_the_method_first(kind: type[BaseRecipe]) -> None:
    keys = tomlkit.parse(kind().to_toml()).unwrap()
    assert keys == kind().model_dump(mode="json")
    assert next(iter(keys)) == "recipe"


def test_written_recipe_reads_back_as_the_same(tmp_path: Path) -> None:
    changed = ["data.unlabelled=['a.txt', '名称.csv']", "lm_layers.layers=[4, 12]", "training.seed=2"]
    recipe = read_recipe_of(LayersRecipe, SHIPPED_RECIPES / "lm_layers.toml", changed)
    path = tmp_path / "recipe.toml"
    path.write_text(recipe.to_toml(), encoding="utf-8")
    assert read_any_recipe(path) == recipe != LayersRecipe()


def test_file_that_names_no_method_is_of_gate_mixup(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text("[training]\nrounds = 3\n", encoding="utf-8")
    recipe = read_any_recipe(path)
    assert isinstance(recipe, GateMixupRecipe)
    assert recipe.training.rounds == 3
    assert recipe_class(None) is GateMixupRecipe


@pytest.mark.parametrize("name", ['"magic"', "3", "[]"])
def test_unknown_method_is_named_with_those_there_are(tmp_path: Path, name: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(f"recipe = {name}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="gate_mixup, finetune, lm_layers"):
        read_any_recipe(path)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("lm_layers.hidden_loss=luck", "hidden_loss"),
        ("lm_layers.temperature=0", "temperature"),
        ("lm_layers.distill_weight=2", "distill_weight"),
        ("imbalance.logit_adjustment=-1", "imbalance.logit_adjustment"),
        ("training.rounds=3", "unknown key training.rounds"),
        ("gate_mixup.threshold=0.5", "unknown key gate_mixup"),
    ],
)
def test_wrong_key_of_lm_layers_is_named(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_recipe_of(LayersRecipe, SHIPPED_RECIPES / "lm_layers.toml", [override])
