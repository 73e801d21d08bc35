"""What recipes with finished teachers share: how the student begins, is scored on dev, and how its run ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from distill.config.language_model import LayersTrainingConfig
from distill.config.multi_teacher import MultiTeacherTrainingConfig
from distill.data.corpus import Corpus, Example
from distill.models.student import Student
from distill.runs.events import Event
from distill.runs.run_folder import RunFolder
from distill.training.ids import class_ids
from distill.training.outcome import save_outcome, score
from distill.training.predict import student_logits
from distill.training.trainee import Trainee
from runtime.tokenizer import CharTokenizer


def student_trainee(
    student: Student, projection: nn.Module, settings: LayersTrainingConfig | MultiTeacherTrainingConfig, steps: int
) -> Trainee:
    """Return the student at the beginning of its ``steps`` steps; see :meth:`.Trainee.begin_cosine`.

    Args:
        student: is to learn.
        projection: what learns with it but is no part of the result.
        settings: of its recipe.
        steps: of the run.
    """
    trainee = Trainee(student, projection, settings.gradient_clip)
    trainee.begin_cosine(settings.lr, settings.weight_decay, round(settings.warmup_share * steps), steps)
    return trainee


def judge(student: Student, tokenizer: CharTokenizer, corpus: Corpus) -> dict[str, float]:
    """Return the scores of the student on the development set."""
    return score(class_ids(corpus.dev, corpus.labels), _logits(student, tokenizer, corpus.dev))


def complete(
    run: RunFolder,
    student: Student,
    tokenizer: CharTokenizer,
    corpus: Corpus,
    teachers: Mapping[str, Callable[[Sequence[str]], Tensor]],
) -> Event:
    """Score the test set, once, write predictions and student, and return the ``final`` event.

    Args:
        run: is written to.
        student: with its best weights.
        tokenizer: of the student.
        corpus: whose dev and test are scored.
        teachers: by name, what turns texts into logits ``[n, C]`` on the CPU; they are scored as well.

    Raises:
        DataError: ``run`` cannot be written.
    """
    final: Event = {"event": "final", "dev": {}, "test": {}}
    logits: dict[str, Tensor] = {}
    for split, examples in (("dev", corpus.dev), ("test", corpus.test)):
        texts, truth = [example.text for example in examples], class_ids(examples, corpus.labels)
        logits[split] = _logits(student, tokenizer, examples)
        final[split] = {name: score(truth, answer(texts)) for name, answer in teachers.items()}
        final[split]["student"] = score(truth, logits[split])
    save_outcome(run, corpus, logits)
    run.save_tokenizer(tokenizer)
    run.save_student(student)
    return final


def _logits(student: Student, tokenizer: CharTokenizer, examples: Sequence[Example]) -> Tensor:
    student.eval()
    return torch.from_numpy(student_logits(student, tokenizer, [example.text for example in examples]))
