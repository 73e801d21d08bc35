"""Texts that nobody wrote: words of the dictionary, and training texts with a word replaced."""

from __future__ import annotations

import sys

import pytest

from distill.data.words import WordCutter, dictionary
from distill.teachers.made_texts import dictionary_words, lexicon, made_texts, replaced_words
from runtime.errors import ConfigError


@pytest.fixture(scope="module")
def known() -> list[str]:
    return lexicon()


TEXTS = ["工业用甘油", "油漆粘合剂", "氢氧化钠 99%", "红"]


def test_words_are_of_the_dictionary_each_once_and_the_same_for_a_seed(known: list[str]) -> None:
    words = dictionary_words(known, 500, seed=1)
    kinds = {word.text: word.kind for word in dictionary()}
    assert len(set(words)) == 500
    assert all(2 <= len(word) <= 8 and not kinds[word].startswith(("nr", "ns", "u", "p")) for word in words)
    assert words == dictionary_words(known, 500, seed=1) != dictionary_words(known, 500, seed=2)


def test_more_words_than_there_are_are_all_of_them(known: list[str]) -> None:
    everything = dictionary_words(known, 1 << 20, seed=0)
    assert 100_000 < len(everything) == len(set(everything))
    assert "肥皂" in everything


def test_a_replaced_word_leaves_the_rest_of_the_text(known: list[str]) -> None:
    made = replaced_words(TEXTS, known, 60, seed=0)
    assert len(made) == len(set(made)) == 60
    cut = {text: [word for word in WordCutter().cut(text) if len(word) > 1] for text in TEXTS}

    def comes_from(text: str, word: str, new: str) -> bool:
        before, after = text.split(word, 1)
        return len(new) >= len(before) + len(after) and new.startswith(before) and new.endswith(after)

    for new in made:
        assert any(comes_from(text, word, new) for text, words in cut.items() for word in words), new


def test_some_new_words_come_from_other_training_texts(known: list[str]) -> None:
    assert {"工业用粘合剂", "油漆甘油"} & set(replaced_words(TEXTS, known, 200, seed=0))


def test_the_same_seed_makes_the_same_texts(known: list[str]) -> None:
    made = [replaced_words(TEXTS, known, 20, seed) for seed in (3, 3, 4)]
    assert made[0] == made[1] != made[2]


def test_words_come_before_texts_with_a_word_replaced(known: list[str]) -> None:
    made = list(made_texts(TEXTS, words=5, replaced=3, seed=0))
    assert made == [*dictionary_words(known, 5, seed=0), *replaced_words(TEXTS, known, 3, seed=0)]


def test_without_words_of_the_dictionary_none_replaces_another() -> None:
    texts = ["aluminium sulphate", "sodium carbonate"]
    own = {"aluminium", "sulphate", "sodium", "carbonate", " "}
    made = list(made_texts(texts, words=0, replaced=6, seed=0))
    assert len(set(made) - set(texts)) >= 4
    assert {word for text in made for word in WordCutter().cut(text)} <= own


def test_jieba_is_needed_only_where_something_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jieba", None)
    assert list(made_texts(TEXTS, words=0, replaced=0, seed=0)) == []
    with pytest.raises(ConfigError, match="jieba"):
        list(made_texts(TEXTS, words=1, replaced=0, seed=0))


@pytest.mark.parametrize("texts", [[], ["红", "碱"], ["氯" * 60]])
def test_without_a_word_to_replace_there_are_none(texts: list[str], known: list[str]) -> None:
    assert replaced_words(texts, known, 5, seed=0) == []
