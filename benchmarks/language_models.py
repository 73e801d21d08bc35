"""The language-model chain in the study of accuracy: ``python -m benchmarks.language_models --lm FOLDER``.

For each set and seed: fine-tune the language model, train the full method, and let both teach one student, with and
without texts that are made for it. Scores go to the files of :mod:`benchmarks.accuracy`, beside the other rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from benchmarks.accuracy import RESULTS, Study, study_of, write_report
from benchmarks.chain import Chain, TaughtBy
from benchmarks.chain_rows import (
    INT8_ROW,
    LM_INT8_ROW,
    LM_ROW,
    LM_STUDENT_ROW,
    PLAIN_ROW,
    SECOND_INT8_ROW,
    SECOND_ROW,
    SECOND_STUDENT_ROW,
    SECOND_TOGETHER_ROW,
    STUDENT_ROW,
    TOGETHER_ROW,
)
from benchmarks.few_labels import label_share_option
from benchmarks.methods import INT8, served
from benchmarks.scores import Scores
from runtime.command import run_command

_STUDENTS = {
    "both": (STUDENT_ROW, INT8_ROW),
    "lm": (LM_STUDENT_ROW, LM_INT8_ROW),
    "second": (SECOND_STUDENT_ROW, SECOND_INT8_ROW),
}
"""Rows of the student and of its bundle, by who teaches it."""
_TEACHERS = {"both": TOGETHER_ROW, "second": SECOND_TOGETHER_ROW}
"""Rows of what several teachers answer together."""
_NOTHING_MADE = ("teachers.dictionary_words=0", "teachers.replaced_words=0")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--lm", required=True, type=click.Path(path_type=Path, exists=True), help="Hugging Face encoder.")
@click.option("--data", "sets", multiple=True, required=True, metavar="NAME=PATH", help="A set; may be repeated.")
@click.option("--seeds", default=5, show_default=True, type=click.IntRange(min=1), help="Seeds 0 to N - 1.")
@click.option(
    "--unlabelled",
    type=click.Path(path_type=Path, exists=True),
    multiple=True,
    help="Texts without labels, for all who learn from teachers.",
)
@label_share_option
@click.option("--plain", is_flag=True, help="The student without made texts too.")
@click.option(
    "--taught-by",
    type=click.Choice(list(_STUDENTS)),
    default="both",
    show_default=True,
    help="Who teaches the student: language model and full method; the first alone; the latter and a second language "
    "model that both have taught.",
)
@click.option("--lm-set", "lm_settings", multiple=True, metavar="KEY=VALUE", help="Recipe key of fine-tuning.")
@click.option("--full-set", "full_settings", multiple=True, metavar="KEY=VALUE", help="Recipe key of the full method.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Recipe key of the students.")
@click.option("--work", type=click.Path(path_type=Path), default=Path("accuracy-work"), help="Folder for the runs.")
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS, help="Folder for accuracy.json and .md.")
def command(
    lm: Path,
    sets: Sequence[str],
    seeds: int,
    unlabelled: Sequence[Path],
    label_share: float,
    plain: bool,
    taught_by: TaughtBy,
    lm_settings: Sequence[str],
    full_settings: Sequence[str],
    settings: Sequence[str],
    work: Path,
    out: Path,
) -> None:
    """Train the chain on every set with every seed, score test once each, and make the tables again."""
    if full_settings and taught_by == "lm":
        raise click.UsageError(
            "--full-set is for the run of the full method, and there is none; leave out --taught-by lm"
        )
    if plain and taught_by != "both":
        raise click.UsageError("--plain compares students of both teachers; leave out --taught-by")
    scores, last = Scores(out / "accuracy.json"), _STUDENTS[taught_by][1]
    for one in sets:
        for seed in range(seeds):
            study = study_of(one, seed, label_share, work, scores)
            if not study.has(last) or (plain and not study.has(PLAIN_ROW)):
                click.echo(f"... {study.name}, seed {seed}", err=True)
                texts = [*study.unlabelled, *unlabelled]
                chain = Chain(lm, work, texts, lm_settings, settings, taught_by, full_settings)
                _measure(study, chain, plain=plain)
    write_report(scores, RESULTS / "latency.json", out)


def _measure(study: Study, chain: Chain, *, plain: bool) -> None:
    """Train the chain on one set with one seed, and keep what each of its models scores on test."""
    teacher = chain.language_model(study.path, study.seed)
    study.keep_scores({LM_ROW: teacher.metrics()[-1]["test"]["teacher"]}, chain.lm_settings)
    if chain.taught_by == "second":
        final = chain.second(study.path, study.seed).metrics()[-1]["test"]
        study.keep_scores({TOGETHER_ROW: final["teachers"], SECOND_ROW: final["teacher"]}, chain.told_of_second)
    whole, bundle = _STUDENTS[chain.taught_by]
    rows: dict[str, tuple[str, ...]] = {whole: (), **({PLAIN_ROW: _NOTHING_MADE} if plain else {})}
    for row, made in rows.items():
        student = chain.student(study.path, study.seed, made)
        final = student.metrics()[-1]["test"]
        teachers = {_TEACHERS[chain.taught_by]: final["teachers"]} if chain.taught_by in _TEACHERS else {}
        study.keep_scores({**teachers, row: final["student"]}, chain.told)
        answers = served(student, study.corpus.test) if row == whole else {}
        if INT8 in answers:
            study.keep_answers(bundle, answers[INT8], chain.told)


if __name__ == "__main__":
    run_command(command, "python -m benchmarks.language_models")
