"""Near-duplicates in a stream of texts: MinHash signatures, found again through banded tables.

MinHash: Broder, "On the resemblance and containment of documents", 1997; of each minimum only the lowest
byte is kept (b-bit minwise hashing, Li and König, WWW 2010). Banding: Leskovec, Rajaraman and Ullman,
"Mining of Massive Datasets", chapter 3. No random numbers: the same texts give the same answers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_BANDS = 16
# Eight one-byte minima are a band, so that a band is one 64-bit key.
_VALUES = 8 * _BANDS
_FIRST_CAPACITY = 1 << 12
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)

Signatures = NDArray[np.uint8]


class NearDuplicates:
    """The last texts that were unlike all before them, by signature.

    Two texts are similar when the Jaccard similarity of their sets of character 1- and 2-grams, estimated
    from 128 minima (standard error 0.03 at 0.9), is at least the threshold. A pair is compared when one of
    16 bands is equal: about 61 of 100 pairs of similarity 0.7 are, 94 at 0.8, and all but a few in ten thousand
    at 0.9. So of pairs at the threshold itself about half are found, of those 0.05 above it 19 of 20 (8 of 10
    at a threshold of 0.7): enough to thin out a corpus, and no guard of a test set, for which there is
    :class:`distill.data.similarity.SimilarTexts`.

    256 to 384 bytes a text of the window, whatever its length: 262 MB for a million. A text costs the same
    time however many there are before it.

    Args:
        threshold: similarity from which a text is a near-duplicate, above 0 up to 1.
        window: how many texts are remembered; a new one then replaces the oldest.
    """

    def __init__(self, threshold: float, window: int) -> None:
        # Two unlike minima share their lowest byte once in 256 times.
        self._enough = _VALUES * (threshold + (1 - threshold) / 256)
        self._window = window
        self._count = 0
        self._signatures = minhash([])
        self._make_room(min(window, _FIRST_CAPACITY))

    def novel(self, texts: Sequence[str]) -> list[bool]:
        """Say of each text whether no text remembered, nor one before it here, is similar; remember those.

        Args:
            texts: none of them empty.
        """
        capacity = len(self._signatures)
        while capacity < min(self._count + len(texts), self._window):
            capacity *= 2
        if capacity > len(self._signatures):
            self._make_room(min(capacity, self._window))
        signatures = minhash(texts)
        return [self._add(row, slots) for row, slots in zip(signatures, self._slots_of(signatures), strict=True)]

    def _add(self, signature: Signatures, slots: NDArray[np.int64]) -> bool:
        # An empty slot points to the first text, which may as well be compared.
        others = self._signatures[self._tables[_EVERY_BAND, slots]]
        if (others == signature).sum(axis=1).max() >= self._enough:
            return False
        place = self._count % self._window
        self._signatures[place] = signature
        self._tables[_EVERY_BAND, slots] = place
        self._count += 1
        return True

    def _make_room(self, capacity: int) -> None:
        """Make room for ``capacity`` texts; happens only while all texts so far are remembered."""
        known = self._signatures[: self._count]
        self._signatures = np.zeros((capacity, _VALUES), np.uint8)
        self._signatures[: self._count] = known
        # Two to four slots a text: few texts lose their slot to another, and none all of its sixteen.
        self._bits = (capacity - 1).bit_length() + 1
        self._tables = np.zeros((_BANDS, 1 << self._bits), np.uint32)
        for table, slots in zip(self._tables, self._slots_of(known).T, strict=True):
            table[slots] = np.arange(self._count)

    def _slots_of(self, signatures: Signatures) -> NDArray[np.int64]:
        """Return the slots ``[n, bands]`` of signatures ``[n, values]``."""
        return (_mix(signatures.view("<u8")) >> np.uint64(64 - self._bits)).astype(np.int64)


def minhash(texts: Sequence[str]) -> Signatures:
    """Return signatures ``[n, 128]`` of ``texts``, none of them empty.

    The share of equal bytes of two rows estimates the Jaccard similarity of the sets of character 1- and
    2-grams of the texts, but for equal bytes by chance, one in 256.
    """
    signatures = np.empty((len(texts), _VALUES), np.uint8)
    if not texts:
        return signatures
    grams, starts = _grams(texts)
    for value, factor in enumerate(_FACTORS):
        signatures[:, value] = np.minimum.reduceat((grams * factor) >> np.uint64(32), starts)
    return signatures


def _grams(texts: Sequence[str]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return the hashes of the grams of all texts, text after text, and where each text starts."""
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint64)
    ends = np.cumsum([len(text) for text in texts])
    # A code point has 21 bits; the pair's first gets one more, so that no pair equals a single one.
    pairs = codes + ((np.roll(codes, -1) + np.uint64(1)) << np.uint64(21))
    pairs[ends - 1] = codes[ends - 1]
    starts = 2 * np.concatenate([[0], ends[:-1]])
    return _mix(np.stack([codes, pairs], axis=1).reshape(-1)), starts


def _mix(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return well-mixed 64-bit hashes of ``numbers`` (the finaliser of SplitMix64, Steele et al., 2014)."""
    mixed = numbers + _GOLDEN
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


_EVERY_BAND = np.arange(_BANDS)
# Odd, so that each factor is a permutation of the hashes.
_FACTORS = _mix(np.arange(_VALUES, dtype=np.uint64)) | np.uint64(1)
