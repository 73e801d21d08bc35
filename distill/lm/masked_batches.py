"""Batches of pieces with hidden words: the same batch at the same step, whatever happened before.

Every random number is drawn from the seed of the run, the purpose and the number of the step or epoch. So a
run that goes on from step n sees what an uninterrupted one sees there, and several processes see the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from itertools import count, islice
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from distill.lm.masking import mask_words
from distill.lm.token_store import TokenStore

# Pieces of a pool this many batches large are sorted by length before they are cut into batches.
_POOL = 16


class Purpose(IntEnum):
    """What random numbers are drawn for; each purpose has its own."""

    ORDER = 0
    MASKS = 1
    TEST = 2
    DROPOUT = 3


class Batch(NamedTuple):
    """Pieces with hidden words; all tensors ``[B, L]``.

    Attributes:
        ids: token ids as the model sees them.
        attention: 1 for text and 0 for padding.
        hidden: true where a token is to be guessed.
        targets: token ids as they are.
    """

    ids: Tensor
    attention: Tensor
    hidden: Tensor
    targets: Tensor

    def parts(self, number: int) -> list[Batch]:
        """Return the batch cut into ``number`` parts of about the same size."""
        cut = (torch.tensor_split(tensor, number) for tensor in self)
        return [Batch(*tensors) for tensors in zip(*cut, strict=True)]


class MaskedBatches:
    """The batches of a run.

    Args:
        store: the pieces.
        tokenizer: of transformers; knows the special tokens.
        share: of the words that are hidden, as :func:`mask_words` does it.
        size: pieces in a batch, at most all there are.
        seed: of the run.
    """

    def __init__(
        self,
        store: TokenStore,
        tokenizer: Any,  # noqa: ANN401 - transformers has no types
        share: float,
        size: int,
        seed: int,
    ) -> None:
        self._store, self._tokenizer, self._share, self._size, self._seed = store, tokenizer, share, size, seed
        self.steps_per_epoch = len(store.train) // size

    def from_step(self, step: int) -> Iterator[Batch]:
        """Yield the batches to learn from at ``step``, counted from 0, and at all steps after it."""
        done = step % self.steps_per_epoch
        for epoch in count(step // self.steps_per_epoch):
            for rows in islice(self._epoch(epoch), done, None):
                yield self._hide(rows, self._random(Purpose.MASKS, step))
                step += 1
            done = 0

    def held_out(self, size: int) -> Iterator[Batch]:
        """Yield the batches to test on, the same at every call."""
        pieces = self._by_length(self._store.held_out)
        for start in range(0, len(pieces), size):
            yield self._hide(pieces[start : start + size], self._random(Purpose.TEST, start))

    def _epoch(self, epoch: int) -> Iterator[NDArray[np.int64]]:
        """Yield the batches of an epoch: pieces of similar length, in another order and company every time.

        All batches are full: a few other pieces are left out every time.
        """
        random, size = self._random(Purpose.ORDER, epoch), self._size
        order = self._store.train[torch.randperm(len(self._store.train), generator=random).numpy()]
        for start in range(0, self.steps_per_epoch * size, _POOL * size):
            pool = self._by_length(order[start : min(start + _POOL * size, self.steps_per_epoch * size)])
            for part in torch.randperm(len(pool) // size, generator=random).tolist():
                yield pool[part * size : (part + 1) * size]

    def _by_length(self, pieces: NDArray[np.int64]) -> NDArray[np.int64]:
        return pieces[np.argsort(self._store.lengths(pieces), kind="stable")]

    def _hide(self, rows: NDArray[np.int64], random: torch.Generator) -> Batch:
        """Return pieces between their two marks, padded, with hidden words."""
        tokenizer, pieces = self._tokenizer, [self._store.piece(row) for row in rows.tolist()]
        first, last = [tokenizer.cls_token_id], [tokenizer.sep_token_id]
        ids = [torch.from_numpy(np.concatenate([first, piece.ids, last])) for piece in pieces]
        words = [torch.from_numpy(np.pad(piece.words, 1)) for piece in pieces]
        targets = pad_sequence(ids, batch_first=True, padding_value=tokenizer.pad_token_id)
        attention = pad_sequence([torch.ones_like(row) for row in ids], batch_first=True)
        numbers = pad_sequence(words, batch_first=True)
        masked = mask_words(targets, numbers, self._share, tokenizer.mask_token_id, len(tokenizer), random)
        return Batch(masked.ids, attention, masked.hidden, targets)

    def _random(self, purpose: Purpose, number: int) -> torch.Generator:
        return torch.Generator().manual_seed(derived_seed(self._seed, purpose, number))


def derived_seed(seed: int, purpose: Purpose, *numbers: int) -> int:
    """Return a seed for one purpose in the place, such as a step, that ``numbers`` name."""
    return int(np.random.SeedSequence([seed, purpose, *numbers]).generate_state(1, np.uint64)[0])
