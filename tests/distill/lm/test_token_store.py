"""Encoded texts on the disk: pieces give the texts again, words stay whole, held-out texts are apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from distill.data.words import WordCutter
from distill.lm.character_tokenizer import train_character_tokenizer
from distill.lm.token_store import TokenStore, write_store
from runtime.errors import DataError

TEXTS = [
    f"{name}{kind}" for name in ("氢氧化钠", "工业盐酸", "聚乙烯", "环氧树脂") for kind in ("颗粒", "溶液", "粉末")
]

Store = Callable[..., TokenStore]


@pytest.fixture(scope="module")
def cutter() -> WordCutter:
    """The cutter of words."""
    return WordCutter()


@pytest.fixture
def store(tmp_path: Path, cutter: WordCutter) -> Store:
    """Write texts and open what was written."""

    def written(
        texts: Sequence[str] = TEXTS, max_tokens: int = 20, held_out: int = 100, words: bool = True
    ) -> TokenStore:
        tokenizer = train_character_tokenizer(texts, 1000, 1, max_tokens + 2)
        cut = cutter if words else None
        write_store(tmp_path / "store", texts, tokenizer, cut, max_tokens, held_out, "print")
        return TokenStore(tmp_path / "store")

    return written


def decoded(store: TokenStore, tmp_path: Path, number: int) -> list[str]:
    """Return the words of a piece."""
    from transformers import AutoTokenizer

    tokens = AutoTokenizer.from_pretrained(tmp_path / "store" / "tokenizer", local_files_only=True)
    piece = store.piece(number)
    characters = tokens.convert_ids_to_tokens(piece.ids.tolist())
    return ["".join(np.array(characters)[piece.words == word]) for word in range(1, int(piece.words[-1]) + 1)]


def test_pieces_are_the_texts_in_words(store: Store, tmp_path: Path) -> None:
    opened = store()
    assert decoded(opened, tmp_path, 0) == ["氢氧化钠", "颗粒"]
    assert ["".join(decoded(opened, tmp_path, number)) for number in range(len(TEXTS))] == TEXTS
    assert (opened.texts, opened.tokens, opened.fingerprint) == (12, sum(map(len, TEXTS)), "print")


def test_without_whole_words_every_token_is_one(store: Store, tmp_path: Path) -> None:
    assert decoded(store(words=False), tmp_path, 0) == list("氢氧化钠颗粒")


def test_long_texts_are_cut_and_single_tokens_left_out(store: Store, tmp_path: Path) -> None:
    opened = store(["氢氧化钠片碱工业", "碱", "盐酸溶", "甲苯"], max_tokens=3)
    pieces = ["".join(decoded(opened, tmp_path, number)) for number in range(5)]
    assert pieces == ["氢氧化", "钠片碱", "工业", "盐酸溶", "甲苯"]
    assert opened.texts == 3
    assert opened.lengths(np.arange(5)).tolist() == [3, 3, 2, 3, 2]
    assert ["".join(decoded(store(["氢氧化钠", "甲苯"], max_tokens=3), tmp_path, 0))] == ["氢氧化"]


def test_held_out_texts_are_a_tenth_at_most_whatever_their_order(store: Store, tmp_path: Path) -> None:
    texts = [f"样品{number}号" for number in range(200)]
    first = store(texts, held_out=5)
    chosen = {"".join(decoded(first, tmp_path, number)) for number in first.held_out.tolist()}
    assert len(chosen) == 5
    assert sorted([*first.train, *first.held_out]) == list(range(200))
    turned = store(texts[::-1], held_out=5)
    assert {"".join(decoded(turned, tmp_path, number)) for number in turned.held_out.tolist()} == chosen
    assert len(store(texts, held_out=1000).held_out) == 20


def test_a_text_that_comes_twice_is_not_on_both_sides(store: Store, tmp_path: Path) -> None:
    opened = store([*TEXTS, *TEXTS], held_out=3)
    held, train = (
        {"".join(decoded(opened, tmp_path, n)) for n in part.tolist()} for part in (opened.held_out, opened.train)
    )
    assert held.isdisjoint(train)
    assert len(opened.held_out) == 2


def test_too_few_texts_are_refused(store: Store, tmp_path: Path) -> None:
    for texts in ([], ["碱"], ["氢氧化钠", "氢氧化钠"]):
        with pytest.raises(DataError, match="pretraining needs many"):
            store(texts)
    assert not (tmp_path / "store").exists()
