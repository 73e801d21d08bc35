"""The accuracy table: the peer is trained on train, chosen by dev, scored on test."""

import pytest

from benchmarks.accuracy import linear_svm
from distill.corpus import Corpus, Example


def corpus(test_label: str) -> Corpus:
    train = tuple(Example(f"{name}{number}", name) for name in ("硫酸", "聚乙烯") for number in range(8))
    dev = (Example("硫酸一", "硫酸"), Example("聚乙烯一", "聚乙烯"))
    test = (Example("浓硫酸", "硫酸"), Example("聚乙烯粒", test_label))
    return Corpus(train, dev, test, ("硫酸", "聚乙烯"), {}, "")


def test_svm_reads_characters() -> None:
    assert linear_svm(corpus("聚乙烯")) == {"accuracy": 1.0, "macro_f1": 1.0}


def test_scores_are_those_of_the_test_set() -> None:
    scores = linear_svm(corpus("硫酸"))
    assert scores["accuracy"] == pytest.approx(0.5)
    assert scores["macro_f1"] == pytest.approx(1 / 3)
