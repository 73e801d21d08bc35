"""Batches with hidden words: every piece once an epoch, and at each step what an uninterrupted run sees."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest
import torch
from torch import Tensor

from distill.lm.character_tokenizer import train_character_tokenizer
from distill.lm.masked_batches import Batch, MaskedBatches
from distill.lm.token_store import TokenStore, write_store

TEXTS = [chr(0x4E00 + number) * (2 + number % 7) for number in range(70)]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of 70 texts, seven of them held out."""
    folder = tmp_path_factory.mktemp("texts") / "store"
    write_store(folder, TEXTS, train_character_tokenizer(TEXTS, 1000, 1, 20), None, 18, 100, "")
    return folder


def batches(folder: Path, size: int = 8, seed: int = 0) -> MaskedBatches:
    return MaskedBatches(TokenStore(folder), train_character_tokenizer(TEXTS, 1000, 1, 20), 0.3, size, seed)


def texts(batch: Batch) -> list[int]:
    """Return what tells the texts apart: their first character."""
    return batch.targets[:, 1].tolist()


def same(one: Batch, other: Batch) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_an_epoch_has_every_piece_at_most_once_and_no_held_out_one(store: Path) -> None:
    read = batches(store)
    assert read.steps_per_epoch == 7
    epochs = [list(islice(read.from_step(7 * epoch), 7)) for epoch in (0, 1)]
    held_out = {text for batch in read.held_out(4) for text in texts(batch)}
    for epoch in epochs:
        seen = [text for batch in epoch for text in texts(batch)]
        assert len(seen) == len(set(seen)) == 56
        assert held_out.isdisjoint(seen)
    assert texts(epochs[0][0]) != texts(epochs[1][0])


@pytest.mark.parametrize("step", [1, 6, 7, 8, 20])
def test_a_later_start_gives_the_batches_of_an_uninterrupted_run(store: Path, step: int) -> None:
    whole = list(islice(batches(store).from_step(0), 23))
    later = list(islice(batches(store).from_step(step), 23 - step))
    assert all(same(one, other) for one, other in zip(whole[step:], later, strict=True))


def test_another_seed_gives_other_batches(store: Path) -> None:
    one, other = next(batches(store).from_step(0)), next(batches(store, seed=1).from_step(0))
    assert not (one.ids.shape == other.ids.shape and same(one, other))


def test_held_out_words_are_hidden_the_same_every_time(store: Path) -> None:
    read = batches(store)
    first, _, second = list(read.held_out(4)), next(read.from_step(3)), list(read.held_out(4))
    assert all(same(one, other) for one, other in zip(first, second, strict=True))
    assert sum(len(batch.ids) for batch in first) == 7


def test_padding_is_not_attended_to_and_never_hidden(store: Path) -> None:
    for batch in batches(store, size=31).held_out(7):
        lengths = batch.attention.sum(1)
        assert lengths.min() < lengths.max()
        padding = batch.attention == 0
        assert (batch.targets[padding] == 0).all()
        assert not batch.hidden[padding].any()
        rows: list[Tensor] = [row[:length] for row, length in zip(batch.targets, lengths.tolist(), strict=True)]
        assert all(int(row[0]) == 2 and int(row[-1]) == 3 for row in rows)


def test_batches_hold_texts_of_similar_length(store: Path) -> None:
    waste = [1 - batch.attention.float().mean() for batch in islice(batches(store).from_step(0), 7)]
    assert sum(waste) / len(waste) < 0.1


def test_parts_are_the_batch_again(store: Path) -> None:
    batch = next(batches(store).from_step(0))
    for number in (1, 3, 8):
        parts = batch.parts(number)
        assert len(parts) == number
        assert all(len(part.ids) for part in parts)
        assert torch.equal(torch.cat([part.hidden for part in parts]), batch.hidden)
