"""One student that learns from several finished teachers: language models, graph networks, other students.

One run, top to bottom: read labelled and unlabelled texts, make more (words of a dictionary, training texts with a
word replaced), ask all teachers about each text once, and train the student on the labels and on the mean of the
teachers' answers (Hinton, Vinyals and Dean 2015, arXiv:1503.02531, for an ensemble). The weights that are best on the
development set are kept; the test set is looked at once, at the end. Keys and defaults:
``distill/config/multi_teacher.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from distill.config.multi_teacher import MultiTeacherRecipe
from distill.models.student import Student
from distill.runs.claim import claimed
from distill.runs.environment import environment
from distill.runs.events import Event, Means, Report
from distill.runs.journal import Journal
from distill.runs.run_data import read_data
from distill.runs.run_folder import RunFolder
from distill.teachers.lessons import Lessons
from distill.training.batch_rows import epoch_rows, epoch_steps, shuffled_rows
from distill.training.device import choose_device, mixed_precision
from distill.training.epochs import Epochs
from distill.training.ids import character_ids, class_ids, hide_characters
from distill.training.imbalance import label_loss_for
from distill.training.losses import distillation_loss, mean_loss
from distill.training.taught_student import complete, judge, student_trainee
from runtime.errors import ConfigError
from runtime.tokenizer import PAD_ID, CharTokenizer


def train(
    recipe: MultiTeacherRecipe,
    out: Path,
    device: str = "auto",
    resume: bool = False,
    report: Report = lambda event: None,
) -> Event:
    """Train by ``recipe`` and leave a run folder in ``out``.

    Args:
        recipe: all keys of the run.
        out: the run folder; new or empty unless ``resume``.
        device: ``auto`` (a GPU if there is one), ``cpu`` or ``cuda``.
        resume: go on where an interrupted run of the same recipe stopped; on the same machine's CPU the
            result is that of an uninterrupted run.
        report: is told every event: texts that the teachers have read, each epoch, and the final scores.

    Returns:
        The ``final`` event: dev and test scores of the teachers together and of the student.

    Raises:
        ConfigError: ``out`` is in use, recipe or data are not those of the run to resume, a teacher learned other
            data, no such device.
        DataError: corpus, unlabelled texts or a teacher cannot be read, or ``out`` cannot be written.
    """
    if not recipe.teachers.folders:
        raise ConfigError("no teacher is named; give each folder by --teacher FOLDER")
    run = RunFolder(out)
    with claimed(run, recipe, resume):
        torch.set_num_threads(recipe.training.threads)
        training = MultiTeacher(recipe, run, choose_device(device), report)
        if resume:
            training.epochs.resume()
        training.epochs.train(training.learn, training.judge)
        return training.finish()


class MultiTeacher:
    """The state of a run, and its phases.

    Args:
        recipe: all keys of the run.
        run: where it is saved.
        device: where the networks live.
        report: is told every event.
    """

    def __init__(self, recipe: MultiTeacherRecipe, run: RunFolder, device: torch.device, report: Report) -> None:
        self.recipe, self.run, self.device, settings = recipe, run, device, recipe.training
        self.corpus = corpus = read_data(run, recipe.data, settings.seed)
        lessons = Lessons(recipe.teachers, recipe.data, corpus, settings.seed, device)
        self.teachers, self.rows = lessons.teachers, lessons.rows
        self.tokenizer = CharTokenizer.from_texts(lessons.texts, recipe.student.max_len)
        self.labelled = character_ids(lessons.labelled, self.tokenizer)
        self.others = character_ids(lessons.others, self.tokenizer)
        self.labels = class_ids(corpus.train, corpus.labels)
        self.label_loss = label_loss_for(self.labels.to(device), recipe.imbalance, settings.label_smoothing)
        self.journal = Journal(run, lessons.fingerprint, report)
        self.answers = lessons.answers(run, report)

        torch.manual_seed(settings.seed)
        self.student = Student(recipe.student, self.tokenizer.size, len(corpus.labels)).to(device)
        steps = settings.epochs * self._epoch_steps
        self.trainee = student_trainee(self.student, nn.Identity(), settings, steps)
        self.epochs = Epochs(self.journal, self.trainee, settings.epochs, settings.patience)

    def learn(self) -> dict[str, float]:
        """Train for one epoch, each step on labelled and on other texts, and return the mean losses."""
        means, settings = Means(), self.recipe.training
        self.student.train()
        steps = epoch_rows([len(ids) for ids in self.labelled], settings.batch_size, settings.epoch_steps)
        others = self._batches_of_others(len(steps))
        for rows in steps:
            parts = self._losses_of_labelled(rows)
            total = (1.0 - self.recipe.teachers.distill_weight) * parts["labels"]
            total = total + self.recipe.teachers.distill_weight * parts["answers"]
            if self.others:
                parts["others"] = self._loss_of_others(next(others))
                total = total + self.recipe.teachers.unlabelled_weight * parts["others"]
            self.trainee.step(total)
            means.add(len(rows), {"total": total, **parts})
        return means.values()

    def judge(self) -> dict[str, float]:
        """Return the scores of the student on the development set."""
        return judge(self.student, self.tokenizer, self.corpus)

    def finish(self) -> Event:
        """Score the test set, once, complete the run folder and return the ``final`` event."""
        teachers = {"teachers": self.teachers.answer}
        final = complete(self.run, self.student, self.tokenizer, self.corpus, teachers)
        self.journal.finish(final, self._environment())
        return final

    @property
    def _epoch_steps(self) -> int:
        settings = self.recipe.training
        return epoch_steps(len(self.labelled), settings.batch_size, settings.epoch_steps)

    def _batches_of_others(self, number: int) -> Iterator[list[int]]:
        """Yield ``number`` batches of rows of texts of similar length, drawn anew, and all before one comes again."""
        size, given = self.recipe.training.unlabelled_batch_size, 0
        while self.others and given < number:
            chosen = torch.randperm(len(self.others))[: size * (number - given)].tolist()
            for rows in shuffled_rows([len(self.others[row]) for row in chosen], size):
                yield [chosen[row] for row in rows]
                given += 1

    def _losses_of_labelled(self, rows: Sequence[int]) -> dict[str, Tensor]:
        labels, taught = self.labels[list(rows)].to(self.device), self.answers[list(rows)].to(self.device)
        with mixed_precision(self.device):
            logits = self._answers([self.labelled[row] for row in rows])
            return {
                "labels": mean_loss(logits, lambda own: self.label_loss(own, labels)),
                "answers": mean_loss(logits, lambda own: self._distance(own, taught)),
            }

    def _loss_of_others(self, rows: Sequence[int]) -> Tensor:
        taught = self.answers[[len(self.labelled) + row for row in rows]].to(self.device)
        with mixed_precision(self.device):
            logits = self._answers([self.others[row] for row in rows])
            return mean_loss(logits, lambda own: self._distance(own, taught))

    def _answers(self, ids: Sequence[Tensor]) -> tuple[Tensor, ...]:
        padded = pad_sequence(list(ids), batch_first=True, padding_value=PAD_ID).to(self.device)
        return self.student.answers(
            self.student.encode(hide_characters(padded, self.recipe.training.character_dropout))
        )

    def _distance(self, logits: Tensor, taught: Tensor) -> Tensor:
        return distillation_loss(logits, taught, self.recipe.teachers.temperature)

    def _environment(self) -> dict[str, Any]:
        about = environment(self.recipe.training.seed, self.device, self.corpus, self.journal.seconds)
        about["rows"] |= self.rows
        return {**about, "teachers_sha256": self.teachers.sha256}
