"""The recipe that a command line asks for: a file or the run to resume, the short options, then ``--set``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from distill.config.overrides import Override, field_of, read_setting
from distill.config.recipe import SHIPPED_RECIPES, BaseRecipe, method_of, read_recipe_of
from runtime.errors import ConfigError

_Recipe = TypeVar("_Recipe", bound=BaseRecipe)

_OPTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "data": ("--data", ("data.path",)),
    "text_column": ("--text-column", ("data.text_column",)),
    "label_column": ("--label-column", ("data.label_column",)),
    "encoding": ("--encoding", ("data.encoding",)),
    "sheet": ("--sheet", ("data.sheet",)),
    "seed": ("--seed", ("training.seed",)),
    "lm": ("--lm", ("lm.folder",)),
    "folders": ("--teacher", ("teachers.folders", "lm_layers.teacher")),
    "unlabelled": ("--unlabelled", ("data.unlabelled",)),
    "paths": ("CORPUS_DIR|FILE", ("data.paths",)),
    "start": ("--from", ("model.start",)),
}
"""By parameter: the option as users write it, and the keys that it sets, of which a method has one at most."""
_COMMANDS = {"finetune": "finetune", "pretrain": "pretrain"}
"""The command that trains a method, where that is not ``gm-distill run``."""


def resolve(
    recipe_class: Callable[[Path | None], type[_Recipe]],
    recipe: Path | None,
    settings: Sequence[str],
    options: Mapping[str, object],
    resumed: Path | None,
    default: Path | None = None,
) -> _Recipe:
    """Return the recipe; a resumed run has one already, to which the options are applied.

    Args:
        recipe_class: returns the class of the recipe in a file; ``None`` means no file.
        recipe: file, or name of a shipped one, if one is given.
        settings: as given to ``--set``.
        options: the short ones, by parameter; ``None`` or empty where they are not given.
        resumed: the folder of the run to go on with.
        default: stands for ``recipe`` where a run begins without one.

    Raises:
        ConfigError: there is no run to resume, or another command began it; the method lacks an option; or see
            :func:`distill.config.recipe.read_recipe_of`.
    """
    given = {name: value for name, value in options.items() if value not in (None, ())}
    begun = _begun(resumed, given, settings) if resumed and not recipe else None
    path = begun or _shipped(recipe or default)
    kind = recipe_class(path)
    if begun:
        _refuse_another_command(begun, kind)
    short = [_override(kind, name, value) for name, value in given.items()]
    overrides = [*short, *(read_setting(kind, setting) for setting in settings)]
    resolved = read_recipe_of(kind, path, overrides)
    if path is None or begun:
        return resolved
    # Paths on the command line start from the working directory.
    return resolved.with_paths_from(path.parent, but={override.key for override in overrides})


def _begun(out: Path, given: Collection[str], settings: Sequence[str]) -> Path | None:
    """Return the recipe of the run that was begun in ``out``; ``None`` if none was, but a run may begin there."""
    # Only here: it needs torch, and a mistyped recipe should be reported at once.
    from distill.runs.run_folder import RunFolder

    recipe = RunFolder(out).recipe_file
    if recipe.is_file():
        return recipe
    keys = {setting.partition("=")[0].strip() for setting in settings}
    # With data named, the same command may begin the run and go on with it after every stop.
    if not {"data", "paths"} & {*given} and not {"data.path", "data.paths"} & keys:
        raise ConfigError(f"{out}: there is no run to go on with; correct --out, or begin one without --resume")
    return None


def _shipped(recipe: Path | None) -> Path | None:
    """Return the file of a recipe that ships with the package, where only its name is given.

    A file of that name takes precedence; a folder, such as a run named after its method, does not.
    """
    if recipe is None or recipe.is_file():
        return recipe
    shipped = SHIPPED_RECIPES / f"{recipe}.toml"
    return shipped if shipped.is_file() else recipe


def _refuse_another_command(begun: Path, kind: type[BaseRecipe]) -> None:
    from distill.runs.run_folder import RunFolder

    method, out = method_of(begun), begun.parent
    if method != kind.method():
        if RunFolder(out).finished:
            raise ConfigError(f"the run in {out} is finished, and of the method {method}; choose another --out")
        command = f"gm-distill {_COMMANDS.get(method, 'run')}"
        raise ConfigError(f"{out} was begun by '{command}'; go on with: {command} --out {out} --resume")


def _override(kind: type[BaseRecipe], name: str, value: object) -> Override:
    """Return what an option gives to the one of its keys that the method has."""
    option, keys = _OPTIONS[name]
    for key in keys:
        if field := field_of(kind, key):
            return Override(option, key, _plain(option, value, one=field.annotation is str))
    raise ConfigError(f"{option}: the method {kind.method()} has no such option; leave it out, or name another recipe")


def _plain(option: str, value: object, one: bool) -> object:
    """Return paths as recipes hold them: strings, ``one`` of them or a list."""
    if isinstance(value, Path):
        return str(value)
    if not isinstance(value, tuple):
        return value
    names = [str(path) for path in value]
    if one and len(names) > 1:
        raise ConfigError(f"{option} is given {len(names)} times, and this method takes one; leave the others out")
    return names[0] if one else names
