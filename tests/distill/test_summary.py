"""What people read of their data before training begins."""

from __future__ import annotations

from distill.corpus import Corpus, Example
from distill.summary import summary


def examples(labels: str) -> tuple[Example, ...]:
    """Return a text for each letter, which is its class."""
    return tuple(Example(f"text {number}", label) for number, label in enumerate(labels))


def corpus(train: str, dev: str, test: str, dropped: dict[str, int] | None = None) -> Corpus:
    return Corpus(examples(train), examples(dev), examples(test), tuple(sorted(set(train))), dropped or {}, "")


def test_clean_data_take_one_line() -> None:
    assert summary(corpus("酸碱" * 10, "酸碱", "酸碱酸")) == "20 train, 2 dev, 3 test texts of 2 classes"


def test_what_was_left_out_is_counted() -> None:
    dropped = {
        "empty label": 2,
        "empty text": 1,
        "also in dev or test": 4,
        "conflicting labels": 78,
        "duplicate": 3,
        "label not in train": 5,
    }
    assert summary(corpus("酸碱" * 10, "酸碱", "酸碱", dropped)) == (
        "20 train, 2 dev, 2 test texts of 2 classes; left out: 2 without a label, 1 without a text, "
        "4 of train that stand in dev or test too, 78 with conflicting labels, 3 repeated, "
        "5 of classes that train lacks"
    )


def test_the_smallest_classes_are_named_with_their_sizes() -> None:
    assert summary(corpus("酸碱" * 10 + "盐" * 9, "酸碱盐", "酸碱盐")).split("\n")[1:] == [
        "smallest classes, fewer than 10 train texts: '盐' 9; is a label mistyped?"
    ]
    many = "酸" * 10 + "ABCDD"
    assert summary(corpus(many, many, many)).split("\n")[1:] == [
        "smallest classes, fewer than 10 train texts: 'A' 1, 'B' 1, 'C' 1 and 1 more; is a label mistyped?"
    ]


def test_classes_that_no_score_can_see_are_named() -> None:
    assert summary(corpus("酸碱盐矿粉丝" * 10, "酸碱盐矿粉", "酸碱")).split("\n")[1:] == [
        "no text in dev for 1 of 6 classes ('丝'), in test for 4 of 6 classes ('丝', '盐', '矿' and 1 more): "
        "the scores there say nothing of these"
    ]
