"""An evaluation as people read it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from distill.layout import first_few, table
from distill.report.evaluation import Evaluation
from distill.runs.run_folder import PredictionRow
from distill.training.metrics import Counts, accuracy, class_scores, confusion, frequent_confusions

_CONFUSIONS_SHOWN = 10
_UNKNOWN_CLASSES_NAMED = 5


def report(evaluation: Evaluation) -> str:
    """Return accuracy, macro-F1, the scores of each class and the most frequent confusions, as text.

    Between them it says what the scores hide: classes that the student does not know, and texts that it learned.
    """
    labels, predicted = evaluation.class_ids(evaluation.answers)
    left_out = f" ({evaluation.left_out} more without a text or a label)" if evaluation.left_out else ""
    first = f"{len(labels)} texts{left_out}: {_scores(evaluation, evaluation.answers)}"
    parts = [
        "\n".join(filter(None, [first, _unknown_classes(evaluation), _learned_texts(evaluation)])),
        _class_table(evaluation),
        _confusion_table(confusion(labels, predicted, len(evaluation.names)), evaluation.names),
    ]
    return "\n\n".join(filter(None, parts))


def _scores(evaluation: Evaluation, answers: Sequence[PredictionRow]) -> str:
    labels, predicted = evaluation.class_ids(answers)
    classes = len(evaluation.names)
    scores = class_scores(labels, predicted, classes)
    occur = int(scores.occurs.sum())
    mean = f" (mean over the {occur} of {classes} classes that occur as label or answer)" if occur < classes else ""
    return f"accuracy {accuracy(labels, predicted):.4f}, macro-F1 {scores.macro_f1:.4f}{mean}"


def _unknown_classes(evaluation: Evaluation) -> str:
    if not evaluation.unknown:
        return ""
    sizes = Counter(answer.label for answer in evaluation.unknown).most_common()
    named = first_few([f"{label!r} {size}" for label, size in sizes], _UNKNOWN_CLASSES_NAMED)
    number = len(evaluation.unknown)
    share = 1 - len(evaluation.mistakes) / (len(evaluation.answers) + number)
    return (
        f"{number} more texts of classes that the run does not know ({named}): "
        f"counted as wrong, they make the accuracy {share:.4f}"
    )


def _learned_texts(evaluation: Evaluation) -> str:
    if evaluation.learned is None:
        return "the data of the run are gone or changed: it cannot be told which of these texts it learned"
    total, new = len(evaluation.answers), evaluation.new
    if len(new) == total:
        return ""
    if not new:
        return "the run learned the labels of all these texts, or was chosen by them: the scores say nothing of others"
    return (
        f"the run learned the labels of {total - len(new)} of the {total} texts, or was chosen by them; "
        f"the other {len(new)}: {_scores(evaluation, new)}"
    )


def _class_table(evaluation: Evaluation) -> str:
    scores = class_scores(*evaluation.class_ids(evaluation.answers), len(evaluation.names))
    rows = [
        [name, *row, str(support)]
        for name, row, support in zip(evaluation.names, scores.as_text(), scores.support, strict=True)
    ]
    return table(["class", "precision", "recall", "F1", "support"], rows)


def _confusion_table(counts: Counts, names: Sequence[str]) -> str:
    frequent = frequent_confusions(counts, _CONFUSIONS_SHOWN)
    rows = [[names[label], names[guess], str(number)] for label, guess, number in frequent]
    return table(["class", "taken for", "texts"], rows) if rows else ""
