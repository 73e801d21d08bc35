"""Folders that are named where a language model is wanted and hold none, and what to name in their place.

transformers would print every kind of model that it knows.
"""

from __future__ import annotations

from pathlib import Path

from distill.runs.run_folder import RunFolder, named_method
from runtime.errors import GMError


def run_method(folder: Path) -> str | None:
    """Return the method of a run; ``None`` if ``folder`` is none, or holds a language model itself."""
    # What pretraining wrote has a recipe too, beside the config.json of an ordinary Hugging Face folder.
    if not RunFolder(folder).recipe_file.is_file() or (folder / "config.json").is_file():
        return None
    return named_method(folder)


def refuse_misnamed(folder: Path, option: str, kind: type[GMError]) -> None:
    """Refuse a folder that holds no language model by itself.

    Args:
        folder: what the user named.
        option: of the command line; it names another folder.
        kind: of the error.
    """
    method, advice = run_method(folder), f"holds no language model; name a local Hugging Face folder with {option}"
    if method is None:
        if not any(folder.glob("*.json")):  # a tokenizer alone has no config.json, but others
            raise kind(f"{folder} {advice}")
        return
    if method == "finetune" and (folder / "encoder").is_dir():
        raise kind(f"{folder} is the folder of a fine-tuning; name the encoder in it: {option} {folder / 'encoder'}")
    if method in ("finetune", "pretrain"):
        raise kind(
            f"the run in {folder} is not finished and holds no language model yet; go on with "
            f"'gm-distill {method} --out {folder} --resume'"
        )
    raise kind(f"{folder} is a run folder and {advice}")
