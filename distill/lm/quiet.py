"""Keeping transformers from talking to the user: what matters, our commands say themselves, in one line."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten
from typing import Any

from distill.lm.misnamed import refuse_misnamed
from runtime.errors import GMError

LOCAL = {"local_files_only": True, "trust_remote_code": False}
"""What transformers may do when it reads a folder: fetch nothing, and neither run code that lies there nor ask a person
on the terminal whether it may, as it does where nothing is said."""


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Let transformers print no warnings, as about weights of a head that it leaves out or makes, and no bars."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


@contextmanager
def reading_from(folder: Path, what: str, option: str, kind: type[GMError]) -> Iterator[None]:
    """Let transformers read ``what`` from a local Hugging Face folder within the block.

    Args:
        folder: where it shall be.
        what: names it in messages.
        option: of the command line; it names another folder.
        kind: of the error that whatever goes wrong becomes.
    """
    if not folder.is_dir():
        raise kind(f"{folder}: no such folder; name a local Hugging Face folder with {option}")
    refuse_misnamed(folder, option, kind)
    try:
        with quiet_transformers():
            yield
    # transformers raises whatever the part that fails raises; what a user can do is the same.
    except Exception as error:
        reason = shorten(str(error), 200, placeholder=" …")
        raise kind(f"{folder} holds no {what} with safetensors: {reason}") from error


def refuse_missing_weights(folder: Path, encoder: Any, missing: Collection[str], kind: type[GMError]) -> None:  # noqa: ANN401 - transformers has no types
    """Refuse an encoder of which a folder lacks weights, or has them under other names.

    Transformers draws those at random, and warns. :func:`quiet_transformers` hides the warning, which also comes for a
    missing pooler, and no pooler is used here.

    Args:
        folder: that was read.
        encoder: what transformers made of it.
        missing: names of the missing weights, as transformers reports them.
        kind: of the error.
    """
    # What learns nothing, as a table of sines, is the same wherever it comes from.
    learned = {name for name, weight in encoder.named_parameters() if weight.requires_grad}
    lacking = sorted(name for name in learned.intersection(missing) if "pooler" not in name)
    if lacking:
        raise kind(
            f"{folder}: {len(lacking)} of the {len(learned)} weights that its config.json asks for are missing, the "
            f"first {lacking[0]}; save the model again by save_pretrained"
        )
