"""Whole-word masking: which tokens make a word, and hiding some words of a batch, but never a whole text.

After Devlin et al., "BERT", 2019 (share, 80/10/10), and Cui et al., "Pre-Training with Whole Word Masking for
Chinese BERT", 2021 (all characters of a word together).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_HIDDEN, _REPLACED = 0.8, 0.9
# Above every random number: never hidden.
_NEVER = 2.0


class Masked(NamedTuple):
    """A batch with hidden words.

    Attributes:
        ids: token ids ``[B, L]`` as the model sees them.
        hidden: bool ``[B, L]``, true where a token is to be guessed, also where it was left as it was.
    """

    ids: Tensor
    hidden: Tensor


def mask_words(
    ids: Tensor, words: Tensor, share: float, mask_id: int, vocabulary: int, generator: torch.Generator
) -> Masked:
    """Hide ``share`` of the words of every row, rounded up or down by chance, but never all of them.

    So a short row may have no hidden word this time; some row of a batch has one. Of a row of one word, as short
    names are, single tokens are hidden instead. Of the hidden tokens, 80 % become ``mask_id``, 10 % a random
    token, and 10 % stay.

    Args:
        ids: token ids ``[B, L]``; a row has two tokens or more besides the special ones.
        words: number of the word of each token in its row ``[B, L]``, from 1; 0 for special tokens and padding.
        share: of the words, 0 to 1.
        mask_id: id of the mask token.
        vocabulary: number of token ids.
        generator: of the random numbers, on the CPU as the tensors.
    """
    units = _units(words)
    hidden = _drawn(units, share, generator)
    change = torch.rand(ids.shape, generator=generator)
    random_ids = torch.randint(vocabulary, ids.shape, generator=generator)
    seen = ids.masked_fill(hidden & (change < _HIDDEN), mask_id)
    seen = torch.where(hidden & (change >= _HIDDEN) & (change < _REPLACED), random_ids, seen)
    return Masked(seen, hidden)


def _units(words: Tensor) -> Tensor:
    """Return the numbers of what is hidden as one ``[B, L]``: the words, or the tokens where there is but one word."""
    text = words > 0
    return torch.where(words.amax(dim=1, keepdim=True) > 1, words, text.cumsum(1) * text)


def _drawn(units: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Return bool ``[B, L]``, true for the tokens of the drawn units."""
    present = units.amax(dim=1)
    draws = torch.rand(len(units), int(present.max()) + 1, generator=generator)
    draws[torch.arange(draws.shape[1]) > present[:, None]] = _NEVER
    draws[:, 0] = _NEVER
    order = draws.argsort(dim=1).argsort(dim=1)
    return order.gather(1, units) < _counts(present, share, generator)[:, None]


def _counts(present: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Return how many of the units that are ``present`` in each row to hide ``[B]``.

    Fractions are carried from row to row from a random start: the mean is the share, and a batch is near to it.
    """
    due = present.double() * max(share, 1 / int(present.sum()))  # One in the batch, else it has no loss.
    start = 1 - torch.rand(1, dtype=torch.float64, generator=generator)
    counts = torch.cat([start, start + due.cumsum(0)]).floor().diff().long()
    return torch.minimum(counts, present - 1)


def word_starts(text: str, words: Sequence[str], offsets: Sequence[tuple[int, int]]) -> NDArray[np.bool_]:
    """Say of each token of ``text`` whether a word begins with it.

    A token belongs to the word that its first character is in; so tokens longer than a word are words. Blanks do not
    count: some tokenisers, as those of ModernBERT and DeBERTa-v3, put the blank before a word into its first token.

    Args:
        text: what was cut and tokenised.
        words: its words in order, white space left out.
        offsets: first character of each token, and the one after its last.
    """
    begins = np.zeros(len(text) + 1, np.int64)
    position = 0
    for word in words:
        position = text.index(word, position)
        begins[position] = 1
        position += len(word)
        begins[position] = 1  # What follows, if only a blank, is not this word.
    # Of a token of nothing but blanks, the first one.
    firsts = [end - len(text[start:end].lstrip() or text[start:end]) for start, end in offsets]
    number = np.cumsum(begins)[firsts]
    starts: NDArray[np.bool_] = np.diff(number, prepend=-1) != 0
    return starts
