"""The set of hashes behaves as Python's set, in a fraction of the memory."""

from __future__ import annotations

import sys

from hypothesis import given
from hypothesis import strategies as st

from distill.unlabelled.hash_set import HashSet, text_hash

# Few different low bits: hashes that meet in the same slot.
HASHES = st.lists(st.integers(0, 7).flatmap(lambda low: st.integers(1, 2**54 - 1).map(lambda high: high << 10 | low)))


@given(HASHES)
def test_it_answers_as_a_set_does(numbers: list[int]) -> None:
    hashes, expected = HashSet(), set[int]()
    for number in numbers:
        assert (number in hashes) == (number in expected)
        assert hashes.add(number) == (number not in expected)
        expected.add(number)
        assert len(hashes) == len(expected)


def test_it_grows_and_keeps_what_it_holds() -> None:
    hashes = HashSet()
    numbers = [text_hash(str(number)) for number in range(50_000)]
    assert all(hashes.add(number) for number in numbers)
    assert not any(hashes.add(number) for number in numbers)
    assert all(number in hashes for number in numbers)
    assert text_hash("another") not in hashes
    assert sys.getsizeof(hashes._slots) <= 24 * len(numbers)


def test_both_ends_of_the_range_are_hashes_too() -> None:
    hashes = HashSet()
    assert [hashes.add(number) for number in (0, 2**64 - 1, 0, 2**64 - 1)] == [True, True, False, False]
    assert 0 in hashes


def test_the_hash_of_a_text_is_the_same_everywhere() -> None:
    assert text_hash("氢氧化钠") == 0x17758E8B6D72139D
    assert text_hash("\ud800") != text_hash("\ud801")
