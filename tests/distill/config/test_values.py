"""Ranges of numbers, alike in the recipes of all methods."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from distill.config.gate_mixup import GateMixupRecipe
from distill.config.language_model import FinetuneRecipe, LayersRecipe
from distill.config.multi_teacher import MultiTeacherRecipe
from distill.config.pretraining import PretrainRecipe
from distill.config.recipe import BaseRecipe, Section, read_recipe_of
from runtime.errors import ConfigError

KINDS: list[type[BaseRecipe]] = [GateMixupRecipe, FinetuneRecipe, LayersRecipe, MultiTeacherRecipe, PretrainRecipe]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", ["inf", "nan"])
def test_numbers_are_finite_but_for_a_gradient_that_is_not_clipped(kind: type[BaseRecipe], number: str) -> None:
    for name, section in kind():
        for key, field in type(section).model_fields.items() if isinstance(section, Section) else ():
            setting = f"{name}.{key}={number}"
            if key == "gradient_clip" and number == "inf":
                recipe = read_recipe_of(kind, None, [setting])
                assert f"{key} = inf" in recipe.to_toml()
            elif field.annotation is float:
                with pytest.raises(ConfigError, match=f"--set: {name}.{key}: Input should be"):
                    read_recipe_of(kind, None, [setting])


@pytest.mark.parametrize("kind", KINDS)
def test_largest_seed_is_that_of_toml_and_torch_takes_it(kind: type[BaseRecipe], tmp_path: Path) -> None:
    recipe = read_recipe_of(kind, None, [f"training.seed={2**63 - 1}"])
    (tmp_path / "recipe.toml").write_text(recipe.to_toml(), encoding="utf-8")
    assert read_recipe_of(kind, tmp_path / "recipe.toml") == recipe
    torch.manual_seed(2**63 - 1)
    with pytest.raises(ConfigError, match=r"training\.seed: Input should be less than or equal to"):
        read_recipe_of(kind, None, [f"training.seed={2**63}"])
