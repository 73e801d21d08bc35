"""What a row answered to the test texts: what it is worth, and how it is kept.

Answers are kept as class indices, a digit of base 64 for each text (two where there are more than 64 classes): enough
to draw the test texts anew, and no text is in it.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from distill.data.corpus import Corpus
from distill.training.metrics import ClassIds, accuracy, class_scores, macro_f1

_DIGITS = string.digits + string.ascii_letters + "-_"
_BASE = len(_DIGITS)


class Answered(NamedTuple):
    """Labels that a row gave the test texts.

    Attributes:
        labels: one for each test text.
        chosen: what dev chose, for the reader: ``C=3``.
    """

    labels: list[str]
    chosen: str = ""


class Indices(NamedTuple):
    """Test labels and answers as class indices ``[n]``; ``names`` are the classes, sorted."""

    truth: ClassIds
    answers: ClassIds
    names: list[str]


def indices(corpus: Corpus, answers: Sequence[str]) -> Indices:
    """Return labels and answers of the test texts as indices; a class that train does not have counts as well.

    Raises:
        ValueError: there is not one answer for each test text.
    """
    labels = [example.label for example in corpus.test]
    names = sorted({*corpus.labels, *labels})
    number = {name: index for index, name in enumerate(names)}
    pairs = [(number[label], number[answer]) for label, answer in zip(labels, answers, strict=True)]
    truth, answered = np.array(pairs, np.int64).reshape(-1, 2).T
    return Indices(truth, answered, names)


def score(corpus: Corpus, answers: Sequence[str]) -> dict[str, float]:
    """Return accuracy and macro-F1 of the answers to the test texts."""
    truth, answered, names = indices(corpus, answers)
    return {"accuracy": accuracy(truth, answered), "macro_f1": macro_f1(truth, answered, len(names))}


def by_class(corpus: Corpus, answers: Sequence[str]) -> tuple[dict[str, float], dict[str, int]]:
    """Return, for each class of the test texts, the F1 of the answers and the number of texts."""
    truth, answered, names = indices(corpus, answers)
    found = class_scores(truth, answered, len(names))
    there = [int(index) for index in np.flatnonzero(found.support)]
    return {names[i]: float(found.f1[i]) for i in there}, {names[i]: int(found.support[i]) for i in there}


def as_digits(ids: ClassIds, classes: int) -> str:
    """Return class indices as a string."""
    places = _BASE ** np.arange(_width(classes))[::-1]
    return "".join(_DIGITS[int(digit)] for digit in (ids[:, None] // places % _BASE).ravel())


def from_digits(digits: str, classes: int) -> npt.NDArray[np.int64]:
    """Return the class indices that :func:`as_digits` wrote."""
    width = _width(classes)
    numbers = (digits[start : start + width] for start in range(0, len(digits), width))
    return np.array([sum(_DIGITS.index(d) * _BASE**i for i, d in enumerate(reversed(n))) for n in numbers], np.int64)


def _width(classes: int) -> int:
    width = 1
    while _BASE**width < classes:
        width += 1
    return width
