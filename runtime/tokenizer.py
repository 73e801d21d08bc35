"""Character tokeniser: one numpy lookup per text, from UTF-16 code unit to id.

The cost is that of a UTF-16 encoding and a table lookup, three to five microseconds whatever the
length, where a Python loop over characters takes twenty and word segmentation a hundred.
"""

from __future__ import annotations

import json
from codecs import utf_16_le_encode
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from runtime.errors import BundleError
from runtime.files import write_json
from runtime.punctuation import aliases_for
from runtime.text import head_and_tail, normalise

PAD_ID = 0
"""No character: it pads training batches, and completes the bigram of the last character of a text."""
UNKNOWN_ID = 1
"""Stands for every character that is neither in the vocabulary nor an alias, astral ones included."""
FIRST_CHARACTER_ID = 2

Ids = npt.NDArray[np.int32]

_UNIT = np.dtype("<u2")


@dataclass(slots=True)  # not frozen, which would make it three times as slow to build
class Encoding:
    """What the tokeniser found in one text.

    Attributes:
        ids: int32, shape ``[length]``, at most ``max_len``; empty for a text without any character.
        unknown: share of the text's code units that have neither an id of their own nor that of an alias, 0.0 to 1.0.
        truncated: whether the middle of the text was left out to fit ``max_len``.
    """

    ids: Ids
    unknown: float
    truncated: bool


class CharTokenizer:
    """Maps a text to character ids through a table of 65,536 entries.

    A text longer than ``max_len`` keeps its head and its tail: :func:`runtime.text.head_and_tail`.

    Args:
        characters: the vocabulary, in id order from :data:`FIRST_CHARACTER_ID`; each one UTF-16 unit.
        max_len: longest id sequence that :meth:`encode` returns, at least 2.
        aliases: characters that are read as one of the vocabulary, such as ``【`` as ``(``.

    Raises:
        ValueError: ``max_len`` is no such number; a character repeats, is a surrogate or lies outside the basic
            multilingual plane; or an alias is no such character, is in the vocabulary or stands for one that is not.
    """

    kind = "chars"

    def __init__(
        self, characters: Sequence[str], max_len: int, aliases: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        if type(max_len) is not int or max_len < 2:
            raise ValueError(f"max_len must be a whole number of at least 2, not {max_len!r}")
        units = [ord(character) for character in characters]
        if len(set(units)) != len(units) or not all(map(_is_character, units)):
            raise ValueError("vocabulary characters must be distinct, within U+0000..U+FFFF and no surrogates")
        _check_aliases(aliases, set(characters))
        self.characters = tuple(characters)
        self.aliases = dict(aliases)
        self.max_len = max_len
        self._head, self._tail = head_and_tail(max_len)  # in UTF-16 units
        self._table = np.full(0x10000, UNKNOWN_ID, dtype=np.int32)
        self._table[units] = np.arange(len(units), dtype=np.int32) + FIRST_CHARACTER_ID
        self._table[[ord(alias) for alias in aliases]] = [self._table[ord(meant)] for meant in aliases.values()]

    @classmethod
    def from_texts(cls, texts: Iterable[str], max_len: int, min_count: int = 1) -> CharTokenizer:
        """Build the vocabulary from ``texts``: characters seen ``min_count`` times or more, by code.

        Punctuation that does not occur is read as the commonest of its kind, if there is any
        (:mod:`runtime.punctuation`).
        """
        counts = Counter(character for text in texts for character in normalise(text))
        known = {c: n for c, n in counts.items() if n >= min_count and _is_character(ord(c))}
        return cls(sorted(known), max_len, aliases_for(known))

    @property
    def size(self) -> int:
        """Number of ids, the two reserved ones included: the rows of the embedding table."""
        return len(self.characters) + FIRST_CHARACTER_ID

    def encode(self, text: str) -> Encoding:
        """Normalise ``text`` and look up its ids."""
        # In a call of a hundred microseconds it counts that `take` costs a fifth of indexing with an array, and that
        # neither codec nor dtype is looked up by its name.
        raw, _ = utf_16_le_encode(normalise(text), "surrogatepass")
        ids = self._table.take(np.frombuffer(raw, _UNIT))
        length = len(ids)
        if length > self.max_len:
            kept = np.concatenate([ids[: self._head], ids[length - self._tail :]])
            return Encoding(kept, np.count_nonzero(ids == UNKNOWN_ID) / length, True)
        # Up to a hundred ids or so, counting in a list is faster than two numpy calls.
        unknown = ids.tolist().count(UNKNOWN_ID) / length if length else 0.0
        return Encoding(ids, unknown, False)

    def save(self, path: Path) -> None:
        """Write the vocabulary as JSON, atomically."""
        known = {"characters": "".join(self.characters), "aliases": self.aliases}
        write_json(path, {"kind": self.kind, "max_len": self.max_len, **known})

    @classmethod
    def load(cls, path: Path) -> CharTokenizer:
        """Read what :meth:`save` wrote.

        Raises:
            BundleError: the file cannot be read or is not a character vocabulary.
        """
        try:
            content = path.read_bytes()
        except OSError as error:
            raise BundleError(f"cannot read vocabulary {path}: {error.strerror}; export the bundle again") from error
        return cls.from_bytes(content, str(path))

    @classmethod
    def from_bytes(cls, content: bytes, where: str) -> CharTokenizer:
        """Read the content of a file that :meth:`save` wrote; ``where`` names it in messages.

        Raises:
            BundleError: it is not a character vocabulary.
        """
        try:
            stored = json.loads(content.decode("utf-8"))
            if stored["kind"] != cls.kind:
                raise ValueError(f"kind {stored['kind']!r} is not {cls.kind!r}")
            characters, aliases = stored["characters"], stored.get("aliases", {})
            if not isinstance(characters, str) or not isinstance(aliases, dict):
                raise ValueError("characters must be a string and aliases an object")
            return cls(characters, stored["max_len"], aliases)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise BundleError(f"{where} is not a character vocabulary ({error}); export the bundle again") from error


def _check_aliases(aliases: Mapping[str, str], known: set[str]) -> None:
    single = all(len(alias) == 1 and _is_character(ord(alias)) for alias in aliases)
    if not single or not known.isdisjoint(aliases) or not known.issuperset(aliases.values()):
        raise ValueError("aliases must be characters outside the vocabulary and stand for characters inside")


def _is_character(unit: int) -> bool:
    # A surrogate is half of an astral character: with an id of its own it would stand for thousands of them.
    return unit <= 0xFFFF and not 0xD800 <= unit <= 0xDFFF
