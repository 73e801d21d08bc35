"""Encoded texts on the disk: tokens and words of all pieces, read through memory maps.

Encoding happens once, however many epochs and interruptions follow. On the disk a token takes 5 bytes; in
memory there are some 40 bytes a piece, for its place and for the order of an epoch.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from distill.data.words import WordCutter
from distill.lm.masking import word_starts
from distill.unlabelled.hash_set import text_hash
from runtime.errors import DataError
from runtime.files import atomic_path, write_json

_TEXTS_AT_ONCE = 512


@dataclass(frozen=True, slots=True)
class Piece:
    """A text, or the part of a long one that fits into the model.

    Attributes:
        ids: token ids ``[n]``, special tokens left out.
        words: number of the word of each token ``[n]``, from 1.
    """

    ids: NDArray[np.int64]
    words: NDArray[np.int64]


class TokenStore:
    """The pieces of a corpus.

    Attributes:
        fingerprint: of the files that the texts came from.
        texts: number of texts.
        train: numbers of the pieces to learn from.
        held_out: numbers of the pieces to test on.
    """

    def __init__(self, folder: Path) -> None:
        about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        self.fingerprint: str = about["fingerprint"]
        self.texts: int = about["texts"]
        self._ids = np.memmap(folder / "ids.bin", "<u4", "r")
        self._starts = np.memmap(folder / "starts.bin", np.bool_, "r")
        self._ends = np.load(folder / "ends.npy")
        held_out = np.load(folder / "held_out.npy")
        self.train: NDArray[np.int64] = np.flatnonzero(~held_out)
        self.held_out: NDArray[np.int64] = np.flatnonzero(held_out)

    @property
    def tokens(self) -> int:
        """Number of tokens."""
        return len(self._ids)

    def lengths(self, pieces: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the number of tokens of each of ``pieces``."""
        starts = np.where(pieces > 0, self._ends[pieces - 1], 0)
        lengths: NDArray[np.int64] = self._ends[pieces] - starts
        return lengths

    def piece(self, number: int) -> Piece:
        """Return one piece."""
        start, end = int(self._ends[number - 1]) if number else 0, int(self._ends[number])
        starts = self._starts[start:end].copy()
        starts[0] = True  # A cut may go through a word.
        return Piece(self._ids[start:end].astype(np.int64), np.cumsum(starts))


def write_store(
    folder: Path,
    texts: Iterable[str],
    tokenizer: Any,  # noqa: ANN401 - transformers has no types
    words: WordCutter | None,
    max_tokens: int,
    held_out: int,
    fingerprint: str,
) -> None:
    """Encode normalised ``texts`` into ``folder``, which appears when it is complete.

    Texts of less than two tokens are left out: hiding the only one leaves nothing to learn from.

    Args:
        folder: where to write; an older one there is replaced.
        texts: read once.
        tokenizer: a fast tokeniser of transformers; it is saved along.
        words: cuts words; ``None``: every token is a word.
        max_tokens: longest piece.
        held_out: texts to test on, at most a tenth of all: those of the smallest hash, whatever their order.
        fingerprint: of what the texts came from.

    Raises:
        DataError: fewer than two texts are left, or the folder cannot be written.
    """
    with atomic_path(folder) as temporary:
        tokenizer.save_pretrained(temporary / "tokenizer")
        with (temporary / "ids.bin").open("wb") as ids, (temporary / "starts.bin").open("wb") as starts:
            lengths, hashes = _write_tokens(ids, starts, _encoded(texts, tokenizer, words), max_tokens)
        distinct = np.unique(hashes)
        if len(distinct) < 2:
            raise DataError(f"{len(distinct)} texts of two tokens or more; pretraining needs many")
        last = distinct[max(1, min(held_out, len(distinct) // 10)) - 1]
        np.save(temporary / "ends.npy", np.cumsum(lengths))
        np.save(temporary / "held_out.npy", hashes <= last)
        write_json(temporary / "about.json", {"fingerprint": fingerprint, "texts": len(distinct)})


def _encoded(
    texts: Iterable[str],
    tokenizer: Any,  # noqa: ANN401
    words: WordCutter | None,
) -> Iterator[tuple[str, list[int], NDArray[np.bool_]]]:
    """Yield text, token ids and, for each token, whether a word begins with it."""
    stream = iter(texts)
    while chunk := list(islice(stream, _TEXTS_AT_ONCE)):
        encoded = tokenizer(chunk, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        for text, ids, offsets in zip(chunk, encoded["input_ids"], encoded["offset_mapping"], strict=True):
            if len(ids) > 1:
                yield text, ids, word_starts(text, words.cut(text), offsets) if words else np.ones(len(ids), np.bool_)


def _write_tokens(
    ids_file: BinaryIO,
    starts_file: BinaryIO,
    encoded: Iterable[tuple[str, list[int], NDArray[np.bool_]]],
    max_tokens: int,
) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """Write all tokens; return the length of each piece and the hash of the text that it is of."""
    lengths, hashes = array("q"), array("Q")
    for text, ids, starts in encoded:
        number = text_hash(text)
        # A last piece of one token would be hidden as a whole.
        whole = len(ids) - (len(ids) % max_tokens == 1)
        ids_file.write(np.asarray(ids[:whole], "<u4").tobytes())
        starts_file.write(starts[:whole].tobytes())
        for start in range(0, whole, max_tokens):
            lengths.append(min(max_tokens, whole - start))
            hashes.append(number)
    return np.array(lengths, np.int64), np.array(hashes, np.uint64)
