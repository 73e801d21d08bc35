"""How right the answers are, ours and the peers', over several seeds: ``python -m benchmarks.accuracy``.

Each score is kept as soon as it is there, so that a study which was stopped goes on where it was; tables
are made from the kept scores alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import click

from benchmarks.quality.accuracy_report import markdown
from benchmarks.quality.answers import as_digits, by_class, indices, score
from benchmarks.quality.class_report import class_markdown
from benchmarks.quality.classifiers import PEERS
from benchmarks.quality.few_labels import few_labels, label_share_option, name_with
from benchmarks.quality.methods import COMPANIONS, FULL, INT8, METHODS, PARTS, SIZE_ROWS, served, trained
from benchmarks.quality.peer_rows import SETTINGS, SVM, TEXT_CNN
from benchmarks.quality.scores import Score, Scores, told
from benchmarks.quality.textcnn import text_cnn
from benchmarks.quality.tradeoff import PICTURE, read_tradeoff, tradeoff_markdown
from benchmarks.quality.tradeoff_picture import draw_tradeoff
from distill.config.sections import DataConfig
from distill.data.corpus import Corpus, read_corpus
from distill.runs.run_folder import RunFolder
from runtime.command import run_command
from runtime.files import write_text

RESULTS = Path(__file__).resolve().parent / "results"
ROWS = {**PEERS, TEXT_CNN: text_cnn}
"""Peers by the name of their row; some differ from seed to seed, others do not."""
_BY_CLASS = (INT8, SVM)
"""Rows whose scores are kept by class too."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--data", "sets", multiple=True, metavar="NAME=PATH", help="A set; an empty PATH is the example set.")
@click.option("--seeds", default=5, show_default=True, type=click.IntRange(min=1), help="Seeds 0 to N - 1.")
@click.option("--row", "rows", multiple=True, metavar="NAME", help="Only this row, peer or method.  [default: all]")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Recipe key of every method of ours.")
@label_share_option
@click.option("--sizes", is_flag=True, help="Students of other sizes too; that of 6 × 384 takes long without a GPU.")
@click.option(
    "--again", is_flag=True, help="Measure rows that are kept too; runs in the folder of --work are not trained anew."
)
@click.option("--work", type=click.Path(path_type=Path), default=Path("accuracy-work"), help="Folder for the runs.")
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS, help="Folder for accuracy.json and .md.")
@click.option(
    "--latency", type=click.Path(path_type=Path), default=RESULTS / "latency.json", help="Latencies for the picture."
)
def command(
    sets: Sequence[str],
    seeds: int,
    rows: Sequence[str],
    settings: Sequence[str],
    label_share: float,
    sizes: bool,
    again: bool,
    work: Path,
    out: Path,
    latency: Path,
) -> None:
    """Train every row on every set with every seed, score test once each, and write accuracy.json and the tables.

    Without --data, only tables and picture are made again. A set in one file is split anew for each seed. A row that is
    kept from other data or settings is refused, unless --again measures it anew.
    """
    scores = Scores(out / "accuracy.json")
    for one in sets:
        for seed in range(seeds):
            study = study_of(one, seed, label_share, work, scores, again=again)
            for row in rows or [*ROWS, *METHODS, *(SIZE_ROWS if sizes else ())]:
                if again or not study.has(row, settings):
                    click.echo(f"... {study.name}, seed {seed}, {row}", err=True)
                    study.measure(row, work, settings)
    write_report(scores, latency, out)


def write_report(scores: Scores, latency: Path, out: Path) -> None:
    """Write the tables and, where both studies have enough and matplotlib is installed, the picture; show the tables.

    Args:
        scores: all that was measured.
        latency: ``latency.json``; without it there is no picture.
        out: folder of ``accuracy.md``, ``accuracy_classes.md`` and the picture.
    """
    found = read_tradeoff(scores, latency)
    drawn = found is not None and find_spec("matplotlib") is not None
    if found and drawn:
        draw_tradeoff(found, out / PICTURE)
    report = markdown(scores) + (f"\n{tradeoff_markdown(found, drawn=drawn)}" if found else "")
    write_text(out / "accuracy_classes.md", class_markdown(scores, INT8, SVM))
    write_text(out / "accuracy.md", report)
    click.echo(report)


@dataclass(frozen=True, slots=True)
class Study:
    """One set and one seed; what is measured goes to ``scores``, ``again`` in place of what is there.

    Of ``label_share`` below 1, ``unlabelled`` are files of the texts of train whose labels were taken away.
    """

    name: str
    path: str
    seed: int
    corpus: Corpus
    scores: Scores
    again: bool = False
    label_share: float = 1.0
    unlabelled: tuple[Path, ...] = ()

    def has(self, row: str, settings: Sequence[str] = ()) -> bool:
        """Return whether the score of a row is kept, with the ``settings`` of ours that would be used now.

        Raises:
            ConfigError: it is, or one that comes with it, from other data or settings.
        """
        kept = {one: self._has(one, settings_of(one, settings)) for one in (row, *(COMPANIONS if row == FULL else ()))}
        return kept[row]

    def measure(self, row: str, work: Path, settings: Sequence[str]) -> None:
        """Train a peer or one of our methods, and score test."""
        if row in ROWS:
            answered = ROWS[row](self.corpus, self.seed)
            self.keep_answers(row, answered.labels, chosen=answered.chosen)
            return
        run = trained(row, self.path, self.seed, work, settings)
        if row in SIZE_ROWS:
            answers = served(run, self.corpus.test)
            if INT8 in answers:
                self.keep_answers(row, answers[INT8], settings)
            return
        if row == FULL:
            final = run.metrics()[-1]["test"]
            self.keep_scores({name: final[part] for part, name in PARTS.items()}, settings)
        self.keep_run(row, run, settings)
        for name, found in served(run, self.corpus.test).items() if row == FULL else ():
            self.keep_answers(name, found, settings)

    def keep_scores(self, scored: Mapping[str, Mapping[str, float]], settings: Sequence[str]) -> None:
        """Keep accuracy and macro-F1 on test of some rows whose answers are not there any more."""
        for name, values in scored.items():
            self._keep(self._score(name, values, settings))

    def keep_run(self, row: str, run: RunFolder, settings: Sequence[str]) -> None:
        """Keep what the answers that ``run`` wrote down at its end are worth."""
        self.keep_answers(row, [prediction.predicted for prediction in run.predictions("test")], settings)

    def keep_answers(self, row: str, answers: Sequence[str], settings: Sequence[str] = (), chosen: str = "") -> None:
        """Keep what the answers of a row to the test texts are worth, and the answers."""
        found = with_answers(self._score(row, score(self.corpus, answers), settings), self.corpus, answers)
        if row in _BY_CLASS:
            class_f1, class_texts = by_class(self.corpus, answers)
            found = replace(found, class_f1=class_f1, class_texts=class_texts)
        self._keep(replace(found, chosen=chosen))

    def _has(self, row: str, settings: str) -> bool:
        return self.scores.kept(self.name, row, self.seed, self.corpus.fingerprint[:16], settings)

    def _score(self, row: str, scored: Mapping[str, float], settings: Sequence[str]) -> Score:
        fingerprint, now = self.corpus.fingerprint[:16], settings_of(row, settings)
        accuracy, f1 = scored["accuracy"], scored["macro_f1"]
        return Score(self.name, row, self.seed, accuracy, f1, fingerprint, now, label_share=self.label_share)

    def _keep(self, found: Score) -> None:
        if self.again or not self._has(found.row, found.settings):
            self.scores.add(found)


def settings_of(row: str, settings: Sequence[str]) -> str:
    """Return the settings of a row: peers know nothing of those of ours."""
    return SETTINGS.get(row, "") if row in ROWS else told(settings)


def with_answers(found: Score, corpus: Corpus, answers: Sequence[str]) -> Score:
    """Return ``found`` with the answers to the test texts in it."""
    truth, answered, names = indices(corpus, answers)
    classes = len(names)
    return replace(found, classes=classes, truth=as_digits(truth, classes), answers=as_digits(answered, classes))


def study_of(named: str, seed: int, label_share: float, work: Path, scores: Scores, *, again: bool = False) -> Study:
    """Return the study of one set and seed; a set of fewer labels is drawn by the seed and written first.

    Args:
        named: ``NAME=PATH``.
        seed: of the draw, of the split of a set in one file, and of training.
        label_share: what stays of the labels of train; with 1 the set is as it is.
        work: where the set of fewer labels is written.
        scores: where scores are kept.
        again: whether rows that are kept are measured too.
    """
    name, _, path = named.partition("=")
    corpus = read_corpus(DataConfig(path=path), seed)
    if label_share == 1.0:
        return Study(name, path, seed, corpus, scores, again)
    folder = work / f"labels-{label_share:g}-{seed}-{corpus.fingerprint[:16]}"
    few = few_labels(corpus, label_share, seed, folder)
    name, corpus = name_with(name, label_share), read_corpus(DataConfig(path=str(few.data)), seed)
    return Study(name, str(few.data), seed, corpus, scores, again, label_share, (few.unlabelled,))


if __name__ == "__main__":
    run_command(command, "python -m benchmarks.accuracy")
