"""A look at the data before anything is trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from distill.data.audit import audit, audit_uncut
from distill.data.corpus import Cleaned, Corpus, Example, LeftOut

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
        ["class", "train", "dev", "test", "left", "out", "of", "train"],
        ["酸", "3", "1", "2", "0", "75.0%"],
        ["碱", "1", "0", "0", "0", "25.0%"],
    ]


def test_a_class_of_which_no_row_is_left_ends_the_table() -> None:
    left_out: LeftOut = {"conflicting labels": (Example("石灰", "危险化学品"), Example("石灰", "碱"))}
    found = replace(corpus(("硝酸",), ("磷酸",)), left_out=left_out)
    lines = audit(found, 0.8, 128, FILE).split("\n")
    assert [line.split() for line in lines if line.startswith(("酸", "碱", "危险"))] == [
        ["酸", "3", "1", "1", "0", "75.0%"],
        ["碱", "1", "0", "0", "1", "25.0%"],
        ["危险化学品", "0", "0", "0", "1", "0.0%"],
    ]


def conflicts(**labels: str) -> LeftOut:
    """Return rows left out: each text with a label for each letter."""
    return {"conflicting labels": tuple(Example(text, label) for text in labels for label in labels[text])}


def test_texts_that_a_rare_label_costs_are_named_those_of_most_rows_first() -> None:
    left_out = conflicts(液碱="碱碱酸", 片碱="碱" * 40 + "酸", 醋="酸碱", 石灰="碱碱酸酸")
    said = audit(replace(corpus(("硝酸",), ("磷酸",)), left_out=left_out), 0.8, 128, FILE)
    assert (
        "\n\nall rows of these texts are left out because a few have another label, perhaps mistyped:\n"
        "  '片碱': 碱 40, 酸 1\n"
        "  '液碱': 碱 2, 酸 1\n\n"
    ) in said


def test_at_most_five_such_texts_are_named_and_long_ones_are_cut() -> None:
    left_out = conflicts(**{letter * 100: "碱碱酸" for letter in "ABCDEFG"})
    said = audit(replace(corpus(("硝酸",), ("磷酸",)), left_out=left_out), 0.8, 128, FILE)
    assert f"  '{'A' * 60}…': 碱 2, 酸 1\n" in said
    assert f"  '{'E' * 60}…': 碱 2, 酸 1\n  and 2 more\n" in said


def test_rows_that_cannot_be_cut_are_shown_too() -> None:
    left_out = {"empty label": tuple(Example(f"酮 {number}", "") for number in range(40))} | conflicts(片碱="碱碱酸")
    assert audit_uncut(Cleaned(Path("data.csv"), TRAIN, {}, left_out), FILE).split("\n") == [
        "4 texts of 2 classes; left out: 40 without a label, 3 with conflicting labels (left_out.csv)",
        "40 of 47 texts have no label; merged cells?",
        "smallest classes, fewer than 10 train texts: '碱' 1, '酸' 3; is a label mistyped?",
        "",
        "class  texts  left out  of texts",
        "酸         3         1     75.0%",
        "碱         1         2     25.0%",
        "",
        "all rows of these texts are left out because a few have another label, perhaps mistyped:",
        "  '片碱': 碱 2, 酸 1",
    ]


def test_rows_of_a_folder_that_cannot_be_cut_are_counted_by_file() -> None:
    cleaned = Cleaned(Path("data"), TRAIN, {"test": TRAIN[:1]}, {})
    assert audit_uncut(cleaned, FILE).split("\n")[3:] == [
        "class  train  test  left out  of train",
        "酸         3     1         0     75.0%",
        "碱         1     0         0     25.0%",
    ]


def test_no_row_at_all_is_a_table_without_rows() -> None:
    cleaned = Cleaned(Path("data.csv"), (), {}, {"empty label": (Example("酮", ""),)})
    assert audit_uncut(cleaned, FILE).split("\n")[-1] == "class  texts  left out  of texts"


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
