"""Texts of given lengths, made from the example set that ships with the package."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from pathlib import Path

from distill.data.corpus import EXAMPLE_SET
from runtime.errors import DataError
from runtime.tables.rows import read_table
from runtime.text import normalise

TITLE_LENGTHS = range(16, 25)
"""Lengths of what the tables call titles: product names, 20 characters on average."""
_JOINT = "、"
_TRIES = 100


def example_rows(path: Path = EXAMPLE_SET) -> tuple[list[str], list[str]]:
    """Return the normalised texts and the labels of a table with columns ``text`` and ``label``."""
    rows = [(normalise(row.values["text"]), row.values["label"]) for row in read_table(path)]
    rows = [(text, label) for text, label in rows if text and label]
    return [text for text, _ in rows], [label for _, label in rows]


def make_texts(sources: Sequence[str], lengths: Iterable[int], seed: int = 0) -> list[str]:
    """Return distinct normalised texts, one for each of ``lengths``, of exactly that many characters.

    Each begins somewhere inside one source and goes on with others until it is long enough.

    Raises:
        DataError: the sources are too few or too much alike to make so many distinct texts.
    """
    draw = random.Random(seed)
    made: dict[str, None] = {}
    for length in lengths:
        made[_new_text(sources, length, draw, made)] = None
    return list(made)


def spread(lengths: Sequence[int], count: int) -> list[int]:
    """Return ``count`` lengths that run through ``lengths`` evenly."""
    return [lengths[i % len(lengths)] for i in range(count)]


def _new_text(sources: Sequence[str], length: int, draw: random.Random, taken: dict[str, None]) -> str:
    for _ in range(_TRIES):
        text = _cut(sources, length, draw)
        # A blank at an end would be stripped, and some joints compose: only texts that stay as they are count.
        if text not in taken and normalise(text) == text:
            return text
    raise DataError(
        f"cannot make {len(taken) + 1} distinct texts of {length} characters from {len(sources)} examples; give more"
    )


def _cut(sources: Sequence[str], length: int, draw: random.Random) -> str:
    text = draw.choice(sources)
    text = text[draw.randrange(len(text)) :]
    while len(text) < length:
        text += _JOINT + draw.choice(sources)
    return text[:length]
