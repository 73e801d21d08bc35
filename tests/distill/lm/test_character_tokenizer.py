"""The character tokeniser: the same file every time, read back by transformers, near to our normalisation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer, BertConfig

from distill.lm.character_tokenizer import train_character_tokenizer
from runtime.text import normalise

TEXTS = ["氢氧化钠 片碱", "氢氧化钾", "pvc树脂", "pp树脂 碱"]


@pytest.fixture
def tokenizer() -> Any:  # noqa: ANN401 - transformers has no types
    """Knows the characters that occur twice."""
    return train_character_tokenizer(TEXTS, most=100, min_count=2, max_len=12)


def test_ids_follow_frequency_and_then_code_point(tokenizer: Any) -> None:  # noqa: ANN401
    known = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().get)
    assert known == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "p", " ", "化", "树", "氢", "氧", "碱", "脂"]
    few = train_character_tokenizer(TEXTS, most=2, min_count=1, max_len=12)
    assert sorted(few.get_vocab())[:2] == [" ", "[CLS]"]
    assert len(few) == 7


def test_a_text_is_its_characters_between_two_marks(tokenizer: Any) -> None:  # noqa: ANN401
    encoded = tokenizer("ＰＰ  树脂\tXY", return_offsets_mapping=True)
    tokens = tokenizer.convert_ids_to_tokens(encoded["input_ids"])
    assert tokens == ["[CLS]", "p", "p", " ", "树", "脂", " ", "[UNK]", "[UNK]", "[SEP]"]


@pytest.mark.parametrize(
    "text", ["氢氧化钠　ＮａＯＨ", "  片碱\t\n99％  ", "ｐｈ≥７", "\U00020000酸", "㎏/m³", "ＤＩＮ ① ﬁ"]
)
def test_it_folds_text_as_the_product_does(text: str) -> None:
    tokenizer = train_character_tokenizer([normalise(text)], most=100, min_count=1, max_len=99)
    assert "".join(tokenizer.tokenize(text)) == normalise(text)


def test_transformers_reads_the_saved_file(tokenizer: Any, tmp_path: Path) -> None:  # noqa: ANN401
    tokenizer.save_pretrained(tmp_path)
    BertConfig().save_pretrained(tmp_path)
    read = AutoTokenizer.from_pretrained(tmp_path, local_files_only=True)
    assert read.is_fast
    assert read.model_max_length == 12
    assert read("氢氧化铝")["input_ids"] == tokenizer("氢氧化铝")["input_ids"]
    assert (read.pad_token_id, read.mask_token_id, read.cls_token_id, read.sep_token_id) == (0, 4, 2, 3)


def test_the_same_texts_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        train_character_tokenizer(TEXTS, 100, 1, 12).save_pretrained(tmp_path / name)
    assert (tmp_path / "a" / "tokenizer.json").read_bytes() == (tmp_path / "b" / "tokenizer.json").read_bytes()
