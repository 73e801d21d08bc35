"""Normalisation: examples, and what holds for any text."""

import sys
import unicodedata
from types import SimpleNamespace
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.text import head_and_tail, normalise

# Every code point, lone surrogates too: hypothesis leaves those out unless asked.
ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=200)
# NFKC sorts what all of these become; each of them has to count in a long run, whatever its own class.
MARKS = [
    character
    for character in map(chr, range(sys.maxunicode + 1))
    if unicodedata.combining(unicodedata.normalize("NFKD", character)[0])
]


@pytest.fixture
def composed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that Unicode's normalisation is given: its time grows with the square of the longest run of marks."""
    texts = list[str]()

    def normalize(form: Literal["NFKC"], text: str) -> str:
        texts.append(text)
        return unicodedata.normalize(form, text)

    watched = SimpleNamespace(normalize=normalize, combining=unicodedata.combining, category=unicodedata.category)
    monkeypatch.setattr("runtime.text.unicodedata", watched)
    return texts


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


def test_a_long_run_of_each_mark_is_cut_before_it_is_sorted(composed: list[str]) -> None:
    for mark in MARKS:
        normalise(f"x{mark * 300}y")
    assert len(composed) >= len(MARKS)
    assert max(map(len, composed)) <= 2 * 128 + 2  # a mark may have become two


@pytest.mark.parametrize("marks", ["\u0f73\u0f75\u0f81", "\u0301\uff9e", "\u0316\uff9f\u0f81", "".join(MARKS)])
def test_a_long_run_of_several_marks_is_cut_before_it_is_sorted(composed: list[str], marks: str) -> None:
    text = normalise(f"x{marks * 200}y{marks * 200}z")
    assert max(map(len, composed)) <= 2 * 2 * 128 + 3
    assert normalise(text) == text


def test_the_marks_of_class_0_are_those_that_the_specification_names() -> None:
    assert "".join(mark for mark in MARKS if not unicodedata.combining(mark)) == "\u0f73\u0f75\u0f81\uff9e\uff9f"


@pytest.mark.parametrize(("max_len", "parts"), [(2, (2, 0)), (7, (6, 1)), (64, (48, 16))])
def test_of_a_long_text_three_quarters_are_head_and_one_is_tail(max_len: int, parts: tuple[int, int]) -> None:
    assert head_and_tail(max_len) == parts


@pytest.mark.parametrize("times", [1, 20, 1000])
def test_half_width_kana_with_marks_of_their_own_are_read_as_ever(times: int) -> None:
    assert normalise("ｶﾞｽ ﾊﾟｲﾌﾟ " * times) == " ".join(["ガス パイプ"] * times)
    assert normalise("ﾊﾟｶﾞﾞ" * times) == "パガ\u3099" * times


def test_tibetan_vowels_of_two_signs_are_read_as_ever() -> None:
    assert normalise("ཀ\u0f73\u0f75" * 200) == "ཀ\u0f71\u0f71\u0f72\u0f74" * 200


def test_no_printable_character_becomes_other_white_space_than_a_blank() -> None:
    """On this rests that a printable text without a blank needs no folding of white space."""
    printable = [character for character in map(chr, range(sys.maxunicode + 1)) if character.isprintable()]
    composed = "".join(unicodedata.normalize("NFKC", character) for character in printable)
    folded = unicodedata.normalize("NFKC", composed.lower())
    assert {character for character in folded if character.isspace()} == {" "}
