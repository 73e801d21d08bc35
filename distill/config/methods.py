"""The training methods that a recipe file can name, and reading such a file whatever it names."""

from __future__ import annotations

from pathlib import Path

from distill.config.gate_mixup import GateMixupRecipe
from distill.config.language_model import FinetuneRecipe, LayersRecipe
from distill.config.multi_teacher import MultiTeacherRecipe
from distill.config.recipe import method_of, read_recipe_of
from runtime.errors import ConfigError

AnyRecipe = GateMixupRecipe | FinetuneRecipe | LayersRecipe | MultiTeacherRecipe

_KINDS: dict[str, type[AnyRecipe]] = {
    "gate_mixup": GateMixupRecipe,
    "finetune": FinetuneRecipe,
    "lm_layers": LayersRecipe,
    "multi_teacher": MultiTeacherRecipe,
}


def read_any_recipe(path: Path) -> AnyRecipe:
    """Read a recipe of the method that its top-level key ``recipe`` names; without one, of Gate-Mixup.

    Raises:
        ConfigError: no such method, or see :func:`distill.config.recipe.read_recipe_of`.
    """
    return read_recipe_of(recipe_class(path), path)


def recipe_class(path: Path | None) -> type[AnyRecipe]:
    """Return the recipe class of the method that a file names; without a file, that of Gate-Mixup.

    Raises:
        ConfigError: the file cannot be read, or it names no method that makes a classifier.
    """
    name = method_of(path) if path else GateMixupRecipe.method()
    if name == "pretrain":
        raise ConfigError(f"{path} is a recipe of pretraining; that is for 'gm-distill pretrain'")
    if name not in _KINDS:
        raise ConfigError(f"{path}: no method is called {name!r}; recipe is one of: {', '.join(_KINDS)}")
    return _KINDS[name]
