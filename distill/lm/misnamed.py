"""Folders that are named where a language model is wanted and hold none, and what to name in their place.

transformers would print every kind of model that it knows.
"""

from __future__ import annotations

from pathlib import Path

from distill.recipe import method_of
from runtime.errors import ConfigError, GMError


def run_method(folder: Path) -> str | None:
    """Return the method of a run; ``None`` if ``folder`` is none, or holds a language model itself."""
    # What pretraining wrote has a recipe too, beside the config.json of an ordinary Hugging Face folder.
    if not (folder / "recipe.toml").is_file() or (folder / "config.json").is_file():
        return None
    try:
        return method_of(folder / "recipe.toml")
    except ConfigError:
        return ""


def refuse_misnamed(folder: Path, option: str, kind: type[GMError]) -> None:
    """Refuse a folder that holds no language model by itself.

    Args:
        folder: what the user named.
        option: of the command line; it names another folder.
        kind: of the error.
    """
    method = run_method(folder)
    if method is None:
        if not any(folder.glob("*.json")):  # a tokenizer alone has no config.json, but others
            advice = f"name a local Hugging Face folder with {option}"
            raise kind(f"{folder} holds no language model; {advice}")
        return
    if method == "finetune" and (folder / "encoder").is_dir():
        raise kind(f"{folder} is the folder of a fine-tuning; name the encoder in it: {option} {folder / 'encoder'}")
    if method in ("finetune", "pretrain"):
        raise kind(
            f"the run in {folder} is not finished and holds no language model yet; go on with "
            f"'gm-distill {method} --out {folder} --resume'"
        )
    raise kind(f"{folder} is a run folder and holds no language model; name a local Hugging Face folder with {option}")
