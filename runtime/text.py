"""Text normalisation: the one definition that training and inference share."""

from __future__ import annotations

import unicodedata

# Control (Cc) and format (Cf) characters carry no meaning for a class, but survive copy and paste.
# Tab, line feed, carriage return and the separators are white space and fold to one blank instead.
_DROPPED_CATEGORIES = frozenset({"Cc", "Cf"})


class _Clean(dict[int, str | None]):
    """A ``str.translate`` table that decides about a code point when it is first seen."""

    def __missing__(self, code: int) -> str | None:
        character = chr(code)
        drop = unicodedata.category(character) in _DROPPED_CATEGORIES and not character.isspace()
        self[code] = None if drop else character
        return self[code]


_CLEAN = _Clean()


def normalise(text: str) -> str:
    """Return ``text`` in the form that the tokeniser, the graph builder and the data audit see.

    Unicode NFKC (full-width letters and digits become ASCII), lower case, control and format
    characters removed, runs of white space folded to one blank, no blank at either end. Applying it
    twice gives the same text. Lone surrogates pass through, so that no ``str`` ever raises.
    """
    if text.isascii() and text.isprintable():
        return " ".join(text.lower().split())
    # Dropped characters go first: between two combining marks they would keep those from composing.
    folded = unicodedata.normalize("NFKC", text.translate(_CLEAN)).lower()
    # Lower-casing can undo NFKC (U+0130 gives a combining dot), so compose once more.
    return " ".join(unicodedata.normalize("NFKC", folded).split())
