"""A text as a language model reads it, and which of its tokens stands for which character.

The language model reads what the student reads: the normalised text, without the middle of a long one.
So every character of the student has its place among the tokens of the teacher.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from distill.training.batch_rows import rows_by_length
from runtime.text import head_and_tail, normalise

NOWHERE = -1
"""Stands for the token of a character that no token covers, such as a blank."""

Integers = NDArray[np.int32]

# The tokeniser's own record of a text takes some kilobytes.
_TEXTS_AT_ONCE = 512


class _Block(NamedTuple):
    """Some texts in tokens, laid end to end: objects of their own would take many times the memory.

    Attributes:
        ids: int32 ``[tokens of all texts]``.
        places: int32 ``[UTF-16 units of all texts]``.
        ends: int32 ``[texts, 2]``.
        first_id: ``[texts + 1]``, where the ids of each text begin, and where those of the last end.
        first_place: ``[texts + 1]``, the same of the places.
    """

    ids: Integers
    places: Integers
    ends: Integers
    first_id: Integers
    first_place: Integers


@dataclass(frozen=True, slots=True)
class TokenisedText:
    """One text in tokens; many of them are in memory at a time, so tensors are made when they are asked for."""

    _block: _Block
    _row: int

    @property
    def ids(self) -> Tensor:
        """int64 ``[T]``, special tokens and prefix included."""
        return _tensor(self._block.ids, self._block.first_id, self._row)

    @property
    def places(self) -> Tensor:
        """int64 ``[L]``: for each UTF-16 unit, as ``CharTokenizer`` counts, the index of its token or ``NOWHERE``."""
        return _tensor(self._block.places, self._block.first_place, self._row)

    @property
    def ends(self) -> tuple[int, int]:
        """Indices of the special tokens that begin and end the sequence, or ``NOWHERE``."""
        first, last = self._block.ends[self._row].tolist()
        return first, last

    def places_in(self, text: str) -> Tensor:
        """Return int64 ``[n]``, the place of each of the n characters, as Python counts them, of the same text."""
        units = torch.tensor([1 + (character > "\uffff") for character in text], dtype=torch.int64)
        return self.places[units.cumsum(0) - units]


class LMTokenizer:
    """Reads texts for a language model.

    Args:
        tokenizer: a fast tokeniser of transformers.
        prefix: put before every text.
        max_len: longest text in UTF-16 units; a longer one keeps its head and tail, as ``CharTokenizer`` does it.
        max_tokens: longest sequence that the model takes.
    """

    def __init__(self, tokenizer: Any, prefix: str, max_len: int, max_tokens: int) -> None:  # noqa: ANN401 - untyped
        self.tokenizer = tokenizer
        self.prefix = prefix
        self.max_len = max_len
        self.max_tokens = max_tokens

    def encode(self, texts: Iterable[str]) -> list[TokenisedText]:
        """Return each text in tokens."""
        return self.encode_clean(shorten(normalise(text), self.max_len) for text in texts)

    def encode_clean(self, texts: Iterable[str]) -> list[TokenisedText]:
        """Return in tokens texts that are normalised and short already; none holds a lone surrogate."""
        stream, encoded = iter(texts), list[TokenisedText]()
        while chunk := list(islice(stream, _TEXTS_AT_ONCE)):
            block = self._block(chunk)
            encoded += (TokenisedText(block, row) for row in range(len(chunk)))
        return encoded

    def _block(self, texts: Sequence[str]) -> _Block:
        encoded = self.tokenizer(
            [self.prefix + text for text in texts],
            truncation=True,
            max_length=self.max_tokens,
            return_offsets_mapping=True,
            return_special_tokens_mask=True,
        )
        offsets = zip(texts, encoded["offset_mapping"], strict=True)
        ids, first_id = _end_to_end(encoded["input_ids"])
        places, first_place = _end_to_end([_places(text, own, len(self.prefix)) for text, own in offsets])
        ends = np.array([_ends(special) for special in encoded["special_tokens_mask"]], np.int32)
        return _Block(ids, places, ends, first_id, first_place)

    def pieces(self, character: str) -> list[int]:
        """Return the token ids of a character that stands alone, without those that only mark a word's start."""
        ids: list[int] = self.tokenizer(character, add_special_tokens=False)["input_ids"]
        return [token for token in ids if self.tokenizer.decode([token]).strip()] or ids

    def pad(self, ids: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Return ids ``[B, T]``, padded at the end, and the mask ``[B, T]`` that is true where there is text."""
        lengths = torch.tensor([len(row) for row in ids])
        padded = pad_sequence(list(ids), batch_first=True, padding_value=self.tokenizer.pad_token_id)
        return padded, torch.arange(padded.shape[1]) < lengths[:, None]

    def batches(
        self, texts: Sequence[TokenisedText], size: int, report: Callable[[int], None] = lambda texts: None
    ) -> Iterator[tuple[list[int], Tensor, Tensor]]:
        """Yield rows, ids and mask of ``size`` texts of similar length, as :meth:`pad` returns them.

        ``report`` is told about ten times how many texts are done.
        """
        done = 0
        for rows in rows_by_length([len(text.ids) for text in texts], size):
            yield rows, *self.pad([texts[row].ids for row in rows])
            done += len(rows)
            if done * 10 // len(texts) > (done - len(rows)) * 10 // len(texts):
                report(done)


def shorten(text: str, max_len: int) -> str:
    """Return the part of a normalised text that ``CharTokenizer`` keeps; lone surrogates become U+FFFD."""
    units = text.encode("utf-16-le", "surrogatepass")
    if len(units) > 2 * max_len:
        head, tail = head_and_tail(max_len)  # in UTF-16 units, each two bytes
        units = units[: 2 * head] + units[len(units) - 2 * tail :]
    return units.decode("utf-16-le", "replace")


def _ends(special: Sequence[int]) -> tuple[int, int]:
    """Return first and last index where a special token stands there; ``special`` is 1 for such a token."""
    if not special:
        return NOWHERE, NOWHERE
    return (0 if special[0] else NOWHERE), (len(special) - 1 if special[-1] else NOWHERE)


def _places(text: str, offsets: Sequence[tuple[int, int]], prefix: int) -> list[int]:
    """Return the token of each UTF-16 unit; of several tokens on one character, the last."""
    tokens = [NOWHERE] * len(text)
    for token, (start, end) in enumerate(offsets):
        for character in range(max(start - prefix, 0), end - prefix):
            tokens[character] = token
    return [token for character, token in zip(text, tokens, strict=True) for _ in range(1 + (character > "\uffff"))]


def _end_to_end(rows: Sequence[Sequence[int]]) -> tuple[Integers, Integers]:
    """Return all numbers in one array, and where each row begins and the last one ends."""
    numbers = np.fromiter(chain.from_iterable(rows), np.int32)
    return numbers, np.cumsum([0, *map(len, rows)], dtype=np.int32)


def _tensor(numbers: Integers, first: Integers, row: int) -> Tensor:
    return torch.from_numpy(numbers[first[row] : first[row + 1]].astype(np.int64))
