"""The language model reads what the student reads, and every character knows its token."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from distill.lm import tokens
from distill.lm.tokens import NOWHERE, LMTokenizer, shorten
from distill.models.lm_teacher import load_encoder, longest_sequence
from runtime.text import normalise
from runtime.tokenizer import CharTokenizer
from tests.distill.tiny import write_tiny_data
from tests.distill.tiny_lm import write_tiny_lm


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> LMTokenizer:
    """A tokeniser of one token a character, [CLS] and [SEP] around, blanks dropped."""
    folder = tmp_path_factory.mktemp("lm")
    encoder, tokenizer = load_encoder(write_tiny_lm(folder / "lm", write_tiny_data(folder / "data")))
    return LMTokenizer(tokenizer, "", 8, longest_sequence(encoder, tokenizer))


@given(st.text(), st.integers(2, 12))
def test_shortened_text_is_what_the_student_keeps(text: str, max_len: int) -> None:
    student = CharTokenizer.from_texts([text], max_len)
    kept = shorten(normalise(text), max_len)
    units = len(kept.encode("utf-16-le")) // 2
    assert units == len(student.encode(text).ids)


def test_long_text_keeps_head_and_tail() -> None:
    assert shorten("abcdefghijkl", 8) == "abcdefkl"
    assert shorten("abcdefgh", 8) == "abcdefgh"


def test_half_of_an_astral_character_becomes_a_replacement() -> None:
    assert shorten("abcde😀ghijkl", 8) == "abcde\ufffdkl"
    assert shorten("a\ud800b", 8) == "a\ufffdb"


def test_every_character_has_its_token_and_a_blank_none(reader: LMTokenizer) -> None:
    (text,) = reader.encode(["盐酸 试剂"])
    assert text.ids.shape == (6,)
    assert text.places.tolist() == [1, 2, NOWHERE, 3, 4]


def test_no_text_has_no_tokens(reader: LMTokenizer) -> None:
    assert reader.encode([]) == []


def test_many_texts_are_read_as_each_alone(reader: LMTokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "_TEXTS_AT_ONCE", 3)
    texts = ["盐酸 试剂", "", "盐😀酸", "鑫", "盐酸试剂盐酸试剂盐酸", " ", "酸"]
    for text, together in zip(texts, reader.encode(texts), strict=True):
        (alone,) = reader.encode([text])
        assert together.ids.dtype == together.places.dtype == torch.int64
        assert torch.equal(together.ids, alone.ids)
        assert torch.equal(together.places, alone.places)
        assert together.ends == alone.ends


def test_a_text_of_twenty_characters_takes_less_than_a_kilobyte_even_while_it_is_read(reader: LMTokenizer) -> None:
    long = LMTokenizer(reader.tokenizer, "", 20, 64)
    long.encode(["盐酸试剂"])  # what is read once
    tracemalloc.start()
    encoded = long.encode(["盐酸试剂" * 5 for _ in range(4000)])
    kept, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept / len(encoded) < 500
    assert most / len(encoded) < 1000  # what the tokeniser records of a text takes three times that


def test_prefix_is_read_but_has_no_characters(reader: LMTokenizer) -> None:
    prefixed = LMTokenizer(reader.tokenizer, "酸: ", 8, 64)
    (text,) = prefixed.encode(["盐酸"])
    assert text.places.tolist() == [3, 4]
    assert text.ids[3:5].tolist() == reader.encode(["盐酸"])[0].ids[1:3].tolist()


def test_astral_character_counts_twice_as_it_does_for_the_student(reader: LMTokenizer) -> None:
    (text,) = reader.encode(["盐😀酸"])
    assert text.places.tolist() == [1, 2, 2, 3]
    assert len(text.places) == len(CharTokenizer(["盐"], 8).encode("盐😀酸").ids)


def test_places_by_the_characters_of_python(reader: LMTokenizer) -> None:
    (text,) = reader.encode(["盐😀 酸"])
    assert text.places_in("盐😀 酸").tolist() == [1, 2, NOWHERE, 3]
    assert reader.encode([""])[0].places_in("").tolist() == []


def test_special_tokens_at_the_ends(reader: LMTokenizer) -> None:
    known, unknown = reader.encode(["盐酸", "鑫"])
    assert known.ends == (0, 3)
    assert unknown.ends == (0, 2)


def test_clean_text_is_read_as_it_stands(reader: LMTokenizer) -> None:
    (text,) = reader.encode_clean(["盐酸试剂盐酸试剂盐酸"])
    assert len(text.places) == 10  # more than the eight that encode() would leave
    assert torch.equal(reader.encode(["盐酸 试剂"])[0].ids, reader.encode_clean(["盐酸 试剂"])[0].ids)


def test_batches_are_all_texts_from_short_to_long(reader: LMTokenizer) -> None:
    texts, told = reader.encode(["盐酸", "酸", "盐酸试剂"]), list[int]()
    batches = list(reader.batches(texts, 2, told.append))
    assert [rows for rows, _, _ in batches] == [[1, 0], [2]]
    assert torch.equal(batches[1][1][0], texts[2].ids)
    assert batches[0][2].sum(1).tolist() == [3, 4]
    assert told == [2, 3]


def test_text_beyond_the_longest_sequence_has_characters_without_a_token(reader: LMTokenizer) -> None:
    (text,) = LMTokenizer(reader.tokenizer, "", 8, 5).encode(["盐酸试剂瓶"])
    assert len(text.ids) == 5
    assert text.places.tolist() == [1, 2, 3, NOWHERE, NOWHERE]


def test_pieces_of_one_character(reader: LMTokenizer) -> None:
    (text,) = reader.encode(["盐酸"])
    assert reader.pieces("酸") == [int(text.ids[2])]
    assert reader.pieces("鑫") == [reader.tokenizer.unk_token_id]


def test_padding_is_masked(reader: LMTokenizer) -> None:
    ids, mask = reader.pad([text.ids for text in reader.encode(["盐酸", "酸"])])
    assert ids.shape == mask.shape == (2, 4)
    assert mask.tolist() == [[True] * 4, [True] * 3 + [False]]
    assert ids[1, 3] == reader.tokenizer.pad_token_id


def test_word_pieces_cover_all_their_characters(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    pieces = [("<pad>", 0.0), ("<unk>", 0.0), ("▁", -2.0), ("氧化", -1.0), ("钠", -1.0), ("氧", -3.0), ("化", -3.0)]
    inner = Tokenizer(models.Unigram(pieces, unk_id=1))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="<pad>", unk_token="<unk>")
    (text,) = LMTokenizer(tokenizer, "", 8, 16).encode(["氧化钠"])
    assert text.places.tolist() == [0, 0, 1]
    assert text.ends == (NOWHERE, NOWHERE)
