"""Whole-word masking: words fall together, in the right share, and never special tokens."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from distill.lm.masking import Masked, mask_words, word_starts

MASK, VOCABULARY = 4, 100


def mask(words: Tensor, share: float, seed: int = 0) -> tuple[Tensor, Masked]:
    """Return ids above the special ones, and what becomes of them."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(5, VOCABULARY, words.shape, generator=generator)
    return ids, mask_words(ids, words, share, MASK, VOCABULARY, generator)


def rows_of_words(rows: int, words: int, length: int) -> Tensor:
    """Return rows of words of the same length between two special tokens."""
    numbers = torch.arange(1, words + 1).repeat_interleave(length)
    return torch.nn.functional.pad(numbers, (1, 1)).repeat(rows, 1)


@given(st.integers(1, 8), st.integers(2, 12), st.integers(1, 3), st.floats(0.01, 0.99), st.integers(0, 99))
def test_words_are_hidden_as_a_whole_some_of_a_batch_and_never_all_of_a_row(
    rows: int, words: int, length: int, share: float, seed: int
) -> None:
    numbers = rows_of_words(rows, words, length)
    ids, masked = mask(numbers, share, seed)
    by_word = masked.hidden[:, 1:-1].reshape(rows, words, length)
    assert torch.equal(by_word.any(dim=2), by_word.all(dim=2))
    assert by_word.any()
    assert not by_word.all(dim=2).all(dim=1).any()
    assert not masked.hidden[:, [0, -1]].any()
    assert torch.equal(masked.ids[~masked.hidden], ids[~masked.hidden])


@pytest.mark.parametrize("length", [2, 3, 4])  # 硫酸, 凡士林, 发烟硫酸
def test_a_text_of_one_word_loses_single_tokens_and_never_all(length: int) -> None:
    for share in (0.15, 0.99):
        _, masked = mask(rows_of_words(2000, 1, length), share)
        lost = masked.hidden.sum(1)
        assert lost.max() < length
        assert masked.hidden[:, 1:-1].any(0).all()  # any of them
        assert lost.float().mean() / length == pytest.approx(min(share, 1 - 1 / length), abs=0.01)


@pytest.mark.parametrize(("words", "length"), [(2, 1), (2, 2), (3, 2), (5, 1), (7, 2)])
def test_short_texts_lose_the_share_too(words: int, length: int) -> None:
    _, masked = mask(rows_of_words(2000, words, length), 0.15)
    assert masked.hidden[:, 1:-1].float().mean() == pytest.approx(0.15, abs=0.002)
    by_place = masked.hidden[:, 1:-1].float().mean(0)
    assert by_place.tolist() == pytest.approx([0.15] * words * length, abs=0.03)


@given(st.lists(st.integers(2, 9), min_size=1, max_size=9), st.floats(0.01, 0.99), st.integers(0, 99))
def test_a_row_loses_its_share_rounded_up_or_down(lengths: list[int], share: float, seed: int) -> None:
    numbers = torch.nn.utils.rnn.pad_sequence([torch.arange(1, length + 1) for length in lengths], batch_first=True)
    lost = mask(numbers, share, seed)[1].hidden.sum(1)
    whole = torch.tensor(lengths) * max(share, 1 / sum(lengths))
    assert (lost >= torch.minimum(whole.floor(), torch.tensor(lengths) - 1)).all()
    assert (lost <= whole.ceil()).all()


def test_shares_are_those_of_the_paper() -> None:
    ids, masked = mask(rows_of_words(2000, 40, 2), 0.15)
    assert masked.hidden[:, 1:-1].float().mean() == pytest.approx(0.15, abs=0.005)
    seen, true = masked.ids[masked.hidden], ids[masked.hidden]
    assert (seen == MASK).float().mean() == pytest.approx(0.8, abs=0.01)
    # One in a hundred random tokens is the true one.
    assert (seen == true).float().mean() == pytest.approx(0.1 + 0.1 / VOCABULARY, abs=0.01)


def test_padding_is_never_hidden_even_in_short_rows() -> None:
    numbers = torch.tensor([[0, 1, 2, 3, 4, 0], [0, 1, 2, 0, 0, 0]])
    for seed in range(50):
        _, masked = mask(numbers, 0.5, seed)
        assert not masked.hidden[numbers == 0].any()
        assert masked.hidden.sum(1).tolist() == [2, 1]


def test_the_generator_alone_decides() -> None:
    numbers = rows_of_words(4, 10, 2)
    torch.manual_seed(0)
    one = mask(numbers, 0.3, seed=7)[1]
    torch.manual_seed(1)
    assert torch.equal(one.ids, mask(numbers, 0.3, seed=7)[1].ids)
    assert not torch.equal(one.ids, mask(numbers, 0.3, seed=8)[1].ids)


def test_tokens_of_a_word_follow_its_start() -> None:
    text, words = "氢氧化钠 片碱99%", ["氢氧化钠", "片碱", "99", "%"]
    characters = [(place, place + 1) for place in range(len(text))]
    assert starting(text, words, characters) == ["氢", " ", "片", "9", "%"]


def test_tokens_longer_than_words_are_words() -> None:
    # 氢氧化|钠片|碱 against the words 氢氧化钠|片碱: the second token belongs to the first word.
    assert starting("氢氧化钠片碱", ["氢氧化钠", "片碱"], [(0, 3), (3, 5), (5, 6)]) == ["氢氧化", "碱"]


def test_a_word_that_occurs_twice_is_found_at_both_places() -> None:
    assert starting("酸酸酸", ["酸", "酸酸"], [(0, 1), (1, 2), (2, 3)]) == ["酸", "酸"]


def test_a_token_that_begins_with_the_blank_before_a_word_is_of_that_word() -> None:
    offsets = [(0, 2), (2, 4), (4, 7), (7, 8), (8, 9), (9, 10)]
    assert starting("氢氧化钠 片碱酸 酸", ["氢氧化钠", "片碱酸", "酸"], offsets) == ["氢氧", " 片碱", " ", "酸"]


def starting(text: str, words: list[str], offsets: list[tuple[int, int]]) -> list[str]:
    starts = word_starts(text, words, offsets)
    return [text[start:end] for (start, end), begins in zip(offsets, starts.tolist(), strict=True) if begins]
