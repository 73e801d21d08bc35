"""How good a trained student is: on the test set of its run, or on other labelled texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from distill.config.sections import DataConfig
from distill.data.corpus import labelled_rows, read_corpus
from distill.data.csv_file import write_csv
from distill.runs.classes import label_ids, refuse_strange_classes
from distill.runs.run_folder import PredictionRow, RunFolder, learned_hash, learned_hashes
from distill.training.metrics import ClassIds
from distill.training.predict import prediction_rows, student_logits
from runtime.errors import DataError, GMError
from runtime.text import normalise

MISTAKES = ("text", "label", "predicted", "score")
"""Columns of the file of mistakes."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The answers of a student beside the labels.

    Attributes:
        names: class names in the order of the ids.
        answers: about texts of these classes.
        unknown: about texts of classes that the student does not know, which are all wrong.
        left_out: rows without a text or a label.
        learned: hashes of the texts that the student learned with their labels or was chosen by; ``None`` where that
            is not known.
    """

    names: tuple[str, ...]
    answers: tuple[PredictionRow, ...]
    unknown: tuple[PredictionRow, ...] = ()
    left_out: int = 0
    learned: frozenset[int] | None = frozenset()

    @property
    def new(self) -> tuple[PredictionRow, ...]:
        """The answers about texts that were not learned."""
        return tuple(answer for answer in self.answers if learned_hash(answer.text) not in (self.learned or ()))

    @property
    def mistakes(self) -> list[PredictionRow]:
        """The wrong answers, the surest first: where the student is sure, it is often the label that is wrong."""
        wrong = [answer for answer in (*self.answers, *self.unknown) if answer.predicted != answer.label]
        return sorted(wrong, key=lambda answer: -answer.score)

    def class_ids(self, answers: Sequence[PredictionRow]) -> tuple[ClassIds, ClassIds]:
        """Return the ids of labels and of predictions, each ``[n]``, of answers about known classes."""
        labels, predicted = [answer.label for answer in answers], [answer.predicted for answer in answers]
        return label_ids(labels, self.names), label_ids(predicted, self.names)


def evaluate_test_set(run: RunFolder) -> Evaluation:
    """Return the stored predictions for the test set of the run.

    Raises:
        DataError: a part of the run folder is missing or damaged, or one does not fit the other.
    """
    names = run.labels()
    rows = run.predictions("test")
    refuse_strange_classes(run, (name for row in rows for name in (row.label, row.predicted)), names)
    return Evaluation(names, tuple(rows))


def evaluate_file(run: RunFolder, path: Path, config: DataConfig) -> Evaluation:
    """Predict the texts of a table and compare with its labels.

    Args:
        run: holds the student.
        path: the table.
        config: names the two columns and the encoding.

    Raises:
        DataError: the file cannot be read, or no row of it has a text and one of the run's labels.
    """
    names = run.labels()
    pairs = [(text, label) for _, text, label in labelled_rows(path, config)]
    # Rows without a text are none of the training data either, and no test of the student.
    whole = [(text, label) for text, label in pairs if label and normalise(text)]
    classes = {*names}
    if not any(label in classes for _, label in whole):
        columns = "are --text-column and --label-column right?"
        raise DataError(f"{path}: no row has a text and a label that {run.path} knows; {columns}")
    texts, labels = [text for text, _ in whole], [label for _, label in whole]
    answers = prediction_rows(texts, labels, student_logits(run.student(), run.tokenizer(), texts), names)
    known = tuple(answer for answer in answers if answer.label in classes)
    unknown = tuple(answer for answer in answers if answer.label not in classes)
    return Evaluation(names, known, unknown, len(pairs) - len(whole), _learned(run))


def write_mistakes(evaluation: Evaluation, path: Path) -> None:
    """Write the texts that were classified wrongly as CSV, the surest mistake first.

    Raises:
        DataError: the file cannot be written.
    """
    cells = ((answer.text, answer.label, answer.predicted, round(answer.score, 6)) for answer in evaluation.mistakes)
    write_csv(path, MISTAKES, cells)


def _learned(run: RunFolder) -> frozenset[int] | None:
    """Return the hashes of the texts that a run learned with their labels or was chosen by.

    A run of an older release kept none: its data are read, if they are still there, which takes as long as it took
    the run.
    """
    kept = run.learned()
    if kept is not None:
        return kept
    recipe = run.recipe()
    try:
        corpus = read_corpus(recipe.data, recipe.training.seed)
        known = run.environment().get("data_fingerprint")
    except GMError:
        return None
    if corpus.fingerprint != known:
        return None
    return learned_hashes(corpus.train + corpus.dev)
