"""What ``--set`` says: text as it is, TOML elsewhere; and whose fault a wrong value is."""

from __future__ import annotations

import pytest

from distill.config.gate_mixup import GateMixupRecipe
from distill.config.language_model import FinetuneRecipe, LayersRecipe
from distill.config.overrides import Override, field_of, option_that_set, read_setting
from distill.config.recipe import read_recipe_of
from runtime.errors import ConfigError


@pytest.mark.parametrize(
    "text", ["2024-05-01", "2024", "1e3", "true", "inf", "12:30", "[a]", " 'a", 'a "b"', "", "a=b"]
)
def test_keys_of_text_take_the_value_as_it_is(text: str) -> None:
    recipe = read_recipe_of(LayersRecipe, None, [f"lm_layers.teacher={text}", f"data.text_column={text}"])
    assert recipe.lm_layers.teacher == recipe.data.text_column == text


@pytest.mark.parametrize("text", ["'query: '", '"query: "', ' "query: " '])
def test_quotes_around_text_are_those_of_toml(text: str) -> None:
    assert read_recipe_of(FinetuneRecipe, None, [f"lm.prefix={text}"]).lm.prefix == "query: "


def test_other_keys_take_toml_and_choices_need_no_quotes() -> None:
    settings = ["graph.nodes=['char']", "ablate.gate=true", "training.seed= 7 ", "gate_mixup.indicator=batch_accuracy"]
    recipe = read_recipe_of(GateMixupRecipe, None, settings)
    assert (recipe.graph.nodes, recipe.ablate.gate, recipe.training.seed) == (("char",), True, 7)
    assert recipe.gate_mixup.indicator == "batch_accuracy"


@pytest.mark.parametrize("setting", ["seed=1", "training.seed", "training.=1", ".seed=1", "="])
def test_what_names_no_key_is_shown_how(setting: str) -> None:
    with pytest.raises(ConfigError, match=r"write section\.key=value, for example"):
        read_setting(GateMixupRecipe, setting)


@pytest.mark.parametrize("name", ["training.sead", "trainning.seed", "recipe.seed", "recipe", "training"])
def test_what_is_no_key_has_no_field(name: str) -> None:
    assert field_of(LayersRecipe, name) is None


def test_who_gave_a_key_or_a_key_of_a_section_last() -> None:
    overrides = [Override("--seed", "training.seed", 1), Override("--set", "student.width", 3)]
    assert option_that_set(overrides, "training.seed") == "--seed"
    assert option_that_set(overrides, "student") == "--set"
    assert option_that_set(overrides, "train") is None
    assert option_that_set([*overrides, Override("--set", "training.seed", 2)], "training.seed") == "--set"
