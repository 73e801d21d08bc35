"""Keeping transformers from talking to the user: what matters, our commands say themselves, in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten

from distill.lm.misnamed import refuse_misnamed
from runtime.errors import GMError


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
