"""How right the answers are, ours and the peers', over several seeds: ``python -m benchmarks.accuracy``.

Each score is kept as soon as it is there, so that a study which was stopped goes on where it was; tables
are made from the kept scores alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from sklearn.metrics import f1_score

from benchmarks.accuracy_report import markdown
from benchmarks.classifiers import PEERS
from benchmarks.methods import FULL, METHODS, scores_on_test, served, trained
from benchmarks.scores import Score, Scores
from benchmarks.textcnn import text_cnn
from distill.corpus import Corpus, read_corpus
from distill.recipe import DataConfig
from runtime.command import run_command
from runtime.files import write_text

RESULTS = Path(__file__).resolve().parent / "results"
ROWS = {**PEERS, "TextCNN": text_cnn}
"""Peers by the name of their row; some differ from seed to seed, others do not."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--data", "sets", multiple=True, metavar="NAME=PATH", help="A set; an empty PATH is the example set.")
@click.option("--seeds", default=5, show_default=True, type=click.IntRange(min=1), help="Seeds 0 to N - 1.")
@click.option("--row", "rows", multiple=True, metavar="NAME", help="Only this row, peer or method.  [default: all]")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Recipe key of every method of ours.")
@click.option("--work", type=click.Path(path_type=Path), default=Path("accuracy-work"), help="Folder for the runs.")
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS, help="Folder for accuracy.json and .md.")
def command(
    sets: Sequence[str], seeds: int, rows: Sequence[str], settings: Sequence[str], work: Path, out: Path
) -> None:
    """Train every row on every set with every seed, score test once each, and write accuracy.json and accuracy.md.

    Without --data, only the tables are made again. A set in one file is split anew for each seed.
    """
    scores = Scores(out / "accuracy.json")
    for name, _, path in (one.partition("=") for one in sets):
        for seed in range(seeds):
            study = Study(name, path, seed, read_corpus(DataConfig(path=path), seed), scores)
            for row in rows or [*ROWS, *METHODS]:
                if not scores.has(name, row, seed):
                    click.echo(f"... {name}, seed {seed}, {row}", err=True)
                    study.measure(row, work, settings)
    write_text(out / "accuracy.md", markdown(scores))
    click.echo(markdown(scores))


@dataclass(frozen=True, slots=True)
class Study:
    """One set and one seed; what is measured goes to ``scores``."""

    name: str
    path: str
    seed: int
    corpus: Corpus
    scores: Scores

    def measure(self, row: str, work: Path, settings: Sequence[str]) -> None:
        """Train a peer or one of our methods, and score test."""
        if row in ROWS:
            self._keep(row, score(self.corpus, ROWS[row](self.corpus, self.seed)))
            return
        run = trained(row, self.path, self.seed, work, settings)
        for name, scored in scores_on_test(row, run).items():
            self._keep(name, scored, settings)
        for name, answers in served(run, self.corpus.test).items() if row == FULL else ():
            self._keep(name, score(self.corpus, answers), settings)

    def _keep(self, row: str, scored: Mapping[str, float], settings: Sequence[str] = ()) -> None:
        if not self.scores.has(self.name, row, self.seed):
            fingerprint, told = self.corpus.fingerprint[:16], " ".join(settings)
            self.scores.add(Score(self.name, row, self.seed, scored["accuracy"], scored["macro_f1"], fingerprint, told))


def score(corpus: Corpus, answers: Sequence[str]) -> dict[str, float]:
    """Return accuracy and macro-F1 of the answers to the test texts."""
    labels = [example.label for example in corpus.test]
    accuracy = float(np.mean([a == b for a, b in zip(labels, answers, strict=True)]))
    return {"accuracy": accuracy, "macro_f1": float(f1_score(labels, answers, average="macro", zero_division=0.0))}


if __name__ == "__main__":
    run_command(command, "python -m benchmarks.accuracy")
