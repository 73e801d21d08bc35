"""A look at the data before anything is trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from distill.audit import audit
from distill.corpus import Corpus, Example

FILE = Path("left_out.csv")
TRAIN = tuple(
    Example(text, "酸" if "酸" in text else "碱") for text in ("硫酸 98% 25kg/桶", "盐酸 31%", "醋酸", "片碱")
)


def corpus(dev: tuple[str, ...], test: tuple[str, ...]) -> Corpus:
    of_dev, of_test = (tuple(Example(text, "酸") for text in texts) for texts in (dev, test))
    return Corpus(TRAIN, of_dev, of_test, ("碱", "酸"), {}, "")


def test_classes_are_counted_by_split_the_largest_first() -> None:
    lines = audit(corpus(("硝酸",), ("磷酸", "草酸")), 0.8, 128, FILE).split("\n")
    assert [line.split() for line in lines if line.startswith(("class", "酸", "碱"))] == [
        ["class", "train", "dev", "test", "of", "train"],
        ["酸", "3", "1", "2", "75.0%"],
        ["碱", "1", "0", "0", "25.0%"],
    ]


def test_texts_that_a_student_does_not_read_whole_are_counted() -> None:
    line = next(line for line in audit(corpus(("硝酸",), ("磷酸",)), 0.8, 5, FILE).split("\n") if "characters" in line)
    assert line == (
        "characters of a text: 2 (median), 13 (nine in ten have no more), 13 (longest); "
        "a student reads 5 (student.max_len): 2 texts lose their middle"
    )


def test_texts_of_a_split_that_are_nearly_in_train_are_counted() -> None:
    last = audit(corpus(("硝酸",), ("硫酸 ９８% 25KG／桶。", "磷酸")), 0.8, 128, FILE).split("\n")[-2:]
    assert last[0] == "texts of dev that are nearly one of train (data.near_duplicate 0.8): 0"
    assert last[1].startswith("texts of test that are nearly one of train (data.near_duplicate 0.8): 1: its scores")


@pytest.mark.parametrize("threshold", [0.8, 1.0])
def test_what_is_left_out_comes_first(threshold: float) -> None:
    found = Corpus(TRAIN, TRAIN[:1], TRAIN[1:2], ("碱", "酸"), {"duplicate": TRAIN[:2]}, "")
    assert audit(found, threshold, 128, FILE).startswith(
        "4 train, 1 dev, 1 test texts of 2 classes; left out: 2 repeated (left_out.csv)\n"
    )
