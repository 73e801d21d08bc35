"""Where each of many texts stands in arrays that lay their tokens end to end.

Kept in the folder of those arrays::

    tokens [texts]   characters [texts]   places [characters of all texts]
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from distill.lm.tokens import NOWHERE
from runtime.errors import DataError

Integers = npt.NDArray[np.int64]


class TextLayout:
    """Reads what :func:`write_layout` wrote.

    Attributes:
        tokens: ``[texts]``, how many tokens each text has.
        first_token: ``[texts]``, where they begin.

    Raises:
        DataError: a file is missing or damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.tokens: Integers = np.array(read_array(folder, "tokens"))
        self.first_token = starts(self.tokens)
        self._places: Integers = read_array(folder, "places")
        self._characters: Integers = np.array(read_array(folder, "characters"))
        self._first_character = starts(self._characters)

    def places(self, row: int) -> Integers:
        """Return int64 ``[L]``: for each character of one text the index of its token, or ``NOWHERE``."""
        return self._places[self._first_character[row] :][: self._characters[row]]

    def padded_places(self, rows: Integers) -> Integers:
        """Return the places ``[B, L]`` of some texts, ``NOWHERE`` beyond the end of a text."""
        lengths = self._characters[rows]
        places = np.full((len(rows), lengths.max()), NOWHERE, dtype=np.int64)
        for place, row, length in zip(places, rows, lengths, strict=True):
            place[:length] = self.places(row)
        return places


def write_layout(folder: Path, tokens: Integers, places: Sequence[Tensor]) -> None:
    """Write how many tokens each text has and, for each of its characters, the index of its token."""
    np.save(folder / "tokens.npy", tokens)
    np.save(folder / "characters.npy", np.array([len(text) for text in places]))
    np.save(folder / "places.npy", torch.cat(list(places)).numpy())


def read_array(folder: Path, name: str, mode: Literal["r", "c"] = "r") -> npt.NDArray[Any]:
    """Return an array of ``folder``, mapped from its file read-only, or in memory alone writable (``c``).

    Raises:
        DataError: the file is missing or damaged.
    """
    try:
        array: npt.NDArray[Any] = np.load(folder / f"{name}.npy", mmap_mode=mode, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DataError(f"{folder} is damaged ({name}.npy); remove it, then go on with --resume") from error
    return array


def starts(lengths: Integers) -> Integers:
    """Return where each of several runs laid end to end begins."""
    first: Integers = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    return first
