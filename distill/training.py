"""What training does the same way whatever the method: folder, data, device, means, scores, environment."""

from __future__ import annotations

import logging
import platform
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from importlib.metadata import version
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from distill.corpus import Corpus, read_corpus
from distill.metrics import accuracy, macro_f1
from distill.recipe import BaseRecipe, DataConfig, method_of, read_recipe_of
from distill.run_folder import RunFolder, refuse_strange_names
from distill.summary import summary
from runtime.errors import ConfigError, GMError
from runtime.files import left_behind
from runtime.lock import HeldError, held

Event = dict[str, Any]
Report = Callable[[Event], None]

_LOG = logging.getLogger(__name__)
_PACKAGES = ("gm-edge", "torch", "torch-geometric", "transformers", "numpy", "safetensors")
_LOCK = ".lock"
_Recipe = TypeVar("_Recipe", bound=BaseRecipe)


class Means:
    """Means over an epoch, each batch weighed by its texts."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._texts: dict[str, int] = {}

    def add(self, texts: int, values: Mapping[str, Tensor]) -> None:
        """Add the values of a batch of ``texts`` texts."""
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, torch.zeros_like(value)) + texts * value.detach()
            self._texts[name] = self._texts.get(name, 0) + texts

    def values(self) -> dict[str, float]:
        """Return the means.

        Raises:
            ConfigError: one is not a finite number: training has diverged.
        """
        means = {name: float(total) / self._texts[name] for name, total in self._sums.items()}
        refuse_divergence(means)
        return means


def refuse_divergence(losses: Mapping[str, float]) -> None:
    """Refuse to go on, and to keep such a state, where a loss is no number.

    Raises:
        ConfigError: one is not a finite number: training has diverged.
    """
    for name, loss in losses.items():
        if not isfinite(loss):
            advice = "lower the learning rate and train anew"
            raise ConfigError(f"training diverged: the loss {name!r} is {loss}; {advice}")


def score(labels: Tensor, logits: Tensor) -> dict[str, float]:
    """Return accuracy and macro-F1 of logits ``[n, C]`` on class ids ``[n]``, both on the CPU."""
    truth, predicted = labels.numpy(), logits.argmax(1).numpy()
    return {"accuracy": accuracy(truth, predicted), "macro_f1": macro_f1(truth, predicted, logits.shape[1])}


def choose_device(name: str) -> torch.device:
    """Return the device that ``auto``, ``cpu`` or ``cuda`` means here.

    Raises:
        ConfigError: there is no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device cuda: torch sees no GPU here; use --device cpu, or install torch with CUDA")
    return torch.device(name)


def mixed_precision(device: torch.device) -> torch.autocast:
    """Return the context in which students and graph networks compute: bfloat16 on a GPU, float32 on a CPU.

    Language models have a context of their own, :func:`distill.lm.precision.lm_precision`.
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")


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
    # Before there is a lock: it would lie in a folder that is refused.
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
            # Where its data lie now was perhaps mistyped, and they are those of another run: it keeps its own.
            if begun is not None and begun != recipe:
                run.save_recipe(begun)
            raise
    if (run.path / "environment.json").exists():
        # On Windows the lock outlives the checkpoint that it lies in. Of an unfinished run it stays: were it removed,
        # two who wait for it could hold two files of its name.
        shutil.rmtree(run.checkpoint, ignore_errors=True)


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
    if (run.path / "environment.json").exists():
        raise ConfigError(f"the run in {run.path} is finished; choose another --out to train again")
    _refuse_another_recipe(run, recipe)


def _refuse_another_recipe(run: RunFolder, recipe: BaseRecipe) -> None:
    path = run.path / "recipe.toml"
    if (method := method_of(path)) != recipe.method():
        what = f"{run.path} was begun by the method {method}, not {recipe.method()}"
        raise ConfigError(f"{what}; leave the recipe out, or choose another --out")
    begun = _begun(run, type(recipe))
    # Data that moved are the same data: whether they are is told by their fingerprint, not by where they lie.
    elsewhere = [key for key in recipe.file_keys() if key.startswith("data.")]
    if different := begun.differences(recipe, but=elsewhere):
        what = f"{run.path} was begun with another recipe: {', '.join(different)}"
        raise ConfigError(f"{what}; leave out what differs, or choose another --out")


def _begun(run: RunFolder, kind: type[_Recipe]) -> _Recipe:
    return read_recipe_of(kind, run.path / "recipe.toml").with_paths_from(Path.cwd())


def _is_new(run: RunFolder, kind: type[BaseRecipe]) -> bool:
    """Return whether nothing lies there but, at most, the recipe of a run that found its data or teacher missing."""
    recipe, left = run.path / "recipe.toml", _left(run)
    if left != [recipe]:
        return not left
    try:
        # A recipe that a person wrote has other comments, or none: it is not ours to replace.
        return read_recipe_of(kind, recipe).to_toml() == recipe.read_text(encoding="utf-8")
    except ConfigError:
        return False


def _left(run: RunFolder) -> list[Path]:
    """Return what lies there and was learned, or is another's: no checkpoint of a lock alone, no rows left out."""
    if not run.path.is_dir():
        return [run.path] if run.path.exists() else []
    lock = run.checkpoint / _LOCK
    nothing_kept = lock.is_file() and list(run.checkpoint.glob("*")) == [lock]
    # The recipe is the first file: who is killed while it is written has learned nothing.
    nothing = {run.left_out, *left_behind(run.path / "recipe.toml"), *([run.checkpoint] if nothing_kept else [])}
    return [path for path in run.path.iterdir() if path not in nothing]


def read_data(run: RunFolder, config: DataConfig, seed: int) -> Corpus:
    """Read what a run learns from, and show people what that is before the run does.

    The rows that are left out are written into the run folder; a :func:`summary` is logged.

    Args:
        run: its folder, claimed.
        config: see :func:`distill.corpus.read_corpus`.
        seed: of the split.

    Raises:
        DataError: no such data, a file is not as it should be, there is nothing to learn from it, or the run folder
            cannot be written.
        ConfigError: an encoding or a share that does not work, or a missing package.
    """
    corpus = read_corpus(config, seed)
    run.save_left_out(corpus.left_out)
    _LOG.info("%s", summary(corpus, run.left_out))
    return corpus


def refuse_other_data(teacher: Path, learned: str, data: str) -> None:
    """Refuse a teacher that may have learned labels of dev or test.

    Args:
        teacher: its folder.
        learned: fingerprint of the corpus that it learned.
        data: fingerprint of the corpus that it is to teach.

    Raises:
        ConfigError: they differ.
    """
    if learned != data:
        raise ConfigError(
            f"{teacher} learned other data, or data split by another seed: it may know labels of dev and test; "
            "give all runs the same data and training.seed"
        )


def machine(seed: int, device: torch.device) -> dict[str, Any]:
    """Return seed, device, threads and versions of a run that ends now, for ``environment.json``."""
    return {
        "finished_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "seed": seed,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
    }


def environment(seed: int, device: torch.device, corpus: Corpus, seconds: float) -> dict[str, Any]:
    """Return what a run ran on and on what data, for ``environment.json``."""
    return {
        **machine(seed, device),
        "data_fingerprint": corpus.fingerprint,
        "rows": {"train": len(corpus.train), "dev": len(corpus.dev), "test": len(corpus.test)},
        "dropped": corpus.dropped,
        "wall_s": round(seconds, 1),
    }
