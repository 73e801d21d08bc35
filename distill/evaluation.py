"""How good a trained student is: on the test set of its run, or on other labelled texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from distill.layout import table
from distill.metrics import ClassIds, accuracy, class_scores, confusion, macro_f1
from distill.predict import student_logits
from distill.recipe import DataConfig
from distill.run_folder import RunFolder
from runtime.errors import DataError
from runtime.tables import read_table
from runtime.text import normalise

_CONFUSIONS_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Labels and predictions side by side.

    Attributes:
        names: class names in the order of the ids.
        labels: class ids ``[n]`` of the data.
        predicted: class ids ``[n]`` of the student.
        left_out: rows without a text or a label, or with a label that the student does not know.
    """

    names: tuple[str, ...]
    labels: ClassIds
    predicted: ClassIds
    left_out: int = 0


def evaluate_test_set(run: RunFolder) -> Evaluation:
    """Return the stored predictions for the test set of the run."""
    names = run.labels()
    ids = {name: class_id for class_id, name in enumerate(names)}
    rows = run.predictions("test")
    try:
        labels, predicted = [ids[row.label] for row in rows], [ids[row.predicted] for row in rows]
    except KeyError as error:
        raise DataError(f"{run.path / 'predictions'}: class {error} is not in labels.json; train again") from error
    return Evaluation(names, np.array(labels, dtype=np.int64), np.array(predicted, dtype=np.int64))


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
    ids = {name: class_id for class_id, name in enumerate(names)}
    wanted = {config.text_column: "--text-column NAME", config.label_column: "--label-column NAME"}
    rows = read_table(path, config.encoding, wanted)
    pairs = [(row.text(config.text_column), " ".join(row.text(config.label_column).split())) for row in rows]
    # Rows without a text are none of the training data either, and no test of the student.
    known = [(text, ids[label]) for text, label in pairs if label in ids and normalise(text)]
    if not known:
        columns = "are --text-column and --label-column right?"
        raise DataError(f"{path}: no row has a text and a label that {run.path} knows; {columns}")
    logits = student_logits(run.student(), run.tokenizer(), [text for text, _ in known])
    return Evaluation(names, np.array([label for _, label in known]), logits.argmax(1), len(pairs) - len(known))


def report(evaluation: Evaluation) -> str:
    """Return accuracy, macro-F1, the scores of each class and the most frequent confusions, as text."""
    labels, predicted, names = evaluation.labels, evaluation.predicted, evaluation.names
    left_out = f" ({evaluation.left_out} more without a text or a known label)" if evaluation.left_out else ""
    parts = [
        f"{len(labels)} texts{left_out}: accuracy {accuracy(labels, predicted):.4f}, "
        f"macro-F1 {macro_f1(labels, predicted, len(names)):.4f}",
        _class_table(evaluation),
        _confusion_table(confusion(labels, predicted, len(names)), names),
    ]
    return "\n\n".join(part for part in parts if part)


def _class_table(evaluation: Evaluation) -> str:
    scores = class_scores(evaluation.labels, evaluation.predicted, len(evaluation.names))
    rows = [
        [name, f"{precision:.3f}", f"{recall:.3f}", f"{f1:.3f}", str(support)]
        for name, precision, recall, f1, support in zip(
            evaluation.names, scores.precision, scores.recall, scores.f1, scores.support, strict=True
        )
    ]
    return table(["class", "precision", "recall", "F1", "support"], rows)


def _confusion_table(counts: np.ndarray[tuple[int, ...], np.dtype[np.int64]], names: Sequence[str]) -> str:
    wrong = counts - np.diag(counts.diagonal())
    order = np.argsort(-wrong, axis=None, kind="stable")[:_CONFUSIONS_SHOWN]
    pairs = [divmod(int(place), len(names)) for place in order]
    rows = [[names[label], names[guess], str(wrong[label, guess])] for label, guess in pairs if wrong[label, guess]]
    return table(["class", "taken for", "texts"], rows) if rows else ""
