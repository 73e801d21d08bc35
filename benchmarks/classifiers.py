"""What users would pick instead: each peer is trained on train, chosen on dev, and answers test."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from benchmarks.peers import NO_BREAK_SPACE
from distill.corpus import Corpus, Example
from distill.words import WordCutter
from runtime import normalise
from runtime.files import write_text

Predict = Callable[[Corpus, int], list[str]]
"""From a corpus and a seed to the labels of its test texts."""

_COSTS = (0.1, 0.3, 1.0, 3.0)
_AUTOTUNE_SECONDS = 60


def majority(corpus: Corpus, _seed: int) -> list[str]:
    """Answer the most frequent class of train."""
    most = Counter(example.label for example in corpus.train).most_common(1)[0][0]
    return [most] * len(corpus.test)


def character_svm(corpus: Corpus, _seed: int) -> list[str]:
    """TF-IDF of character 1- to 3-grams and a linear SVM; C by dev accuracy."""
    return _svm(corpus, {"analyzer": "char", "ngram_range": (1, 3)})


def word_svm(corpus: Corpus, _seed: int) -> list[str]:
    """TF-IDF of the words that jieba cuts, and of their pairs, and a linear SVM; C by dev accuracy."""
    return _svm(corpus, {"tokenizer": WordCutter().cut, "token_pattern": None, "ngram_range": (1, 2)})


def fasttext(corpus: Corpus, seed: int) -> list[str]:
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
    return [answer[0].removeprefix("__label__").replace(NO_BREAK_SPACE, " ") for answer in answers]


PEERS: dict[str, Predict] = {
    "majority": majority,
    "TF-IDF characters + LinearSVC": character_svm,
    "TF-IDF words + LinearSVC": word_svm,
    "fastText, autotuned": fasttext,
}
"""The peers, by the name of their row."""


def _svm(corpus: Corpus, features: dict[str, Any]) -> list[str]:
    texts, labels = _columns(corpus.train)
    dev_texts, dev_labels = _columns(corpus.dev)
    models = [make_pipeline(TfidfVectorizer(sublinear_tf=True, **features), LinearSVC(C=cost)) for cost in _COSTS]
    best = max(models, key=lambda model: model.fit(texts, labels).score(dev_texts, dev_labels))
    return [str(label) for label in best.predict(_columns(corpus.test)[0])]


def _columns(examples: Sequence[Example]) -> tuple[list[str], list[str]]:
    return [normalise(example.text) for example in examples], [example.label for example in examples]


def _fasttext_line(example: Example) -> str:
    # fastText ends a label at a blank; a no-break space is none to it.
    return f"__label__{example.label.replace(' ', NO_BREAK_SPACE)} {' '.join(normalise(example.text))}\n"
