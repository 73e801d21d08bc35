"""What we train for the study of accuracy: the full method, and the same with parts of it taken away."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TypeVar

import click

from benchmarks.contenders.sizes import SIZES
from distill.config.gate_mixup import read_gate_mixup
from distill.config.recipe import BaseRecipe
from distill.data.corpus import Example
from distill.recipes.gate_mixup import train
from distill.runs.events import Event, Report
from distill.runs.run_folder import RunFolder
from distill.training.predict import student_logits
from export.options import Options
from export.pipeline import export_run
from runtime import Classifier, ParityError
from runtime.bundles.bundle import Bundle
from runtime.cascade import CASCADE as CASCADE_FILE

ALONE = ("gate_mixup.distill_weight=0", "gate_mixup.representation_weight=0")
"""Nothing of what the teacher says reaches the student: labels only, for as many steps."""

ALONE_ROW = "student alone, as many steps"
FULL = "full method"
INT8 = "full method, INT8 bundle"
CASCADE = "the same with its cascade"
"""The INT8 bundle again, whose n-grams answer alone what they are sure of."""
METHODS: dict[str, tuple[str, ...]] = {
    ALONE_ROW: (*ALONE, "ablate.stage_two=true", "ablate.gate=true"),
    "plain distillation": ("ablate.stage_two=true", "ablate.gate=true"),
    "one-way Gate-Mixup": ("ablate.stage_two=true",),
    "mutual learning, no gate": ("ablate.gate=true",),
    "full method without n-grams": ("student.ngram_buckets=0",),
    FULL: (),
}
"""Recipe settings of each row."""
SIZE_ROWS = {size.row: size.settings for size in SIZES}
"""Recipe settings of the full method with students of other sizes, of which the INT8 bundle alone is scored."""
PARTS = {"teacher": "GNN teacher", "initial_student": "student after initial training"}
"""Rows that a run of the full method brings, by what its final scores call them."""
COMPANIONS = (*PARTS.values(), INT8, CASCADE)
"""All rows that come with that of the full method."""


_Recipe = TypeVar("_Recipe", bound=BaseRecipe, contravariant=True)


class _Train(Protocol[_Recipe]):
    """The main function of a recipe."""

    def __call__(self, recipe: _Recipe, out: Path, /, *, resume: bool, report: Report) -> object:
        """Train by ``recipe`` and leave a run folder in ``out``."""


def trained(
    row: str, data: str, seed: int, work: Path, settings: Sequence[str], report: Report | None = None
) -> RunFolder:
    """Train a method of :data:`METHODS` or :data:`SIZE_ROWS`, or go on with it, in a folder of ``work``.

    Args:
        row: name of the method.
        data: path of the set; empty: the example set.
        seed: of training.
        work: keeps run folders, so that a study which was stopped goes on.
        settings: further overrides of the recipe, for every method alike.
        report: is told every event; by default what is asked, and the final scores, are printed.
    """
    recipe = read_gate_mixup(None, [*data_and_seed(data, seed), *(METHODS | SIZE_ROWS)[row], *settings])
    return finished(recipe, work, train, report)


def data_and_seed(data: str, seed: int) -> list[str]:
    """Return the overrides that every recipe of a study has; no path means the example set."""
    path = str(Path(data).resolve()) if data else ""
    return [f"data.path={json.dumps(path)}", f"training.seed={seed}"]


def finished(recipe: _Recipe, work: Path, train: _Train[_Recipe], report: Report | None = None) -> RunFolder:
    """Return the folder in ``work`` of the run by ``recipe``; ``train`` makes it, or goes on with it, if need be."""
    run = RunFolder((work / run_key(recipe)).resolve())
    if not run.finished:
        train(recipe, run.path, resume=run.path.exists(), report=report or _say)
    return run


def run_key(recipe: BaseRecipe) -> str:
    """Return the name of a run's folder: 16 hexadecimal digits of the recipe's values.

    Not of its TOML, whose comments are descriptions of keys: a word changed there would train every run anew. A new key
    does.
    """
    values = json.dumps(recipe.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(values.encode("utf-8")).hexdigest()[:16]


def student_answers(run: RunFolder, examples: Sequence[Example]) -> list[str]:
    """Return what the trained student answers, before any export."""
    names, texts = run.labels(), [example.text for example in examples]
    return [names[winner] for winner in student_logits(run.student(), run.tokenizer(), texts).argmax(1)]


def served(run: RunFolder, examples: Sequence[Example], options: Options | None = None) -> dict[str, list[str]]:
    """Export ``run`` as INT8 and return by row what ``Classifier`` answers, accepted or not.

    There is no row if export refuses, and none for a cascade that would have cost accuracy.

    Args:
        run: the run folder, which gets the bundle, unless it has one.
        examples: to answer.
        options: of the export; by default with a cascade, where the student has what it needs.
    """
    bundle, texts = run.path / "bundle", [example.text for example in examples]
    try:
        if not bundle.exists():
            usual = Options(int8=True, cascade=run.student().config.ngram_buckets > 0)
            export_run(run.path, bundle, options or usual)
    except ParityError as error:
        click.echo(f"... no bundle: {error}", err=True)
        return {}
    answers = {INT8: _labels(bundle, texts, cascade=False)}
    if CASCADE_FILE in Bundle.open(bundle).manifest.files:
        answers[CASCADE] = _labels(bundle, texts, cascade=True)
    return answers


def _labels(bundle: Path, texts: Sequence[str], *, cascade: bool) -> list[str]:
    with Classifier(bundle, cascade=cascade) as classifier:
        return [prediction.label for prediction in classifier.classify_many(texts)]


def _say(event: Event) -> None:
    if event["event"] == "teacher":
        click.echo(f"... asked about {event['texts']} of {event['of']} texts", err=True)
    if event["event"] == "final":
        click.echo(f"... trained: {event.get('test') or event['held_out']}", err=True)
