"""The recipe files that come with the package are those that the keys of today give."""

from __future__ import annotations

import pytest

from distill.config.recipe import SHIPPED_RECIPES, BaseRecipe, read_recipe_of
from distill.config.shipped import HEADERS, shipped_recipe


@pytest.mark.parametrize("kind", HEADERS)
def test_the_file_is_the_generated_one_and_has_all_defaults(kind: type[BaseRecipe]) -> None:
    path = SHIPPED_RECIPES / f"{kind.method()}.toml"
    again = "run: python -m distill.config.shipped"
    assert path.read_text(encoding="utf-8") == shipped_recipe(kind), again
    assert read_recipe_of(kind, path) == kind()


def test_each_file_belongs_to_a_method() -> None:
    assert {path.stem for path in SHIPPED_RECIPES.glob("*.toml")} == {kind.method() for kind in HEADERS}
