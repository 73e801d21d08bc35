"""Characters to ids and back to disk."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import BundleError, DataError
from runtime.tokenizer import FIRST_CHARACTER_ID, UNKNOWN_ID, CharTokenizer

ABC = CharTokenizer("abc", max_len=8)


def test_characters_become_ids_in_vocabulary_order() -> None:
    encoding = ABC.encode("CAB")
    assert encoding.ids.tolist() == [FIRST_CHARACTER_ID + 2, FIRST_CHARACTER_ID, FIRST_CHARACTER_ID + 1]
    assert encoding.ids.dtype == np.int32
    assert (encoding.unknown, encoding.truncated) == (0.0, False)


def test_unknown_characters_are_counted_and_astral_ones_count_twice() -> None:
    assert ABC.encode("ab?d").unknown == 0.5
    assert ABC.encode("ab\U0001f600").ids.tolist()[2:] == [UNKNOWN_ID, UNKNOWN_ID]


def test_an_empty_text_has_no_ids() -> None:
    assert ABC.encode(" \t ").ids.shape == (0,)
    assert ABC.encode("").unknown == 0.0


def test_a_long_text_keeps_three_quarters_head_and_one_quarter_tail() -> None:
    encoding = ABC.encode("aaaaaaa" + "?" * 6 + "bc")
    assert encoding.ids.tolist() == [*ABC.encode("aaaaaa").ids, *ABC.encode("bc").ids]
    assert encoding.truncated
    assert encoding.unknown == 6 / 15


def test_a_text_of_max_len_is_not_truncated() -> None:
    assert not ABC.encode("a" * 8).truncated
    assert ABC.encode("a" * 9).truncated


@given(st.text(st.characters(codec=None, exclude_categories=()), max_size=300))
def test_any_text_gives_valid_ids(text: str) -> None:
    encoding = ABC.encode(text)
    assert len(encoding.ids) <= ABC.max_len
    assert np.all((encoding.ids >= UNKNOWN_ID) & (encoding.ids < ABC.size))
    assert 0.0 <= encoding.unknown <= 1.0


def test_the_vocabulary_is_counted_on_normalised_texts() -> None:
    tokenizer = CharTokenizer.from_texts(["Ａb", "ab", "c"], max_len=8, min_count=2)
    assert tokenizer.characters == ("a", "b")


def test_surrogates_and_astral_characters_stay_out_of_the_vocabulary(tmp_path: Path) -> None:
    tokenizer = CharTokenizer.from_texts(["a\ud800\U0001f600"], max_len=8)
    assert tokenizer.characters == ("a",)
    tokenizer.save(tmp_path / "tokenizer.json")


def test_brackets_that_training_never_saw_are_read_as_those_it_saw() -> None:
    tokenizer = CharTokenizer.from_texts(["硫酸(98%)"] * 10 + ["盐酸,31%"], max_len=16)
    seen, other = tokenizer.encode("硫酸(98%)"), tokenizer.encode("硫酸【98%】")
    assert other.ids.tolist() == seen.ids.tolist()
    assert other.unknown == 0.0
    assert tokenizer.encode("盐酸、31%").unknown == pytest.approx(1 / 6), "one comma is too few to learn from"


def test_marks_that_training_saw_keep_ids_of_their_own() -> None:
    tokenizer = CharTokenizer.from_texts(["(a)(b)"] * 5 + ["【c】"], max_len=16)
    assert len(set(tokenizer.encode("(【[").ids.tolist())) == 2


def test_saving_and_loading_gives_the_same_tokeniser(tmp_path: Path) -> None:
    tokenizer = CharTokenizer.from_texts(['氢氧化钠 99% "x"'] * 5, max_len=12)
    tokenizer.save(tmp_path / "tokenizer.json")
    loaded = CharTokenizer.load(tmp_path / "tokenizer.json")
    assert (loaded.characters, loaded.max_len) == (tokenizer.characters, 12)
    assert loaded.aliases == tokenizer.aliases
    assert loaded.encode("“x”").ids.tolist() == tokenizer.encode('"x"').ids.tolist()


def test_a_tokeniser_can_be_pickled() -> None:
    tokenizer = pickle.loads(pickle.dumps(CharTokenizer("(", 8, {"[": "("})))
    assert tokenizer.encode("[").ids.tolist() == [FIRST_CHARACTER_ID]


def test_a_vocabulary_without_aliases_has_none() -> None:
    loaded = CharTokenizer.from_bytes(b'{"kind": "chars", "max_len": 8, "characters": "(a"}', "tokenizer.json")
    assert loaded.aliases == {}
    assert loaded.encode("[").ids.tolist() == [UNKNOWN_ID]


@pytest.mark.parametrize(
    ("characters", "max_len"), [("aa", 8), ("a\U0001f600", 8), ("a\ud800", 8), ("ab", 1), ("ab", 8.0), ("ab", True)]
)
def test_impossible_vocabularies_are_refused(characters: str, max_len: int) -> None:
    with pytest.raises(ValueError, match="must be"):
        CharTokenizer(characters, max_len)


@pytest.mark.parametrize(
    "aliases", [{"a": "b"}, {"?": "c"}, {"??": "a"}, {"": "a"}, {"\ud800": "a"}, {"\U0001f600": "a"}]
)
def test_impossible_aliases_are_refused(aliases: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="aliases must be"):
        CharTokenizer("ab", 8, aliases)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        b'{"kind": "words", "max_len": 8, "characters": "ab"}',
        b'{"kind": "chars", "max_len": "8", "characters": "ab"}',
        b'{"kind": "chars", "max_len": 8}',
        b'{"kind": "chars", "max_len": 8, "characters": ["ab"]}',
        json.dumps({"kind": "chars", "max_len": 8, "characters": "\ud800"}).encode(),
        b'{"kind": "chars", "max_len": 8, "characters": "ab", "aliases": ["c"]}',
        b'{"kind": "chars", "max_len": 8, "characters": "ab", "aliases": null}',
        b'{"kind": "chars", "max_len": 8, "characters": "ab", "aliases": {"c": 1}}',
        b'{"kind": "chars", "max_len": 8, "characters": "ab", "aliases": {"c": ["a"]}}',
    ],
)
def test_a_file_that_is_no_vocabulary_is_a_bundle_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content)
    with pytest.raises(BundleError, match=r"tokenizer\.json is not a character vocabulary"):
        CharTokenizer.load(path)


def test_a_missing_file_is_a_bundle_error(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="cannot read vocabulary"):
        CharTokenizer.load(tmp_path / "none.json")


def test_a_place_that_cannot_be_written_is_a_data_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot write"):
        ABC.save(tmp_path / "file" / "tokenizer.json")
