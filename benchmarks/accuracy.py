"""Accuracy of one training run beside a linear SVM on the same splits.

``python -m benchmarks.accuracy RUN [--bundle BUNDLE] [--out FILE.json]``; RUN is a run folder whose data
still lies where its recipe says. One seed is one draw: differences of a point or two are noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from distill.corpus import Corpus, Example, read_corpus
from distill.run_folder import RunFolder
from distill.training_command import SCORED
from runtime import Classifier, normalise
from runtime.command import run_command
from runtime.files import write_json

Scores = dict[str, float]

_COSTS = (0.1, 0.3, 1.0, 3.0)


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--bundle", type=click.Path(path_type=Path), help="Bundle exported from RUN, measured on the same texts.")
@click.option("--out", type=click.Path(path_type=Path), help="JSON file for the figures.")
def main(run: Path, bundle: Path | None, out: Path | None) -> None:
    """Print test accuracy and macro-F1 of RUN and of a character TF-IDF + LinearSVC."""
    folder = RunFolder(run)
    recipe = folder.recipe()
    corpus = read_corpus(recipe.data, recipe.training.seed)
    rows: dict[str, Scores] = {"TF-IDF 1-3-grams + LinearSVC": linear_svm(corpus)}
    rows |= {SCORED[name]: scores for name, scores in folder.metrics()[-1]["test"].items()}
    if bundle:
        rows["INT8 bundle"] = served(bundle, corpus.test)
    for name, scores in rows.items():
        print(f"{name:32}{scores['accuracy']:8.4f}{scores['macro_f1']:8.4f}")
    if out:
        write_json(out, _result(folder, corpus, rows))


def linear_svm(corpus: Corpus) -> Scores:
    """Train on train, choose C by dev accuracy, score test."""
    texts, labels = _columns(corpus.train)
    dev_texts, dev_labels = _columns(corpus.dev)
    models = [
        make_pipeline(TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True), LinearSVC(C=cost))
        for cost in _COSTS
    ]
    best = max(models, key=lambda model: model.fit(texts, labels).score(dev_texts, dev_labels))
    test_texts, test_labels = _columns(corpus.test)
    return _scores(test_labels, best.predict(test_texts))


def served(bundle: Path, examples: Sequence[Example]) -> Scores:
    """Score what ``Classifier`` answers, accepted or not."""
    with Classifier(bundle) as classifier:
        predictions = classifier.classify_many([example.text for example in examples])
    return _scores([example.label for example in examples], [prediction.label for prediction in predictions])


def _columns(examples: Sequence[Example]) -> tuple[list[str], list[str]]:
    return [normalise(example.text) for example in examples], [example.label for example in examples]


def _scores(labels: Sequence[str], predicted: Sequence[str]) -> Scores:
    accuracy = float(np.mean(np.array(labels) == np.array(predicted)))
    return {"accuracy": accuracy, "macro_f1": float(f1_score(labels, predicted, average="macro", zero_division=0.0))}


def _result(folder: RunFolder, corpus: Corpus, rows: dict[str, Scores]) -> dict[str, Any]:
    environment = folder.environment()
    kept = {key: environment[key] for key in ("seed", "device", "threads", "versions", "rows", "wall_s")}
    return {"data_fingerprint": corpus.fingerprint, "run": kept, "test": rows}


if __name__ == "__main__":
    run_command(main, "benchmarks.accuracy")
