"""Tiny finished teachers of every kind, and a tiny recipe of a student that learns from them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from distill.config.language_model import FinetuneRecipe
from distill.config.multi_teacher import MultiTeacherRecipe
from distill.config.recipe import read_recipe_of
from distill.recipes import finetune, gate_mixup
from tests.distill.tiny import tiny_recipe
from tests.distill.tiny_lm import SMALL_STUDENT, tiny_finetune


def finished_teachers(data: Path, lm: Path) -> tuple[Path, Path]:
    """Train and return a language model and a run of mutual learning."""
    finetune.finetune(tiny_finetune(data, lm), data.parent / "teacher", "cpu")
    gate_mixup.train(tiny_recipe(data), data.parent / "mutual", "cpu")
    return data.parent / "teacher", data.parent / "mutual"


def tiny_taught_finetune(data: Path, lm: Path, teachers: Sequence[Path], *overrides: str) -> FinetuneRecipe:
    """Return a recipe of fine-tuning with teachers: two epochs of some nineteen steps."""
    folders = f"teachers.folders={json.dumps([str(folder) for folder in teachers])}"
    return tiny_finetune(data, lm, folders, "teachers.dictionary_words=60", "teachers.replaced_words=40", *overrides)


def tiny_multi_teacher(data: Path, teachers: Sequence[Path], *overrides: str) -> MultiTeacherRecipe:
    """Return a recipe of two epochs of seven steps, each with eight labelled and sixteen made texts."""
    given = [
        f"data.path={json.dumps(str(data))}",
        f"teachers.folders={json.dumps([str(folder) for folder in teachers])}",
        "teachers.dictionary_words=60",
        "teachers.replaced_words=40",
        "training.unlabelled_batch_size=16",
        "training.epoch_steps=1",
    ]
    return read_recipe_of(MultiTeacherRecipe, None, [*given, *SMALL_STUDENT, *overrides])
