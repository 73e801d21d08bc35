"""A text as a language model reads it, and which of its tokens stands for which character.

The language model reads what the student reads: the normalised text, without the middle of a long one.
So every character of the student has its place among the tokens of the teacher.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from runtime.text import normalise

NOWHERE = -1
"""Stands for the token of a character that no token covers, such as a blank."""


@dataclass(frozen=True, slots=True)
class TokenisedText:
    """One text in tokens.

    Attributes:
        ids: int64 ``[T]``, special tokens and prefix included.
        places: int64 ``[L]``, for each UTF-16 unit of the text, as ``CharTokenizer`` counts them, the
            index of its token or ``NOWHERE``.
    """

    ids: Tensor
    places: Tensor


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

    def encode(self, texts: Sequence[str]) -> list[TokenisedText]:
        """Return each text in tokens."""
        shortened = [shorten(normalise(text), self.max_len) for text in texts]
        encoded = self.tokenizer(
            [self.prefix + text for text in shortened],
            truncation=True,
            max_length=self.max_tokens,
            return_offsets_mapping=True,
        )
        return [
            TokenisedText(torch.tensor(ids), _places(text, offsets, len(self.prefix)))
            for text, ids, offsets in zip(shortened, encoded["input_ids"], encoded["offset_mapping"], strict=True)
        ]

    def pieces(self, character: str) -> list[int]:
        """Return the token ids of a character that stands alone, without those that only mark a word's start."""
        ids: list[int] = self.tokenizer(character, add_special_tokens=False)["input_ids"]
        return [token for token in ids if self.tokenizer.decode([token]).strip()] or ids

    def pad(self, ids: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Return ids ``[B, T]``, padded at the end, and the mask ``[B, T]`` that is true where there is text."""
        lengths = torch.tensor([len(row) for row in ids])
        padded = pad_sequence(list(ids), batch_first=True, padding_value=self.tokenizer.pad_token_id)
        return padded, torch.arange(padded.shape[1]) < lengths[:, None]


def shorten(text: str, max_len: int) -> str:
    """Return the part of a normalised text that ``CharTokenizer`` keeps; lone surrogates become U+FFFD."""
    units = text.encode("utf-16-le", "surrogatepass")
    if len(units) > 2 * max_len:
        tail = max_len // 4
        units = units[: 2 * (max_len - tail)] + units[len(units) - 2 * tail :]
    return units.decode("utf-16-le", "replace")


def _places(text: str, offsets: Sequence[tuple[int, int]], prefix: int) -> Tensor:
    """Return the token of each UTF-16 unit; of several tokens on one character, the last."""
    tokens = [NOWHERE] * len(text)
    for token, (start, end) in enumerate(offsets):
        for character in range(max(start - prefix, 0), end - prefix):
            tokens[character] = token
    units = [token for character, token in zip(text, tokens, strict=True) for _ in range(1 + (character > "\uffff"))]
    return torch.tensor(units, dtype=torch.int64)
