"""What users would pick instead: each peer is trained on train, chosen on dev, and answers test."""

from __future__ import annotations

import math
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.svm import LinearSVC

from benchmarks.contenders.peers import NO_BREAK_SPACE
from benchmarks.quality.answers import Answered
from benchmarks.quality.peer_rows import FASTTEXT, MAJORITY, SVM, WORD_SVM
from distill.data.corpus import Corpus, Example
from distill.data.words import WordCutter
from distill.training.metrics import accuracy, macro_f1
from runtime import normalise
from runtime.files import write_text

Predict = Callable[[Corpus, int], Answered]
"""From a corpus and a seed to the labels of its test texts."""

COSTS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""C of the SVMs that dev chooses from."""
_AUTOTUNE_SECONDS = 60


class Tried(NamedTuple):
    """A C of the SVM, and what it scores on dev."""

    cost: float
    macro_f1: float
    accuracy: float


def majority(corpus: Corpus, _seed: int) -> Answered:
    """Answer the most frequent class of train."""
    most = Counter(example.label for example in corpus.train).most_common(1)[0][0]
    return Answered([most] * len(corpus.test))


def character_svm(corpus: Corpus, _seed: int) -> Answered:
    """TF-IDF of character 1- to 3-grams and a linear SVM; C by :func:`best_cost` on dev."""
    return _svm(corpus, {"analyzer": "char", "ngram_range": (1, 3)})


def word_svm(corpus: Corpus, _seed: int) -> Answered:
    """TF-IDF of the words that jieba cuts, and of their pairs, and a linear SVM; C by :func:`best_cost` on dev."""
    return _svm(corpus, {"tokenizer": WordCutter().cut, "token_pattern": None, "ngram_range": (1, 2)})


def fasttext(corpus: Corpus, seed: int) -> Answered:
    """FastText on characters, its own autotuning on dev for a minute."""
    import fasttext as library

    with tempfile.TemporaryDirectory() as folder:
        train, dev = Path(folder) / "train.txt", Path(folder) / "dev.txt"
        for path, examples in ((train, corpus.train), (dev, corpus.dev)):
            write_text(path, "".join(map(_fasttext_line, examples)))
        model = library.train_supervised(
            str(train),
            autotuneValidationFile=str(dev),
            autotuneDuration=_AUTOTUNE_SECONDS,
            seed=seed,
            thread=1,
            verbose=0,
        )
    texts = [" ".join(normalise(example.text)) + "\n" for example in corpus.test]
    # The Python wrapper's `predict` fails with numpy 2; this is the call that it wraps.
    answers, _ = model.f.multilinePredict(texts, 1, 0.0, "strict")
    return Answered([answer[0].removeprefix("__label__").replace(NO_BREAK_SPACE, " ") for answer in answers])


def best_cost(tried: Iterable[Tried]) -> Tried:
    """Return the C with the highest macro-F1 on dev, which ours are chosen by too.

    Of those that tie, the most accurate; then that nearest to the library's own, 1, in orders of magnitude: what dev
    cannot tell apart is no reason for an extreme.
    """
    return max(tried, key=lambda one: (one.macro_f1, one.accuracy, -abs(math.log(one.cost))))


PEERS: dict[str, Predict] = {MAJORITY: majority, SVM: character_svm, WORD_SVM: word_svm, FASTTEXT: fasttext}
"""The peers, by the name of their row."""


def _svm(corpus: Corpus, features: dict[str, Any]) -> Answered:
    texts, labels = _columns(corpus.train)
    dev_texts, dev_labels = _columns(corpus.dev)
    words = TfidfVectorizer(sublinear_tf=True, **features)
    train, dev = words.fit_transform(texts), words.transform(dev_texts)
    # Its solver draws the order of the examples: without a seed two runs may differ in a text.
    models = {cost: LinearSVC(C=cost, random_state=0).fit(train, labels) for cost in COSTS}
    best = best_cost(_tried(cost, dev_labels, model.predict(dev), corpus.labels) for cost, model in models.items())
    answers = models[best.cost].predict(words.transform(_columns(corpus.test)[0]))
    return Answered([str(label) for label in answers], f"C={best.cost:g}")


def _tried(cost: float, labels: Sequence[str], answers: Sequence[str], names: Sequence[str]) -> Tried:
    number = {name: index for index, name in enumerate(names)}
    truth, answered = (np.array([number[str(name)] for name in given], np.int64) for given in (labels, answers))
    return Tried(cost, macro_f1(truth, answered, len(names)), accuracy(truth, answered))


def _columns(examples: Sequence[Example]) -> tuple[list[str], list[str]]:
    return [normalise(example.text) for example in examples], [example.label for example in examples]


def _fasttext_line(example: Example) -> str:
    # fastText ends a label at a blank; a no-break space is none to it.
    return f"__label__{example.label.replace(' ', NO_BREAK_SPACE)} {' '.join(normalise(example.text))}\n"
