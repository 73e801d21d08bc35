"""The place that a text takes in a terminal."""

from __future__ import annotations

import unicodedata


def display_width(text: str) -> int:
    """Return the columns that ``text`` takes in a terminal: wide characters take two, combining marks none."""
    return sum(map(_columns, text))


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
