"""Answers as class indices: what they are worth, and how they are written."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from benchmarks.quality.answers import as_digits, from_digits, indices, score
from distill.data.corpus import Corpus, Example


@pytest.mark.parametrize(("classes", "digits"), [(1, 5), (64, 5), (65, 10), (4096, 10), (4097, 15)])
def test_indices_come_back_from_their_digits(classes: int, digits: int) -> None:
    ids = np.array([0, classes - 1, classes // 2, 0, classes // 3])
    written = as_digits(ids, classes)
    assert len(written) == digits
    assert from_digits(written, classes).tolist() == ids.tolist()


def test_a_class_that_train_lacks_has_an_index_too() -> None:
    corpus = Corpus((), (), (Example("硫酸", "酸"), Example("火药", "火药")), ("碱", "酸"), {}, "")
    found = indices(corpus, ["酸", "碱"])
    assert found.names == ["火药", "碱", "酸"]
    assert (found.truth.tolist(), found.answers.tolist()) == ([2, 0], [2, 1])


def test_macro_f1_is_that_of_the_classes_that_occur() -> None:
    random = np.random.default_rng(0)
    names = tuple("甲乙丙丁戊")
    labels, answers = (random.choice(names[:4], 50).tolist() for _ in range(2))
    corpus = Corpus((), (), tuple(Example("", label) for label in labels), names, {}, "")
    assert score(corpus, answers)["macro_f1"] == pytest.approx(f1_score(labels, answers, average="macro"))
    with pytest.raises(ValueError, match="shorter"):
        score(corpus, answers[1:])
