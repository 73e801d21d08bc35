"""Logits come in the order of the texts, the same alone and in company."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from distill.config.sections import StudentConfig
from distill.models.student import Student
from distill.training.predict import prediction_rows, student_logits
from runtime.tokenizer import CharTokenizer

TEXTS = ["盐酸 31%", "片碱", "工业级氢氧化钠 99%", "酸", ""]
TOKENIZER = CharTokenizer.from_texts(TEXTS, 12)


@pytest.fixture(scope="module")
def student() -> Student:
    """An untrained student."""
    torch.manual_seed(0)
    config = StudentConfig(layers=1, width=8, heads=2, feed_forward=16, max_len=12)
    return Student(config, TOKENIZER.size, 3).eval()


def test_logits_do_not_depend_on_the_other_texts(student: Student) -> None:
    together = student_logits(student, TOKENIZER, TEXTS * 100)
    alone = np.concatenate([student_logits(student, TOKENIZER, [text]) for text in TEXTS])
    assert together.dtype == np.float32
    np.testing.assert_allclose(together, np.tile(alone, (100, 1)), atol=1e-5)


def test_text_without_characters_gets_an_answer(student: Student) -> None:
    assert np.isfinite(student_logits(student, TOKENIZER, ["", "\u200b"])).all()


def test_no_texts_no_logits(student: Student) -> None:
    assert student_logits(student, TOKENIZER, []).shape == (0, 3)


def test_prediction_row_names_the_winner_and_its_probability() -> None:
    logits = np.log(np.array([[1.0, 3.0], [4.0, 1.0]], dtype=np.float32))
    rows = prediction_rows(["x", "y"], ["base", "base"], logits, ["acid", "base"])
    assert [(row.text, row.label, row.predicted) for row in rows] == [("x", "base", "base"), ("y", "base", "acid")]
    assert [row.score for row in rows] == pytest.approx([0.75, 0.8])
    assert rows[0].logits == pytest.approx([0.0, np.log(3)])
