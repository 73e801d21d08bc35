"""The recipe of several teachers: keys and shipped file."""

from __future__ import annotations

import pytest
import tomlkit

from distill.config.multi_teacher import MultiTeacherRecipe
from distill.config.recipe import SHIPPED_RECIPES, Section, read_recipe_of
from runtime.errors import ConfigError

SHIPPED = SHIPPED_RECIPES / "multi_teacher.toml"


def test_every_key_is_explained() -> None:
    document = MultiTeacherRecipe().to_toml()
    for _, section in MultiTeacherRecipe():
        for key, field in type(section).model_fields.items() if isinstance(section, Section) else ():
            assert field.description, key
            assert f"# {field.description}" in document
    assert tomlkit.parse(document).unwrap() == MultiTeacherRecipe().model_dump(mode="json")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("teachers.dictionary_words=-1", "teachers.dictionary_words"),
        ("teachers.temperature=0", "teachers.temperature"),
        ("teachers.distill_weight=2", "teachers.distill_weight"),
        ("training.threads=0", "training.threads"),
        ("lm_layers.teacher=x", "unknown key lm_layers"),
    ],
)
def test_wrong_key_is_named(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_recipe_of(MultiTeacherRecipe, SHIPPED, [override])
