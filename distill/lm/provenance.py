"""Which labelled data an encoder learned: a note that goes where the encoder goes, whatever its folder is called.

Labels of dev and test that an encoder once learned make the scores of all that is made from it better than they are.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from distill.lm.misnamed import run_method
from distill.runs.run_folder import RunFolder

# A key of config.json and no file of its own: transformers keeps keys that it does not know, so the note is in every
# copy that still can be read, and in what other programs make of the encoder and save.
_NOTE = "gm_learned_data"


def note_learned_data(encoder: Any, fingerprint: str) -> None:  # noqa: ANN401 - transformers has no types
    """Let ``encoder``, a model of transformers, tell the data that it learned wherever it is saved from now on."""
    setattr(encoder.config, _NOTE, fingerprint)


def learned_labels(folder: Path) -> bool:
    """Return whether the encoder in a Hugging Face folder, or in a folder of fine-tuning, learned labels."""
    return _noted(folder) is not None or finetuned_folder(folder) is not None or run_method(folder) == "finetune"


def learned_data(encoder: Path) -> str | None:
    """Return the fingerprint of the labelled data that the encoder in a Hugging Face folder learned, if it did.

    Raises:
        DataError: it is part of a fine-tuning of before there were notes, whose ``environment.json`` does not tell.
    """
    noted = _noted(encoder)
    if noted is None and (finetuned := finetuned_folder(encoder)):
        return RunFolder(finetuned).data_fingerprint()
    return noted


def finetuned_folder(encoder: Path) -> Path | None:
    """Return the folder of ``gm-distill finetune`` that ``encoder`` is a part of, if it still is."""
    folder = encoder.resolve()
    return folder.parent if folder.name == "encoder" and (folder.parent / "head.safetensors").is_file() else None


def _noted(encoder: Path) -> str | None:
    try:
        config = json.loads((encoder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None  # Who reads the encoder says better what is wrong with it.
    return str(config[_NOTE]) if isinstance(config, dict) and _NOTE in config else None
