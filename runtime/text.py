"""Text normalisation: the one definition that training and inference share."""

from __future__ import annotations

import re
import unicodedata

# Control (Cc) and format (Cf) characters carry no meaning for a class, but survive copy and paste.
# Tab, line feed, carriage return and the separators are white space and fold to one blank instead.
_DROPPED_CATEGORIES = frozenset({"Cc", "Cf"})
# Sorting a run of combining marks takes time quadratic in its length, minutes for a megabyte of them. No
# writing system stacks more than a handful; this many keep a hostile text as cheap as any other.
_MOST_MARKS = 128
# Their combining class is 0, and yet NFKC makes nothing but marks of them: two of each of these signs for Tibetan
# vowels, and one of each voiced mark of half-width kana. There are no others (a test says so).
_PAIRS_OF_MARKS = frozenset("\u0f73\u0f75\u0f81")
_HALF_WIDTH_MARKS = (("\uff9e", "\u3099"), ("\uff9f", "\u309a"))
# But for the half-width ones a mark is never a letter, a digit, white space or ASCII (a test says so); `re` has no
# class for it.
_LONG_RUN = re.compile(rf"[^\w\s\x00-\x7f]{{{_MOST_MARKS + 1},}}")
_BEYOND_PLANE_0 = 0x10000


class _Clean(dict[int, str | None]):
    """A ``str.translate`` table that decides about a code point when it is first seen."""

    def __missing__(self, code: int) -> str | None:
        character = chr(code)
        drop = unicodedata.category(character) in _DROPPED_CATEGORIES and not character.isspace()
        kept = None if drop else character
        # Remembering the million astral code points would take two hundred megabytes.
        if code < _BEYOND_PLANE_0:
            self[code] = kept
        return kept


_CLEAN = _Clean()


def normalise(text: str) -> str:
    """Return ``text`` in the form that the tokeniser, the graph builder and the data audit see.

    Unicode NFKC (full-width letters and digits become ASCII), lower case, control and format
    characters removed, runs of white space folded to one blank, no blank at either end; of more than
    128 combining marks in a row, the first 128 stay. Applying it twice gives the same text. Lone
    surrogates pass through, so that no ``str`` ever raises.
    """
    printable = text.isprintable()
    if not printable:
        # Dropped characters go first: between two combining marks they would keep those from composing.
        text = text.translate(_CLEAN)
    if text.isascii():
        return " ".join(text.lower().split())
    composed = unicodedata.normalize("NFKC", _without_long_runs(text))
    folded = composed.lower()
    if folded != composed:
        # Lower-casing can undo NFKC (U+0130 gives a combining dot), so compose once more.
        folded = unicodedata.normalize("NFKC", folded)
    folded = _without_long_runs(folded)
    if printable and " " not in folded:
        return folded  # the only white space that is printable, or that NFKC makes of what is
    return " ".join(folded.split())


def head_and_tail(max_len: int) -> tuple[int, int]:
    """Return how much a text longer than ``max_len`` keeps of its head and of its tail: three quarters, one quarter.

    Product names begin with what the thing is and end with its form and packing. The caller says what is counted.
    """
    tail = max_len // 4
    return max_len - tail, tail


def _without_long_runs(text: str) -> str:
    if len(text) <= _MOST_MARKS:
        return text
    for half_width, mark in _HALF_WIDTH_MARKS:
        text = text.replace(half_width, mark)  # NFKC does the same, but `re` takes these two for letters
    return _LONG_RUN.sub(_keep_first_marks, text)


def _keep_first_marks(run: re.Match[str]) -> str:
    kept: list[str] = []
    marks = 0
    for character in run[0]:
        marks = marks + 1 if unicodedata.combining(character) or character in _PAIRS_OF_MARKS else 0
        if marks <= _MOST_MARKS:
            kept.append(character)
    return "".join(kept)
