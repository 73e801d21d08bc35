"""Marks that stand for one another."""

import pytest

from runtime.punctuation import _KINDS, aliases_for
from runtime.text import normalise


def test_a_mark_that_training_never_saw_is_read_as_the_one_it_saw_most() -> None:
    aliases = aliases_for({"-": 50, "–": 20, "酸": 90})
    assert aliases["—"] == aliases["−"] == "-"
    assert "–" not in aliases
    assert "酸" not in aliases.values()


def test_both_sides_of_a_bracket_are_read_in_one_style() -> None:
    # Items of a list, "1)", must not decide what closes a bracket.
    aliases = aliases_for({"(": 10, ")": 18, "[": 15, "]": 15})
    assert (aliases["【"], aliases["】"]) == ("[", "]")


def test_quotation_marks_keep_their_side() -> None:
    aliases = aliases_for({"“": 12, "”": 12})
    assert (aliases["《"], aliases["》"]) == ("“", "”")
    assert aliases_for({'"': 30})["』"] == '"'


def test_a_side_that_its_style_lacks_is_taken_from_the_next_style() -> None:
    assert aliases_for({"(": 50, "]": 10})["】"] == "]"


@pytest.mark.parametrize(("text", "meant"), [("≯", "≤"), ("≮", "≥")])
def test_not_greater_is_read_as_less_or_equal(text: str, meant: str) -> None:
    assert aliases_for({"≤": 10, "≥": 10})[text] == meant


@pytest.mark.parametrize(("one", "other"), [(",", "."), ("·", "."), ("~", "-"), ("'", '"'), ("(", "<"), ("●", "·")])
def test_marks_of_different_meaning_stay_apart(one: str, other: str) -> None:
    assert one not in aliases_for({other: 100})


def test_a_mark_that_training_hardly_saw_stands_for_no_other() -> None:
    assert "×" not in aliases_for({"*": 9})
    assert aliases_for({"*": 10})["×"] == "*"


def test_of_marks_seen_equally_often_the_first_of_the_table_is_taken() -> None:
    assert aliases_for({"—": 10, "-": 10})["–"] == "-"


def test_a_kind_of_which_training_saw_nothing_has_no_aliases() -> None:
    assert aliases_for({"酸": 100, "x": 200}) == {}


def test_no_mark_is_of_two_kinds_and_all_are_as_normalisation_leaves_them() -> None:
    marks = [mark for kind in _KINDS for style in kind for mark in dict.fromkeys(style)]
    assert len(set(marks)) == len(marks)
    assert [normalise(mark) for mark in marks] == marks


def test_the_styles_of_a_kind_have_the_same_number_of_marks() -> None:
    assert all(len({len(style) for style in kind}) == 1 for kind in _KINDS)
