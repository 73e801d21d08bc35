"""What finished teachers are asked about: labelled texts, those of the user, and those that are made of both."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from distill.data.corpus import read_corpus
from distill.teachers.lessons import Lessons
from tests.distill.teachers.runs import finished_teachers, tiny_multi_teacher


def lessons(data: Path, folders: tuple[Path, Path], *overrides: str) -> Lessons:
    recipe = tiny_multi_teacher(data, folders, *overrides)
    return Lessons(recipe.teachers, recipe.data, read_corpus(recipe.data, 0), 0, torch.device("cpu"))


@pytest.fixture(scope="module")
def folders(data: Path, lm: Path) -> tuple[Path, Path]:
    return finished_teachers(data, lm)


def test_words_are_replaced_in_texts_of_train_and_in_those_without_labels(
    data: Path, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    names = tmp_path / "names.txt"
    names.write_text("龘龘 粘合剂\n", encoding="utf-8")
    asked = lessons(data, folders, "teachers.dictionary_words=0", f"data.unlabelled=['{names}']")
    assert asked.others[0] == "龘龘 粘合剂"
    of_the_user = [text for text in asked.others[1:] if text.startswith("龘龘 ")]
    assert of_the_user
    assert len(of_the_user) < asked.rows["made"]


def test_without_texts_of_the_user_words_are_replaced_in_those_of_train(data: Path, folders: tuple[Path, Path]) -> None:
    asked = lessons(data, folders)
    assert asked.rows["unlabelled"] == 0
    assert len(asked.others) == asked.rows["made"] > 60
