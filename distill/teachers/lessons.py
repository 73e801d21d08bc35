"""Texts that finished teachers are asked about, for a network that learns from them, and what they answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from distill.config.language_model import TaughtDataConfig
from distill.config.sections import FinishedTeachersConfig
from distill.data.corpus import Corpus
from distill.runs.events import Report
from distill.runs.fingerprints import fingerprint
from distill.runs.run_folder import RunFolder
from distill.teachers.answers import Teachers, cached_answers
from distill.teachers.made_texts import made_texts
from distill.unlabelled.training_texts import unlabelled_texts


class Lessons:
    """The labelled texts of a corpus, texts of the user without labels, and texts that are made.

    Args:
        asked: who is asked, and how many texts are made.
        data: names the texts without labels.
        corpus: of the network that learns.
        seed: of the texts that are made.
        device: where the teachers compute.

    Attributes:
        teachers: are asked.
        labelled: the texts of train.
        others: the texts that teachers alone label: those of the user, then those that are made.
        rows: how many of the others there are of each kind.
        texts: the labelled ones, then the others.
        fingerprint: of all that there is to learn from.

    Raises:
        ConfigError: a teacher learned other data, or jieba is not installed.
        DataError: texts or a teacher cannot be read.
    """

    def __init__(
        self, asked: FinishedTeachersConfig, data: TaughtDataConfig, corpus: Corpus, seed: int, device: torch.device
    ) -> None:
        self.teachers = Teachers(asked.folders, corpus.fingerprint, device)
        self.labelled = [example.text for example in corpus.train]

        def made(given: Sequence[str]) -> Iterator[str]:
            return made_texts([*self.labelled, *given], asked.dictionary_words, asked.replaced_words, seed)

        others = unlabelled_texts(data, corpus, made)
        self.others = [*others.given, *others.made]
        self.rows = {"unlabelled": len(others.given), "made": len(others.made)}
        self.texts = [*self.labelled, *self.others]
        self.fingerprint = fingerprint(corpus.fingerprint, self.teachers.sha256, self.texts)

    def answers(self, run: RunFolder, report: Report) -> Tensor:
        """Return the teachers' answers ``[n, C]`` to :attr:`texts`.

        Args:
            run: keeps them, beside its checkpoint, so that a resumed run need not ask again.
            report: is told how many texts the teachers have read.
        """

        def asked(done: int) -> None:
            report({"event": "teacher", "texts": done, "of": len(self.texts)})

        return cached_answers(run.checkpoint / f"teachers-{self.fingerprint[:16]}", self.teachers, self.texts, asked)
