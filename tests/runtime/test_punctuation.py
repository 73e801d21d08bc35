"""Marks that stand for one another."""

from runtime.punctuation import _ALIKE, aliases_for
from runtime.text import normalise


def test_a_mark_that_training_never_saw_is_read_as_the_one_it_saw_most() -> None:
    aliases = aliases_for({"(": 5, "[": 2, ")": 7, "酸": 9})
    assert aliases["【"] == aliases["{"] == "("
    assert aliases["】"] == ")"
    assert "[" not in aliases


def test_of_marks_seen_equally_often_the_one_of_the_lowest_code_is_taken() -> None:
    assert aliases_for({"»": 3, "«": 3})["“"] == "«"


def test_a_kind_of_which_training_saw_nothing_has_no_aliases() -> None:
    assert aliases_for({"酸": 1, "x": 2}) == {}


def test_no_mark_is_of_two_kinds_and_all_are_as_normalisation_leaves_them() -> None:
    marks = "".join(_ALIKE)
    assert len(set(marks)) == len(marks)
    assert [normalise(mark) for mark in marks] == list(marks)
