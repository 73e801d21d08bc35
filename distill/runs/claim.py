"""Who may train in a run folder: one process at a time, by one recipe, until the run is finished."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from distill.config.recipe import BaseRecipe, method_of, read_recipe_of
from distill.runs.run_folder import RunFolder, refuse_strange_names
from runtime.errors import ConfigError, GMError
from runtime.files import left_behind
from runtime.lock import HeldError, held

_LOCK = ".lock"
_Recipe = TypeVar("_Recipe", bound=BaseRecipe)


@contextmanager
def claimed(run: RunFolder, recipe: BaseRecipe, resume: bool) -> Iterator[None]:
    """Hold ``run`` as the folder of this recipe while the block trains, or refuse.

    The recipe is kept with absolute paths, so that it says the same wherever it is read. A process that is killed
    leaves nothing that keeps others out: the system takes the lock back.

    Raises:
        ConfigError: it is in use, finished, of another recipe or of another method, or another process trains in it.
    """
    recipe = recipe.with_paths_from(Path.cwd())
    refuse_strange_names(recipe)
    # Before there is a lock, which would be left in a folder that is refused.
    _refuse_unless_free(run, recipe, resume)
    with _locked(run):
        # Once more: whoever held the lock until now may have finished.
        _refuse_unless_free(run, recipe, resume)
        begun = None if _is_new(run, type(recipe)) else _begun(run, type(recipe))
        if begun != recipe:  # it is new, or its data may have moved
            run.save_recipe(recipe)
        try:
            yield
        except GMError:
            # Perhaps the new path of the data was mistyped and names those of another run: keep the old one.
            if begun is not None and begun != recipe:
                run.save_recipe(begun)
            raise
    if run.finished:
        # Again: on Windows a lock that is held keeps the checkpoint around it from being removed. The lock of an
        # unfinished run stays: if it were removed, two waiting processes could each lock a file of its name.
        run.remove_checkpoint()


@contextmanager
def _locked(run: RunFolder) -> Iterator[None]:
    try:
        with held(run.checkpoint / _LOCK):
            yield
    except HeldError as error:
        what = f"another process trains in {run.path}"
        raise ConfigError(f"{what}; wait until it ends, stop it, or choose another --out") from error


def _refuse_unless_free(run: RunFolder, recipe: BaseRecipe, resume: bool) -> None:
    if _is_new(run, type(recipe)):
        return
    if not resume:
        raise ConfigError(f"{run.path} is not empty; choose another --out, or go on with an interrupted run: --resume")
    if run.finished:
        raise ConfigError(f"the run in {run.path} is finished; choose another --out to train again")
    _refuse_another_recipe(run, recipe)


def _refuse_another_recipe(run: RunFolder, recipe: BaseRecipe) -> None:
    if (method := method_of(run.recipe_file)) != recipe.method():
        what = f"{run.path} was begun by the method {method}, not {recipe.method()}"
        raise ConfigError(f"{what}; leave the recipe out, or choose another --out")
    begun = _begun(run, type(recipe))
    # Data may have moved: their fingerprint, not their path, shows whether they are the same.
    elsewhere = [key for key in recipe.file_keys() if key.startswith("data.")]
    if different := begun.differences(recipe, but=elsewhere):
        what = f"{run.path} was begun with another recipe: {', '.join(different)}"
        raise ConfigError(f"{what}; leave out what differs, or choose another --out")


def _begun(run: RunFolder, kind: type[_Recipe]) -> _Recipe:
    return read_recipe_of(kind, run.recipe_file).with_paths_from(Path.cwd())


def _is_new(run: RunFolder, kind: type[BaseRecipe]) -> bool:
    """Return whether nothing is there but, at most, our recipe of a run that failed before it learned anything."""
    recipe, left = run.recipe_file, _left(run)
    if left != [recipe]:
        return not left
    try:
        # A recipe that a person wrote has other comments, or none: it is not ours to replace.
        return read_recipe_of(kind, recipe).to_toml() == recipe.read_text(encoding="utf-8")
    except ConfigError:
        return False


def _left(run: RunFolder) -> list[Path]:
    """Return what is there and must be kept: not a checkpoint with only a lock, nor the rows left out."""
    if not run.path.is_dir():
        return [run.path] if run.path.exists() else []
    lock = run.checkpoint / _LOCK
    nothing_kept = lock.is_file() and list(run.checkpoint.glob("*")) == [lock]
    # The recipe is the first file: a process killed while writing it has learned nothing.
    nothing = {run.left_out, *left_behind(run.recipe_file), *([run.checkpoint] if nothing_kept else [])}
    return [path for path in run.path.iterdir() if path not in nothing]
