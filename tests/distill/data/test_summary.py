"""What people read of their data before training begins."""

from __future__ import annotations

from pathlib import Path

from distill.data.corpus import Corpus, Example, LeftOut
from distill.data.summary import summary

FILE = Path("run/left_out.csv")


def examples(labels: str) -> tuple[Example, ...]:
    """Return a text for each letter, which is its class."""
    return tuple(Example(f"text {number}", label) for number, label in enumerate(labels))


def corpus(train: str, dev: str, test: str, left_out: LeftOut | None = None) -> Corpus:
    return Corpus(examples(train), examples(dev), examples(test), tuple(sorted(set(train))), left_out or {}, "")


def test_clean_data_take_one_line() -> None:
    assert summary(corpus("酸碱" * 10, "酸碱", "酸碱酸"), FILE) == "20 train, 2 dev, 3 test texts of 2 classes"


def test_what_was_left_out_is_counted_and_can_be_found() -> None:
    numbers = {
        "empty label": 2,
        "empty text": 1,
        "also in dev or test": 4,
        "conflicting labels": 78,
        "duplicate": 3,
        "label not in train": 5,
    }
    left_out = {reason: examples("酸" * number) for reason, number in numbers.items()}
    assert summary(corpus("酸碱" * 10, "酸碱", "酸碱", left_out), FILE) == (
        "20 train, 2 dev, 2 test texts of 2 classes; left out: 2 without a label, 1 without a text, "
        "4 of train that stand in dev or test too, 78 with conflicting labels, 3 repeated, "
        f"5 of classes that train lacks ({FILE})"
    )


def test_the_smallest_classes_are_named_with_their_sizes() -> None:
    assert summary(corpus("酸碱" * 10 + "盐" * 9, "酸碱盐", "酸碱盐"), FILE).split("\n")[1:] == [
        "smallest classes, fewer than 10 train texts: '盐' 9; is a label mistyped?"
    ]
    many = "酸" * 10 + "ABCDD"
    assert summary(corpus(many, many, many), FILE).split("\n")[1:] == [
        "smallest classes, fewer than 10 train texts: 'A' 1, 'B' 1, 'C' 1 and 1 more; is a label mistyped?"
    ]


def test_a_class_of_which_no_row_is_left_is_named_with_the_reasons() -> None:
    left_out = {
        "conflicting labels": examples("危" * 12 + "酸" * 12),
        "duplicate": examples("酸"),
        "empty text": examples("危"),
    }
    assert summary(corpus("酸碱" * 10, "酸碱", "酸碱", left_out), FILE).split("\n")[1:] == [
        "no row is left of class '危': 12 with conflicting labels, 1 without a text"
    ]
    left_out = {"conflicting labels": examples("ABCDEBB")}
    assert summary(corpus("酸碱" * 10, "酸碱", "酸碱", left_out), FILE).split("\n")[1:] == [
        "no row is left of class 'B': 3 with conflicting labels; of class 'A': 1 with conflicting labels; "
        "of class 'C': 1 with conflicting labels; of 2 more classes"
    ]


def test_labels_that_differ_only_in_how_they_are_written_are_named_and_stay_apart() -> None:
    said = "labels that differ only in width, case or white space: {}; write them alike where they mean one class"
    found = summary(corpus("SＳs酸" * 10, "SＳs酸", "SＳs酸"), FILE).split("\n")
    assert found == ["40 train, 4 dev, 4 test texts of 4 classes", said.format("'S', 's', 'Ｓ'")]
    # Those of rows left out count too: two ways to write one label are what lets rows contradict one another.
    lost = {"conflicting labels": examples("abcdｂｃｄＡ")}
    assert summary(corpus("ABCD" * 10, "ABCD", "ABCD", lost), FILE).split("\n")[-1] == said.format(
        "'A', 'a', 'Ａ'; 'B', 'b', 'ｂ'; 'C', 'c', 'ｃ'; 1 more such groups"
    )


def test_a_table_that_mostly_lacks_labels_has_perhaps_merged_cells() -> None:
    def said(without: int) -> list[str]:
        nameless = tuple(Example(f"text {number}", "") for number in range(without))
        left_out: LeftOut = {"empty label": nameless, "duplicate": examples("酸酸")}
        return summary(corpus("酸碱" * 10, "酸碱", "酸碱", left_out), FILE).split("\n")[1:]

    assert said(26) == ["26 of 52 texts have no label; merged cells?"]
    assert said(25) == []


def test_empty_rows_are_no_texts_without_a_label() -> None:
    left_out: LeftOut = {"empty label": tuple(Example(" ", "") for _ in range(1000))}
    assert len(summary(corpus("酸碱" * 10, "酸碱", "酸碱", left_out), FILE).split("\n")) == 1


def test_classes_that_no_score_can_see_are_named() -> None:
    assert summary(corpus("酸碱盐矿粉丝" * 10, "酸碱盐矿粉", "酸碱"), FILE).split("\n")[1:] == [
        "no text in dev for 1 of 6 classes ('丝'), in test for 4 of 6 classes ('丝', '盐', '矿' and 1 more): "
        "the scores there say nothing of these"
    ]
