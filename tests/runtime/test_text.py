"""Normalisation: examples, and what holds for any text."""

import re
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.text import normalise

# Every code point, lone surrogates too: hypothesis leaves those out unless asked.
ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=200)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ＮａＯＨ　９９％", "naoh 99%"),
        ("  Two\t\nlines\u3000here ", "two lines here"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("bell\x07", "bell"),
        ("cafe\u0301", "caf\u00e9"),
        ("e\u200d\u0301", "\u00e9"),
        ("İ", "i̇"),
        ("㎏", "kg"),
        ("\ud800", "\ud800"),
        ("plain ASCII", "plain ascii"),
        ("", ""),
        (" \n\t\u3000", ""),
    ],
)
def test_examples(text: str, expected: str) -> None:
    assert normalise(text) == expected


@given(ANY_TEXT)
def test_any_text_passes_and_a_second_time_changes_nothing(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once
    assert once == once.strip()


@given(ANY_TEXT)
def test_no_control_character_is_left(text: str) -> None:
    assert not {unicodedata.category(character) for character in normalise(text)} & {"Cc", "Cf"}


def test_a_long_run_of_combining_marks_is_cut() -> None:
    # Sorting these 200,000 marks would take minutes.
    text = normalise("x" + "\u0301\u0316" * 100_000 + "y")
    assert text.startswith("x")
    assert text.endswith("y")
    assert len(text) == 130
    assert normalise(text) == text


def test_marks_of_ordinary_length_stay() -> None:
    stacked = "g" + "\u0316" * 40
    assert normalise(stacked * 10) == stacked * 10


def test_ten_megabytes_pass() -> None:
    assert len(normalise("工业级片碱 Ａ99% " * 800_000)) == 11 * 800_000 - 1


def test_combining_marks_are_never_word_characters_as_the_pattern_assumes() -> None:
    marks = (chr(code) for code in range(sys.maxunicode + 1) if unicodedata.combining(chr(code)))
    assert not [mark for mark in marks if re.match(r"[\w\s\x00-\x7f]", mark)]


def test_no_printable_character_becomes_other_white_space_than_a_blank() -> None:
    """On this rests that a printable text without a blank needs no folding of white space."""
    printable = [character for character in map(chr, range(sys.maxunicode + 1)) if character.isprintable()]
    composed = "".join(unicodedata.normalize("NFKC", character) for character in printable)
    folded = unicodedata.normalize("NFKC", composed.lower())
    assert {character for character in folded if character.isspace()} == {" "}
