"""Which texts without labels a student learns from."""

from __future__ import annotations

from pathlib import Path

from distill.corpus import read_corpus
from distill.lm.recipe import TaughtDataConfig
from distill.unlabelled.corpus import Cleaning, clean_corpus
from distill.unlabelled.training_texts import unlabelled_texts
from tests.distill.tiny_lm import tiny_layers


def test_texts_of_the_labelled_splits_are_not_read_again(data: Path, tmp_path: Path) -> None:
    corpus = read_corpus(tiny_layers(data, data).data, 0)
    names = tmp_path / "names.txt"
    known = [split[0].text for split in (corpus.train, corpus.dev, corpus.test)]
    known += ["氯化钠", "氯化钠 ", "ＮａＣｌ", "nacl", " "]
    names.write_text("\n".join(known), encoding="utf-8")
    assert list(unlabelled_texts(TaughtDataConfig(unlabelled=(str(names),)), corpus)) == ["氯化钠", "ＮａＣｌ"]


def test_unlabelled_texts_may_be_a_cleaned_corpus(data: Path, tmp_path: Path) -> None:
    labelled = read_corpus(tiny_layers(data, data).data, 0)
    clean_corpus(["氯化钠", "氯化钾", "氯化钙"], tmp_path / "clean", Cleaning(shard_lines=2))
    config = TaughtDataConfig(unlabelled=(str(tmp_path / "clean"),))
    assert list(unlabelled_texts(config, labelled)) == ["氯化钠", "氯化钾", "氯化钙"]
