"""What a frozen language model makes of each token of each text, computed once and read in every epoch.

Kept as a memory-mapped array in a folder of the run, float16: it may be larger than memory, and a
resumed run need not ask again::

    states [tokens of all texts, d]

and where each text stands in it: :mod:`distill.lm.text_layout`. Attention maps, for which
:mod:`distill.lm.teacher_cache` asks, are neither computed nor kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from numpy.lib.format import open_memmap
from torch import Tensor

from distill.lm.folder import FrozenLM
from distill.lm.precision import lm_precision
from distill.lm.text_layout import Integers, TextLayout, read_array, starts, write_layout
from distill.lm.tokens import NOWHERE, TokenisedText
from runtime.files import atomic_path

_BATCH = 64
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class TokenStates:
    """Reads the arrays of a folder that :func:`cached_states` completed.

    Raises:
        DataError: one of them is missing or damaged.
    """

    def __init__(self, folder: Path) -> None:
        # Nobody writes to it; but torch warns of memory that it could not write to.
        self._states: npt.NDArray[np.float16] = read_array(folder, "states", "c")
        self._layout = TextLayout(folder)

    @property
    def width(self) -> int:
        """Width of the states."""
        return int(self._states.shape[1])

    def states(self, row: int) -> Tensor:
        """Return float16 ``[T, d]``, the states of one text."""
        first = self._layout.first_token[row]
        return torch.from_numpy(self._states[first : first + self._layout.tokens[row]])

    def places(self, row: int) -> Integers:
        """Return int64 ``[L + 2]``: the row of :meth:`states` of the text's start, of each character and of its end.

        A character without a token has ``NOWHERE``.
        """
        return self._layout.places(row)


def cached_states(
    folder: Path,
    lm: FrozenLM,
    texts: Sequence[str],
    device: torch.device,
    report: Callable[[int], None] = lambda texts: None,
) -> TokenStates:
    """Return the states of ``texts``, from ``folder`` if the language model was asked before.

    Args:
        folder: where they are kept; of one language model and one list of texts.
        lm: is asked.
        texts: normalised and bounded.
        device: where it computes.
        report: is told about ten times how many texts are done.
    """
    if not folder.is_dir():
        with atomic_path(folder) as temporary:
            temporary.mkdir()
            _ask(temporary, lm, texts, device, report)
    return TokenStates(folder)


@torch.no_grad()
def _ask(folder: Path, lm: FrozenLM, texts: Sequence[str], device: torch.device, report: Callable[[int], None]) -> None:
    """Write the arrays of ``texts``."""
    # One for one: characters must keep their number.
    readable = [_LONE_SURROGATE.sub("\ufffd", text) for text in texts]
    encoded = lm.tokenizer.encode_clean(readable)
    tokens = np.array([len(text.ids) + (NOWHERE in text.ends) for text in encoded])
    write_layout(folder, tokens, [_places(text, one) for text, one in zip(readable, encoded, strict=True)])
    encoder, first = lm.encoder.to(device).eval(), starts(tokens)
    shape = (int(tokens.sum()), int(encoder.config.hidden_size))
    states = open_memmap(folder / "states.npy", "w+", np.float16, shape)
    for rows, ids, mask in lm.tokenizer.batches(encoded, _BATCH, report):
        with lm_precision(device, lm.precision):
            hidden = encoder(input_ids=ids.to(device), attention_mask=mask.long().to(device)).last_hidden_state
        hidden = hidden.float().cpu()
        for own, row in zip(hidden, rows, strict=True):
            own = _with_mean(own[: len(encoded[row].ids)])[: tokens[row]]
            states[first[row] :][: len(own)] = own.half().numpy()
    states.flush()


def _places(text: str, encoded: TokenisedText) -> Tensor:
    """Return the row of the states of start, characters and end; without a special token it is that of the mean."""
    start, end = (len(encoded.ids) if place == NOWHERE else place for place in encoded.ends)
    return torch.cat([torch.tensor([start]), encoded.places_in(text), torch.tensor([end])])


def _with_mean(states: Tensor) -> Tensor:
    """Return ``[T + 1, d]``: states ``[T, d]``, then their mean."""
    return torch.cat([states, states.sum(0, keepdim=True) / max(len(states), 1)])
