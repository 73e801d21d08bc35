"""Word segmentation with jieba, the same on every machine and in every run."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, NamedTuple

from runtime.extras import needs_extra


class Word(NamedTuple):
    """A word of the dictionary.

    Attributes:
        text: the word.
        uses: how often it stood in the texts that the dictionary was made from.
        kind: its part of speech, in the tags of ICTCLAS: ``n…`` nouns, ``v…`` verbs, ``nr`` names of people, and so on.
    """

    text: str
    uses: int
    kind: str


class WordCutter:
    """Cuts Chinese text into the words of the dictionary that jieba ships.

    The dictionary is read directly into a private tokeniser. jieba itself would take whatever cache
    file lies in the temporary folder, unchecked, and log to stderr. Its hidden Markov model, which
    guesses words outside the dictionary, stays off.

    Raises:
        ConfigError: jieba is not installed.
    """

    def __init__(self) -> None:
        self._jieba = _load()

    def cut(self, text: str) -> list[str]:
        """Return the words of ``text`` in order, blanks left out; together they are the text again."""
        return [word for word in self._jieba.cut(text, HMM=False) if not word.isspace()]


def dictionary() -> list[Word]:
    """Return the words of the dictionary that jieba ships, in its order.

    Raises:
        ConfigError: jieba is not installed.
    """
    lines = _dictionary_file(_jieba()).read_text(encoding="utf-8").splitlines()
    return [Word(text, int(count), kind) for text, count, kind in (line.split() for line in lines)]


def _jieba() -> Any:  # noqa: ANN401 - jieba has no types
    with needs_extra("cutting words", "train"), warnings.catch_warnings():
        # Escapes and a resource API that newer Pythons warn about; neither matters to cutting.
        warnings.simplefilter("ignore")
        import jieba
    return jieba


def _dictionary_file(jieba: Any) -> Path:  # noqa: ANN401 - as above
    return Path(jieba.__file__).with_name("dict.txt")


def _load() -> Any:  # noqa: ANN401 - as above
    jieba = _jieba()
    tokenizer = jieba.Tokenizer()
    with _dictionary_file(jieba).open("rb") as stream:
        tokenizer.FREQ, tokenizer.total = tokenizer.gen_pfdict(stream)
    tokenizer.initialized = True
    return tokenizer
