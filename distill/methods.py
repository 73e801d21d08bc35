"""The training methods that a recipe file can name, and reading such a file whatever it names."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from distill.lm.recipe import FinetuneRecipe, LayersRecipe
from distill.recipe import Recipe, read_recipe_of, read_toml
from distill.teachers.recipe import MultiTeacherRecipe
from runtime.errors import ConfigError

AnyRecipe = Recipe | FinetuneRecipe | LayersRecipe | MultiTeacherRecipe

_KINDS: dict[str, type[AnyRecipe]] = {
    "gate_mixup": Recipe,
    "finetune": FinetuneRecipe,
    "lm_layers": LayersRecipe,
    "multi_teacher": MultiTeacherRecipe,
}


def read_any_recipe(path: Path | None, overrides: Iterable[str] = ()) -> AnyRecipe:
    """Read a recipe of the method that its top-level key ``recipe`` names; without one, of Gate-Mixup.

    Args:
        path: TOML file; ``None`` means the defaults of Gate-Mixup.
        overrides: as given to ``--set``.

    Raises:
        ConfigError: no such method, or see :func:`distill.recipe.read_recipe_of`.
    """
    name = read_toml(path).get("recipe", "gate_mixup") if path else "gate_mixup"
    if not isinstance(name, str) or name not in _KINDS:
        raise ConfigError(f"{path}: no method is called {name!r}; recipe is one of: {', '.join(_KINDS)}")
    return read_recipe_of(_KINDS[name], path, overrides)
