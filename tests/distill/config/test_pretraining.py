"""The recipe of pretraining: shipped file, explained keys, refused values."""

from __future__ import annotations

import pytest

from distill.config.pretraining import PretrainRecipe
from distill.config.recipe import SHIPPED_RECIPES, Section, read_recipe_of
from runtime.errors import ConfigError

SHIPPED = SHIPPED_RECIPES / "pretrain.toml"


def test_every_key_is_explained() -> None:
    for _, section in PretrainRecipe():
        for key, field in type(section).model_fields.items() if isinstance(section, Section) else ():
            assert field.description, key
            assert f"# {field.description}" in PretrainRecipe().to_toml()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.epochs=0", "training.epochs"),
        ("masking.share=1", "masking.share"),
        ("model.max_len=3", "model.max_len"),
        ("model.heads=3", r"heads \(3\) must divide width"),
        ("model.hidden=3", "unknown key model.hidden"),
        ("data.held_out=0", "data.held_out"),
        ("training.precision=float16", "training.precision"),
    ],
)
def test_wrong_values_are_named(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_recipe_of(PretrainRecipe, None, [override])
