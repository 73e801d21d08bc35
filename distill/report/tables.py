"""Tables about the answers on the test set: scores by class, confusions, and the surest mistakes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from distill.layout import shortened
from distill.report.evaluation import Evaluation
from distill.report.markup import Html, data_table, element
from distill.runs.run_folder import PredictionRow
from distill.training.metrics import Counts, class_scores, confusion, frequent_confusions

MOST_CLASSES_OF_A_MATRIX = 40
"""A matrix of more classes fits on no page; then the most frequent confusions alone are shown."""
_CONFUSIONS_SHOWN = 20
_MISTAKES_SHOWN = 50
_CHARACTERS_SHOWN = 300
_RIGHT, _WRONG = (0x6A, 0xA5, 0xE0), (0xF0, 0x90, 0x4D)
_FAINTEST, _STRONGEST = 0.15, 0.9


def class_table(evaluation: Evaluation) -> Html:
    """Return precision, recall, F1 and support of each class, the smallest F1 first.

    Classes that are in no label and no answer have no scores; they come last.
    """
    scores = class_scores(*evaluation.class_ids(evaluation.answers), len(evaluation.names))
    order, cells = np.lexsort((scores.support, scores.f1, ~scores.occurs)), scores.as_text()
    rows = [[evaluation.names[i], *cells[i], str(scores.support[i])] for i in order]
    return data_table(["class", "precision", "recall", "F1", "support"], rows, "numbers")


def confusions(evaluation: Evaluation) -> Html:
    """Return which classes are taken for which: a matrix, or for many classes a list of the most frequent."""
    names = evaluation.names
    counts = confusion(*evaluation.class_ids(evaluation.answers), len(names))
    if len(names) <= MOST_CLASSES_OF_A_MATRIX:
        note = "Rows are the true classes, columns the predicted ones, by the numbers of the rows; colour is by row."
        return element("div", element("p", note), _matrix(counts, names))
    frequent = frequent_confusions(counts, _CONFUSIONS_SHOWN)
    rows = [[names[label], names[guess], str(number)] for label, guess, number in frequent]
    if not rows:
        return element("p", "No class is taken for another.")
    note = f"{len(names)} classes are too many for a matrix; these are the most frequent confusions."
    return element("div", element("p", note), data_table(["class", "taken for", "texts"], rows, "texts"))


def mistake_table(mistakes: Sequence[PredictionRow]) -> Html:
    """Return texts that were classified wrongly, the surest mistakes, in the order given."""
    rows = [
        [shortened(answer.text, _CHARACTERS_SHOWN), answer.label, answer.predicted, f"{answer.score:.3f}"]
        for answer in mistakes[:_MISTAKES_SHOWN]
    ]
    return data_table(["text", "class", "predicted", "score"], rows, "texts")


def _matrix(counts: Counts, names: Sequence[str]) -> Html:
    # Columns are headed by numbers: names, side by side over narrow cells, would overlap.
    heads = [element("th", str(number), scope="col", title=name) for number, name in enumerate(names, start=1)]
    head = element("thead", element("tr", element("th", "class", scope="col"), *heads))
    rows = [element("tr", *_matrix_row(counts[label], label, names)) for label in range(len(names))]
    return element("table", head, element("tbody", *rows), class_="matrix")


def _matrix_row(row: Counts, label: int, names: Sequence[str]) -> Iterator[Html]:
    yield element("th", f"{label + 1}: {names[label]}", scope="row")
    for guess, number in enumerate(row):
        if not number:
            yield element("td")
            continue
        colour = _colour(_RIGHT if guess == label else _WRONG, number / row.sum())
        yield element("td", str(number), style=f"background:{colour}", title=f"{names[label]} → {names[guess]}")


def _colour(full: tuple[int, int, int], share: float) -> str:
    """Return white mixed with a colour, the more of it the larger the share; black reads well on all of them."""
    weight = _FAINTEST + (_STRONGEST - _FAINTEST) * share
    return "#" + "".join(f"{round(255 - (255 - part) * weight):02x}" for part in full)
