"""Every text once in an epoch before one comes again, beside others of its length."""

from __future__ import annotations

import torch

from distill.training.batch_rows import epoch_rows, epoch_steps, rows_by_length, shuffled_rows


def test_rows_by_length_go_from_short_to_long() -> None:
    assert rows_by_length([3, 1, 2, 1], 3) == [[1, 3, 2], [0]]


def test_shuffled_rows_are_all_rows_once_and_repeat_with_the_seed() -> None:
    lengths = [number % 5 for number in range(100)]
    torch.manual_seed(0)
    rows = shuffled_rows(lengths, 8)
    torch.manual_seed(0)
    assert shuffled_rows(lengths, 8) == rows != shuffled_rows(lengths, 8)
    assert sorted(row for batch in rows for row in batch) == list(range(100))


def test_epoch_of_many_texts_is_all_of_them_once() -> None:
    rows = epoch_rows([1] * 20, 8, fewest=2)
    assert len(rows) == epoch_steps(20, 8, fewest=2) == 3
    assert sorted(row for batch in rows for row in batch) == list(range(20))


def test_few_texts_come_again_in_an_epoch_all_before_one() -> None:
    torch.manual_seed(0)
    rows = epoch_rows([1] * 20, 8, fewest=7)
    assert len(rows) == epoch_steps(20, 8, fewest=7) == 7
    first, second, third = ([row for batch in rows[start : start + 3] for row in batch] for start in (0, 3, 6))
    assert sorted(first) == sorted(second) == list(range(20))
    assert set(third) < set(first)
    assert first != second
