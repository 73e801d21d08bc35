"""Folders of ours that are named where a language model is wanted, and what to name in their place.

transformers would print every kind of model that it knows.
"""

from __future__ import annotations

from pathlib import Path

from distill.recipe import read_toml
from runtime.errors import ConfigError, GMError


def method_of(folder: Path) -> str | None:
    """Return the method of a run; ``None`` if ``folder`` is none, or holds a language model itself."""
    # What pretraining wrote has a recipe too, beside the config.json of an ordinary Hugging Face folder.
    if not (folder / "recipe.toml").is_file() or (folder / "config.json").is_file():
        return None
    try:
        return str(read_toml(folder / "recipe.toml").get("recipe", "gate_mixup"))
    except ConfigError:
        return ""


def refuse_misnamed(folder: Path, option: str, kind: type[GMError]) -> None:
    """Refuse a run that holds no language model by itself.

    Args:
        folder: what the user named.
        option: of the command line; it names another folder.
        kind: of the error.
    """
    method = method_of(folder)
    if method is None:
        return
    if method == "finetune" and (folder / "encoder").is_dir():
        raise kind(f"{folder} is the folder of a fine-tuning; name the encoder in it: {option} {folder / 'encoder'}")
    if method in ("finetune", "pretrain"):
        raise kind(
            f"the run in {folder} is not finished and holds no language model yet; go on with "
            f"'gm-distill {method} --out {folder} --resume'"
        )
    raise kind(f"{folder} is a run folder and holds no language model; name a local Hugging Face folder with {option}")
