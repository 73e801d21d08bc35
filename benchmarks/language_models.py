"""Students of finished teachers in the study of accuracy: ``python -m benchmarks.language_models --lm FOLDER``.

For each set and seed: fine-tune the language model, train the full method, and let both teach one student, with and
without texts that are made for it; or let the full method alone teach it. Scores go to the files of
:mod:`benchmarks.accuracy`, beside the other rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from benchmarks.accuracy import RESULTS, Study, study_of, write_report
from benchmarks.quality.chain import Chain, TaughtBy
from benchmarks.quality.chain_rows import (
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
    TAUGHT_INT8_ROW,
    TAUGHT_ROW,
    TOGETHER_ROW,
)
from benchmarks.quality.few_labels import label_share_option
from benchmarks.quality.methods import INT8, served
from benchmarks.quality.scores import Scores
from runtime.command import run_command

_STUDENTS = {
    "both": (STUDENT_ROW, INT8_ROW),
    "lm": (LM_STUDENT_ROW, LM_INT8_ROW),
    "second": (SECOND_STUDENT_ROW, SECOND_INT8_ROW),
    "full": (TAUGHT_ROW, TAUGHT_INT8_ROW),
}
"""Rows of the student and of its bundle, by who teaches it."""
_TEACHERS = {"both": TOGETHER_ROW, "second": SECOND_TOGETHER_ROW}
"""Rows of what several teachers answer together."""
_NOTHING_MADE = ("teachers.dictionary_words=0", "teachers.replaced_words=0")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--lm", type=click.Path(path_type=Path, exists=True), help="Hugging Face encoder.")
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
    "model that both have taught; the latter alone, without --lm.",
)
@click.option("--lm-set", "lm_settings", multiple=True, metavar="KEY=VALUE", help="Recipe key of fine-tuning.")
@click.option("--full-set", "full_settings", multiple=True, metavar="KEY=VALUE", help="Recipe key of the full method.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Recipe key of the students.")
@click.option("--work", type=click.Path(path_type=Path), default=Path("accuracy-work"), help="Folder for the runs.")
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS, help="Folder for accuracy.json and .md.")
def command(
    lm: Path | None,
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
    """Train teachers and student on every set with every seed, score test once each, and make the tables again."""
    if (lm is None) != (taught_by == "full"):
        raise click.UsageError("give --lm FOLDER, or --taught-by full, which has no language model")
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
            texts = [*study.unlabelled, *unlabelled]
            chain = Chain(lm, work, texts, lm_settings, settings, taught_by, full_settings)
            kept = {row: study.has(row, settings) for row, settings in told_by_row(chain, plain=plain).items()}
            if not kept[last] or (plain and not kept[PLAIN_ROW]):
                click.echo(f"... {study.name}, seed {seed}", err=True)
                _measure(study, chain, plain=plain)
    write_report(scores, RESULTS / "latency.json", out)


def told_by_row(chain: Chain, *, plain: bool) -> dict[str, list[str]]:
    """Return what distinguishes each row that a chain brings from the defaults.

    What a student or a second language model learns from is no affair of the teachers, which were there before.
    """
    found = {LM_ROW: [*chain.lm_settings]} if chain.lm else {}
    if chain.taught_by in _TEACHERS:
        found[TOGETHER_ROW] = chain.told_of_both
    if chain.taught_by == "second":
        found |= {SECOND_ROW: chain.told_of_second, SECOND_TOGETHER_ROW: chain.told_of_second}
    return found | {row: chain.told for row in (*_STUDENTS[chain.taught_by], *([PLAIN_ROW] if plain else []))}


def _measure(study: Study, chain: Chain, *, plain: bool) -> None:
    """Train the chain on one set with one seed, and keep what each of its models scores on test."""
    told = told_by_row(chain, plain=plain)
    if chain.lm:
        study.keep_run(LM_ROW, chain.language_model(study.path, study.seed), told[LM_ROW])
    if chain.taught_by == "second":
        second = chain.second(study.path, study.seed)
        study.keep_scores({TOGETHER_ROW: second.metrics()[-1]["test"]["teachers"]}, told[TOGETHER_ROW])
        study.keep_run(SECOND_ROW, second, told[SECOND_ROW])
    whole, bundle = _STUDENTS[chain.taught_by]
    rows: dict[str, tuple[str, ...]] = {whole: (), **({PLAIN_ROW: _NOTHING_MADE} if plain else {})}
    for row, made in rows.items():
        student = chain.student(study.path, study.seed, made)
        if chain.taught_by in _TEACHERS:
            together = _TEACHERS[chain.taught_by]
            study.keep_scores({together: student.metrics()[-1]["test"]["teachers"]}, told[together])
        study.keep_run(row, student, told[row])
        answers = served(student, study.corpus.test) if row == whole else {}
        if INT8 in answers:
            study.keep_answers(bundle, answers[INT8], told[bundle])


if __name__ == "__main__":
    run_command(command, "python -m benchmarks.language_models")
