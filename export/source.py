"""What export takes from a run folder, and the yardstick it gives: the trained student."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from distill.models.student import Student
from distill.runs.classes import label_ids, refuse_strange_classes
from distill.runs.run_folder import RunFolder
from distill.training.predict import student_logits
from export.parity import Comparison, LabelledTexts, Logits, check_student, compare
from runtime.backends import Backend
from runtime.errors import DataError
from runtime.text import normalise
from runtime.tokenizer import CharTokenizer, Ids


@dataclass(frozen=True, slots=True)
class Source:
    """All that is taken from a run folder.

    Attributes:
        run: the folder.
        student: the trained student.
        tokenizer: its tokeniser.
        names: the classes, in the order of the logits.
        dev: what scales, temperature and thresholds are fitted on.
        test: what every model is measured on.
        reference: logits of the student on ``test``, computed once for all the models held against them.
    """

    run: RunFolder
    student: Student
    tokenizer: CharTokenizer
    names: tuple[str, ...]
    dev: LabelledTexts
    test: LabelledTexts
    reference: Logits

    def dev_ids(self) -> list[Ids]:
        """Return the ids of the development texts, on which INT8 is calibrated."""
        return [self.tokenizer.encode(text).ids for text in self.dev.texts]

    def student_logits(self, data: LabelledTexts) -> Logits:
        """Return the logits of the trained student, by torch in fp32: what every export is held against."""
        return student_logits(self.student, self.tokenizer, data.texts)

    def backend_logits(self, backend: Backend, texts: Sequence[str]) -> Logits:
        """Return the logits ``[n, C]`` that an engine gives texts which are not blank.

        One call a text, as a device makes them.
        """
        ids = [self.tokenizer.encode(text).ids for text in texts]
        return np.concatenate([backend.run(row[np.newaxis]) for row in ids])

    def compare(self, name: str, backend: Backend) -> Comparison:
        """Hold a model against the trained student on the test set."""
        return compare(name, self.test, self.reference, self.backend_logits(backend, self.test.texts))


def read_source(path: Path) -> Source:
    """Read what export needs of a run folder.

    Raises:
        DataError: a part is missing, broken or empty, the parts do not fit each other, or the student's logits are
            no numbers.
    """
    run = RunFolder(path)
    run.recipe()
    names, tokenizer, student = run.labels(), run.tokenizer(), run.student()
    dev, test = (_labelled(run, split, names) for split in ("dev", "test"))
    sizes = student.head.out_features, student.characters.num_embeddings, student.config.max_len
    if sizes != (len(names), tokenizer.size, tokenizer.max_len):
        raise DataError(f"{path}: student, labels.json and tokenizer.json are not of one run; train again")
    on_dev, reference = (student_logits(student, tokenizer, data.texts) for data in (dev, test))
    for logits in (on_dev, reference):
        check_student(logits)
    return Source(run, student, tokenizer, names, dev, test, reference)


def _labelled(run: RunFolder, split: str, names: tuple[str, ...]) -> LabelledTexts:
    rows = [row for row in run.predictions(split) if normalise(row.text)]
    if not rows:
        raise DataError(f"{run.path / 'predictions'} has no {split} texts to measure on; train with a {split} set")
    labels = [row.label for row in rows]
    refuse_strange_classes(run, labels, names, f"{split} class")
    return LabelledTexts(tuple(row.text for row in rows), label_ids(labels, names), names)
