"""Remembering which texts were seen, in a few bytes a text."""

from __future__ import annotations

from array import array
from hashlib import blake2b

_FIRST_SIZE = 1 << 10


def text_hash(text: str) -> int:
    """Return 64 bits of BLAKE2b of ``text``: the same on every machine and in every run."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


class HashSet:
    """A set of 64-bit hashes in one array: open addressing, linear probing.

    12 to 24 bytes a hash, and for a moment half as much again while the array doubles; a set of Python's
    takes about 100. Of n texts, n² / 2⁶⁵ are taken for another one on average: 3 in ten thousand runs
    over a hundred million texts.
    """

    def __init__(self) -> None:
        self._slots = _empty(_FIRST_SIZE)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, number: int) -> bool:
        return self._slots[self._slot(number or 1)] != 0

    def add(self, number: int) -> bool:
        """Add a hash, 0 up to 2⁶⁴ - 1; say whether it is new."""
        number = number or 1  # An empty slot holds 0.
        slot = self._slot(number)
        if self._slots[slot]:
            return False
        self._slots[slot] = number
        self._count += 1
        if 3 * self._count > 2 * len(self._slots):
            self._grow()
        return True

    def _slot(self, number: int) -> int:
        """Return the slot that holds ``number``, or the empty one where it belongs."""
        slots = self._slots
        last = len(slots) - 1
        slot = number & last
        while slots[slot] not in (0, number):
            slot = (slot + 1) & last
        return slot

    def _grow(self) -> None:
        before, self._slots = self._slots, _empty(2 * len(self._slots))
        for number in before:
            if number:
                self._slots[self._slot(number)] = number


def _empty(size: int) -> array[int]:
    return array("Q", bytes(8 * size))
