"""A language-model chain small enough for a test."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.quality.chain import Chain
from benchmarks.quality.methods import trained
from distill.runs.run_folder import RunFolder
from tests.distill.tiny_lm import SMALL_FINETUNE, SMALL_STUDENT

MADE = ("teachers.dictionary_words=40", "teachers.replaced_words=20", "training.epochs=2", "training.epoch_steps=1")


def short_full_method(row: str, data: str, seed: int, work: Path, settings: Sequence[str]) -> RunFolder:
    """Train as :func:`benchmarks.quality.methods.trained` does, for one epoch and one round."""
    return trained(row, data, seed, work, [*settings, "training.initial_epochs=1", "training.rounds=1"])


def tiny_chain(lm: Path, work: Path, texts: Sequence[Path] = ()) -> Chain:
    """Return a chain of tiny networks."""
    return Chain(lm, work, texts, lm_settings=SMALL_FINETUNE, settings=(*SMALL_STUDENT, *MADE))
