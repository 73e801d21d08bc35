"""What dev says about the keys of mutual distillation: ``python -m benchmarks.sweep --data NAME=PATH``.

The recipe as it is, and the recipe with one key changed, on several sets. Each run scores its test set, as every run
does; none of that is kept here or compared. A key is better than its default only where it is so over sets: what one
set likes is luck, or the set.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import click
import numpy as np

from benchmarks.accuracy import RESULTS
from benchmarks.quality.methods import FULL, data_and_seed, trained
from benchmarks.quality.scores import METRICS, Score, Scores, told
from benchmarks.quality.sweep_report import UNCHANGED, markdown
from distill.config.gate_mixup import read_gate_mixup
from distill.data.corpus import read_corpus
from distill.runs.classes import label_ids
from distill.runs.run_folder import RunFolder
from distill.training.metrics import class_scores
from runtime.command import run_command
from runtime.files import write_text

KEYS: dict[str, tuple[str, ...]] = {
    "gate_mixup.indicator": ("correct_margin", "batch_accuracy", "batch_macro_f1"),
    "gate_mixup.threshold": ("0.3", "0.7"),
    "gate_mixup.dropout": ("0.1", "0.5"),
    "gate_mixup.mixup_alpha": ("0.2", "1"),
    "gate_mixup.residual": ("sum",),
    "gate_mixup.distill_weight": ("0.3", "0.7"),
    "gate_mixup.temperature": ("2", "4"),
    "gate_mixup.representation_weight": ("0", "0.3"),
    "imbalance.class_weights": ("sqrt", "balanced"),
    "imbalance.logit_adjustment": ("0.5", "1"),
}
"""Values beside the default, one at a time."""
_LATE = 4
"""A score is the mean over the last quarter of the rounds: that of the best round is the highest of sixteen draws."""


@dataclass(frozen=True, slots=True)
class Variation:
    """The recipe with a key changed.

    Attributes:
        row: names it in the tables.
        settings: overrides of the recipe.
    """

    row: str
    settings: tuple[str, ...]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--data", "sets", multiple=True, metavar="NAME=PATH", help="A set; an empty PATH is the example set.")
@click.option("--seeds", default=1, show_default=True, type=click.IntRange(min=1), help="Seeds 0 to N - 1.")
@click.option("--key", "keys", multiple=True, type=click.Choice(list(KEYS)), help="Only this key; may be repeated.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Recipe key of all rows alike.")
@click.option("--work", type=click.Path(path_type=Path), default=Path("accuracy-work"), help="Folder for the runs.")
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS, help="Folder for sweep.json and .md.")
def command(
    sets: Sequence[str], seeds: int, keys: Sequence[str], settings: Sequence[str], work: Path, out: Path
) -> None:
    """Train each variation on every set with every seed, and write sweep.json and sweep.md: scores on dev.

    Without --data, only the table is made again. A study that was stopped goes on where it was.
    """
    scores = Scores(out / "sweep.json")
    for variation, one, seed in product(variations(keys or list(KEYS), settings), sets, range(seeds)):
        name, named, path = one.partition("=")
        if not named:
            raise click.BadParameter(f"{one}: give a set as NAME=PATH")
        data = read_gate_mixup(None, [*data_and_seed(path, seed), *variation.settings]).data
        fingerprint = read_corpus(data, seed).fingerprint[:16]
        if not scores.kept(name, variation.row, seed, fingerprint, told(variation.settings)):
            click.echo(f"... {name}, seed {seed}, {variation.row}", err=True)
            run = trained(FULL, path, seed, work, variation.settings, report=lambda _event: None)
            scores.add(score_on_dev(name, seed, variation, run))
    report = markdown(scores)
    write_text(out / "sweep.md", report)
    click.echo(report)


def variations(keys: Sequence[str], settings: Sequence[str] = ()) -> Iterator[Variation]:
    """Yield the recipe with no key changed, then each other value of each key; ``settings`` hold for all."""
    yield Variation(UNCHANGED, tuple(settings))
    for key in keys:
        for value in KEYS[key]:
            yield Variation(f"{key}={value}", (*settings, f"{key}={value}"))


def score_on_dev(name: str, seed: int, variation: Variation, run: RunFolder) -> Score:
    """Return what the student of a finished run scores on dev: late in the rounds, and by class after its best one."""
    names, rows, late = run.labels(), run.predictions("dev"), late_scores(run)
    truth = label_ids((row.label for row in rows), names)
    found = class_scores(truth, label_ids((row.predicted for row in rows), names), len(names))
    there = np.flatnonzero(found.support)
    return Score(
        name,
        variation.row,
        seed,
        late["accuracy"],
        late["macro_f1"],
        run.environment()["data_fingerprint"][:16],
        told(variation.settings),
        {names[i]: float(found.f1[i]) for i in there},
        {names[i]: int(found.support[i]) for i in there},
    )


def late_scores(run: RunFolder) -> dict[str, float]:
    """Return accuracy and macro-F1 of the student on dev, means over the last quarter of its rounds."""
    rounds = [event["dev"]["student"] for event in run.metrics() if event["event"] == "round"]
    late = rounds[-math.ceil(len(rounds) / _LATE) :]
    return {metric: float(np.mean([one[metric] for one in late])) for metric in METRICS}


if __name__ == "__main__":
    run_command(command, "python -m benchmarks.sweep")
