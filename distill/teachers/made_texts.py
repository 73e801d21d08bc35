"""Texts that nobody wrote, for teachers to label: what they know beyond the training texts passes to the student.

A student learns from its teacher only through the texts that this is asked about. A plant has some thousand names; a
language model knows many words that occur in none of them. Two sources need no further data: words of the dictionary
that jieba ships, each a text of its own, and the user's texts with one word replaced (compare the augmentation of
TinyBERT: Jiao et al. 2020, arXiv:1909.10351, which draws the new word from a masked language model).
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from distill.data.words import Word, WordCutter, dictionary

# Names of people and places say nothing about a substance, and grammar words have no meaning of their own.
_KINDS = ("n", "v", "a", "b", "z", "l", "j")
_NAMES = ("nr", "ns")
_SHORTEST, _LONGEST = 2, 8
# Words this rare are often noise of the texts that the dictionary was counted in.
_FEWEST_USES = 3
# In a long text one word changes little.
_LONGEST_TEXT = 40
_MOST_TRIES = 10


def made_texts(texts: Sequence[str], words: int, replaced: int, seed: int) -> Iterator[str]:
    """Yield ``words`` words of the dictionary, then ``replaced`` texts with a word replaced, made as below.

    If ``words`` is 0, words of the dictionary do not serve as replacements either.

    Raises:
        ConfigError: jieba is not installed.
    """
    known = lexicon() if words else []
    yield from dictionary_words(known, words, seed)
    yield from replaced_words(texts, known, replaced, seed)


def lexicon() -> list[str]:
    """Return the words of jieba's dictionary that tell something about a thing.

    Raises:
        ConfigError: jieba is not installed.
    """
    # Its file has a few words twice.
    return list(dict.fromkeys(word.text for word in dictionary() if _tells_something(word)))


def dictionary_words(known: Sequence[str], number: int, seed: int) -> list[str]:
    """Return ``number`` of the ``known`` words drawn at random, or all where there are fewer."""
    return random.Random(seed).sample(known, min(number, len(known)))


def replaced_words(texts: Sequence[str], known: Sequence[str], number: int, seed: int) -> list[str]:
    """Return some of ``texts`` in each of which one word is another, each once.

    Two of five new words come from other texts; the rest are known ones, half of which share a character with the word
    that they replace. Fewer than ``number`` are returned where there are not so many: texts of more than 40 characters
    have no word replaced.

    Args:
        texts: of the user, with or without labels.
        known: words to take from; where there are none, all come from other texts.
        number: how many.
        seed: of the choice.

    Raises:
        ConfigError: jieba is not installed.
    """
    made: dict[str, None] = {}
    if number:
        for _, text in zip(range(_MOST_TRIES * number), _Replacer(texts, known, seed), strict=False):
            made[text] = None
            if len(made) == number:
                break
    return list(made)


class _Replacer:
    """Yields texts for ever, or none where no text has a word to replace."""

    def __init__(self, texts: Sequence[str], known: Sequence[str], seed: int) -> None:
        self._random = random.Random(seed)
        cutter = WordCutter()
        words = [(text, [word for word in cutter.cut(text) if len(word) >= _SHORTEST]) for text in texts]
        self._texts = [(text, cut) for text, cut in words if cut and len(text) <= _LONGEST_TEXT]
        self._own = list(dict.fromkeys(word for _, cut in words for word in cut))
        self._known = known
        self._by_character: dict[str, list[str]] = {}
        for word in known:
            for character in dict.fromkeys(word):
                self._by_character.setdefault(character, []).append(word)

    def __iter__(self) -> Iterator[str]:
        while self._texts:
            text, words = self._random.choice(self._texts)
            word = self._random.choice(words)
            # Sometimes by itself; the caller leaves out texts that training has already.
            yield text.replace(word, self._other(word), 1)

    def _other(self, word: str) -> str:
        chance = self._random.random()
        if chance < 0.4 or not self._known:
            return self._random.choice(self._own)
        if chance < 0.7:
            return self._random.choice(self._by_character.get(self._random.choice(word), self._known))
        return self._random.choice(self._known)


def _tells_something(word: Word) -> bool:
    of_a_kind = word.kind.startswith(_KINDS) and not word.kind.startswith(_NAMES)
    return of_a_kind and word.uses >= _FEWEST_USES and _SHORTEST <= len(word.text) <= _LONGEST
