"""Which texts without labels a student learns from."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import pytest

from distill.config.language_model import TaughtDataConfig
from distill.data.corpus import read_corpus
from distill.unlabelled.corpus import Cleaning, clean_corpus
from distill.unlabelled.training_texts import unlabelled_texts
from tests.distill.tiny_lm import tiny_layers


def test_texts_of_the_labelled_splits_are_not_read_again(data: Path, tmp_path: Path) -> None:
    corpus = read_corpus(tiny_layers(data, data).data, 0)
    names = tmp_path / "names.txt"
    known = [split[0].text for split in (corpus.train, corpus.dev, corpus.test)]
    known += ["氯化钠", "氯化钠 ", "ＮａＣｌ", "nacl", " "]
    names.write_text("\n".join(known), encoding="utf-8")
    assert unlabelled_texts(TaughtDataConfig(unlabelled=(str(names),)), corpus).given == ["氯化钠", "ＮａＣｌ"]


def test_unlabelled_texts_may_be_a_cleaned_corpus(data: Path, tmp_path: Path) -> None:
    labelled = read_corpus(tiny_layers(data, data).data, 0)
    clean_corpus(["氯化钠", "氯化钾", "氯化钙"], tmp_path / "clean", Cleaning(shard_lines=2))
    config = TaughtDataConfig(unlabelled=(str(tmp_path / "clean"),))
    assert unlabelled_texts(config, labelled).given == ["氯化钠", "氯化钾", "氯化钙"]


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_the_encoding_of_the_labelled_files_does_not_hide_texts_of_test(
    data: Path, tmp_path: Path, encoding: str
) -> None:
    labelled = read_corpus(tiny_layers(data, data).data, 0)
    clean_corpus(["氯化钠", "氯化钾"], tmp_path / "clean", Cleaning())
    names = tmp_path / "names.csv"
    names.write_text(f"text\n{labelled.test[0].text}\n氯化钙\n", encoding="utf-8")
    paths = (str(tmp_path / "clean"), str(names))
    config = TaughtDataConfig(unlabelled=paths, encoding=encoding, text_column="品名")
    assert unlabelled_texts(config, labelled).given == ["氯化钠", "氯化钾", "氯化钙"]


def test_near_copies_of_dev_and_test_are_left_out_and_counted(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    corpus = read_corpus(tiny_layers(data, data).data, 0)
    near = [f"{split[0].text} ({split[0].text})" for split in (corpus.train, corpus.dev, corpus.test)]
    names = tmp_path / "names.txt"
    names.write_text("\n".join([*near, "氯化钠", "氯化钠", corpus.test[0].text]), encoding="utf-8")
    config = TaughtDataConfig(unlabelled=(str(names),), near_duplicate=0.6)
    with caplog.at_level(logging.INFO, "distill"):
        assert unlabelled_texts(config, corpus).given == [near[0], "氯化钠"]  # one like train may stay
    assert caplog.messages == [
        "2 texts without labels; left out: 2 nearly texts of dev or test, 1 repeated, 1 of the labelled data "
        "(data.near_duplicate 0.6)"
    ]
    assert unlabelled_texts(config.model_copy(update={"near_duplicate": 1.0}), corpus).given == [*near, "氯化钠"]


def test_texts_are_made_of_those_of_the_user_that_stay_and_follow_them_by_the_same_rules(
    data: Path, tmp_path: Path
) -> None:
    corpus = read_corpus(tiny_layers(data, data).data, 0)
    names = tmp_path / "names.txt"
    names.write_text(f"氯化钠\n{corpus.test[0].text}\n", encoding="utf-8")

    def make(given: Sequence[str]) -> list[str]:
        return ["氯化钾", corpus.dev[0].text, *given, *(f"{text}溶液" for text in given)]

    config = TaughtDataConfig(unlabelled=(str(names),))
    assert unlabelled_texts(config, corpus, make) == (["氯化钠"], ["氯化钾", "氯化钠溶液"])
