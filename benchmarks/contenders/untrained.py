"""A run folder whose student has random weights: latency needs no training."""

from __future__ import annotations

from pathlib import Path

import torch

from distill.config.gate_mixup import GateMixupRecipe
from distill.config.sections import StudentConfig
from distill.models.student import Student
from distill.runs.run_folder import RunFolder
from distill.training.predict import prediction_rows, student_logits
from runtime.tokenizer import CharTokenizer

VOCABULARY = 4_500
"""Characters known: what a corpus of some ten thousand Chinese texts gives."""
_CLASSES = 16
_FIRST_IDEOGRAPH = 0x4E00
_SEED = 0


def write_untrained(folder: Path, texts: list[str], student_config: StudentConfig | None = None) -> RunFolder:
    """Write a run whose student, by default that of the default recipe, has seeded random weights and 16 classes.

    The vocabulary is that of ``texts``, filled up with ideographs to :data:`VOCABULARY` characters; the
    predictions are those of the student, which count as the labels too.
    """
    torch.manual_seed(_SEED)
    run, recipe = RunFolder(folder), GateMixupRecipe(student=student_config or StudentConfig())
    names = [f"class {i:02}" for i in range(_CLASSES)]
    tokenizer = _tokenizer(texts, recipe.student.max_len)
    student = Student(recipe.student, tokenizer.size, len(names)).eval()
    logits = student_logits(student, tokenizer, texts)
    answers = [names[winner] for winner in logits.argmax(1)]
    run.save_recipe(recipe)
    run.save_labels(names)
    run.save_tokenizer(tokenizer)
    run.save_student(student)
    for split in ("dev", "test"):
        run.save_predictions(split, prediction_rows(texts, answers, logits, names))
    run.save_environment({"seed": _SEED, "device": "cpu", "data_fingerprint": "untrained"})
    run.save_metrics([])
    return run


def _tokenizer(texts: list[str], max_len: int) -> CharTokenizer:
    seen = CharTokenizer.from_texts(texts, max_len)
    filler = (chr(_FIRST_IDEOGRAPH + i) for i in range(VOCABULARY))
    characters = list(dict.fromkeys([*seen.characters, *filler]))[:VOCABULARY]
    return CharTokenizer(sorted(characters), max_len)
