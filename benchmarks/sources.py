"""How right the answers are on a source that training never saw: ``python -m benchmarks.sources --data FOLDER``.

A set whose rows tell where they come from can be split by that: train on all sources but one, test on that one. A plant
that brings texts of its own to a model of public ones meets the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click
import torch

from benchmarks.accuracy import ROWS, settings_of, with_answers
from benchmarks.quality.answers import Answered, by_class, score
from benchmarks.quality.chain import Chain
from benchmarks.quality.chain_rows import INT8_ROW, LM_ROW, STUDENT_ROW, TEXTS_INT8_ROW, TEXTS_ROW
from benchmarks.quality.methods import ALONE_ROW, FULL, INT8, METHODS, served, student_answers, trained
from benchmarks.quality.peer_rows import SVM
from benchmarks.quality.scores import Score, Scores, told
from benchmarks.quality.sets import as_json_lines
from benchmarks.quality.sources_report import markdown
from distill.config.sections import DataConfig
from distill.data.corpus import Corpus, Example, read_corpus
from distill.teachers.answers import Teachers
from export.options import Limits, Options
from runtime.command import run_command
from runtime.errors import DataError
from runtime.files import write_text
from runtime.tables.rows import SUFFIXES, Row, read_table
from runtime.text import normalise

RESULTS = Path(__file__).resolve().parent / "results"
STUDY = (SVM, ALONE_ROW, FULL)
"""Rows that are trained; the full method brings that of its INT8 bundle."""
_SPLITS = ("train", "dev", "test")
# Parity would be measured on the foreign texts, of which many lie between two classes and a few are a percent: what
# INT8 loses there is to show in its row, and not to end without one.
_AS_IT_IS = Options(int8=True, limits=Limits(min_agreement=0.0, max_f1_drop=1.0))


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--data", type=click.Path(path_type=Path), help="Folder with train, dev and test.")
@click.option("--column", "name", default="source", show_default=True, help="Column that names the source of a row.")
@click.option("--all-rows", is_flag=True, help="Test on every row of the source left out, not only on those of test.")
@click.option("--seeds", default=5, show_default=True, type=click.IntRange(min=1), help="Seeds 0 to N - 1.")
@click.option("--lm", type=click.Path(path_type=Path, exists=True), help="Hugging Face encoder: the student of it too.")
@click.option(
    "--unlabelled",
    type=click.Path(path_type=Path, exists=True),
    multiple=True,
    help="With --lm: texts without labels, for the student; a row of its own.",
)
@click.option("--row", "rows", multiple=True, metavar="NAME", help=f"Only this row.  [default: {'; '.join(STUDY)}]")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Recipe key of runs without --lm.")
@click.option("--work", type=click.Path(path_type=Path), default=Path("sources-work"), help="Folder for the runs.")
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS, help="Folder for sources.json and .md.")
def command(
    data: Path | None,
    name: str,
    all_rows: bool,
    seeds: int,
    lm: Path | None,
    unlabelled: Sequence[Path],
    rows: Sequence[str],
    settings: Sequence[str],
    work: Path,
    out: Path,
) -> None:
    """Leave out one source after the other, train on the rest, test on it; write sources.json and sources.md.

    Train and dev are those of the other sources, test is that of the source left out. Test texts whose class no other
    source has count as errors of every row. Without --data, only the tables are made again. A study that was stopped
    goes on where it was.
    """
    if unlabelled and not lm:
        raise click.UsageError("--unlabelled is for the student of a language model: give --lm FOLDER")
    chains = _chains(lm, work, unlabelled)
    known = [*ROWS, *METHODS, *chains]
    unknown = [row for row in rows if row not in known]
    if unknown:
        raise click.BadParameter(f"no such row: {unknown[0]}; there are {', '.join(known)}")
    scores = Scores(out / "sources.json")
    for part in leave_out(read_rows(data, name), all_rows=all_rows) if data else ():
        folder = write_part(part, work / "data")
        for seed in range(seeds):
            fingerprint = read_corpus(DataConfig(path=str(folder)), seed).fingerprint[:16]
            for row in rows or (*STUDY, *chains):
                task = Task(part, folder, row, seed)
                if not scores.kept(part.name, row, seed, fingerprint, _told(task, row, settings, chains)):
                    click.echo(f"... without {part.name}, seed {seed}, {row}", err=True)
                    measure(task, work, settings, scores, chains)
    report = markdown(scores)
    write_text(out / "sources.md", report)
    click.echo(report)


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A row of the set: its example, its source, and the split that it lies in."""

    example: Example
    source: str
    split: str


@dataclass(frozen=True, slots=True)
class Part:
    """The set with one source left out.

    Attributes:
        name: of the source, and what its rows are if not those of test alone.
        examples: by split; test is of the source, the others are not.
    """

    name: str
    examples: Mapping[str, tuple[Example, ...]]


@dataclass(frozen=True, slots=True)
class Task:
    """One training: ``row`` on ``part``, whose tables lie in ``folder``."""

    part: Part
    folder: Path
    row: str
    seed: int


def read_rows(folder: Path, name: str) -> list[SourceRow]:
    """Read the three tables of a set; rows without text, label or source are left out.

    Args:
        folder: holds one table each of train, dev and test, with columns ``text``, ``label`` and ``name``.
        name: column of the source.

    Raises:
        DataError: a table or a column is missing, or all rows are of one source.
    """
    found = [row for split in _SPLITS for row in _read_split(folder, split, name)]
    if len({row.source for row in found}) < 2:
        raise DataError(f"{folder}: column {name!r} names fewer than two sources; name another with --column")
    return found


def leave_out(rows: Sequence[SourceRow], *, all_rows: bool) -> list[Part]:
    """Return a part for each source, in the order of their first rows.

    Args:
        rows: of the whole set.
        all_rows: test on all rows of the source. A set keeps near-duplicates out of its test split only, so
            that such texts may have one in train.
    """
    return [_without(rows, source, all_rows=all_rows) for source in dict.fromkeys(row.source for row in rows)]


def write_part(part: Part, folder: Path) -> Path:
    """Write the tables of a part; return their folder, which is named after what is in them."""
    contents = {split: as_json_lines(part.examples[split]) for split in _SPLITS}
    digest = hashlib.sha256("\n".join(contents.values()).encode("utf-8")).hexdigest()[:16]
    for split, content in contents.items():
        write_text(folder / digest / f"{split}.jsonl", content)
    return folder / digest


def measure(task: Task, work: Path, settings: Sequence[str], scores: Scores, chains: Mapping[str, Chain]) -> None:
    """Train a row, have it answer every test text, and keep what it scored.

    Args:
        task: what is trained on what.
        work: keeps run folders.
        settings: overrides of the recipe of ours.
        scores: what is kept.
        chains: by row, those of language models.
    """
    known = read_corpus(DataConfig(path=str(task.folder)), task.seed)
    # Reading drops test texts whose class train does not have; here they count, as errors.
    corpus = replace(known, test=task.part.examples["test"])
    unseen = sum(example.label not in known.labels for example in corpus.test) / len(corpus.test)
    for row, answered in _answers(task, corpus, work, settings, chains).items():
        scored, (class_f1, class_texts) = score(corpus, answered.labels), by_class(corpus, answered.labels)
        found = Score(
            task.part.name,
            row,
            task.seed,
            scored["accuracy"],
            scored["macro_f1"],
            corpus.fingerprint[:16],
            _told(task, row, settings, chains),
            class_f1,
            class_texts,
            unseen,
            chosen=answered.chosen,
        )
        scores.add(with_answers(found, corpus, answered.labels))


def _told(task: Task, row: str, settings: Sequence[str], chains: Mapping[str, Chain]) -> str:
    """Return the settings of a row that comes with that of the task."""
    if task.row not in chains:
        return settings_of(row, settings)
    chain = chains[task.row]
    # The language model does not learn from the texts that its student gets.
    return told(chain.lm_settings if row == LM_ROW else chain.told)


def _chains(lm: Path | None, work: Path, unlabelled: Sequence[Path]) -> dict[str, Chain]:
    """Return by row what has a language model in it."""
    if not lm:
        return {}
    return {STUDENT_ROW: Chain(lm, work), **({TEXTS_ROW: Chain(lm, work, unlabelled)} if unlabelled else {})}


def _answers(
    task: Task, corpus: Corpus, work: Path, settings: Sequence[str], chains: Mapping[str, Chain]
) -> dict[str, Answered]:
    """Return answers by row; that of the task last, for the study takes it as the sign that all are there."""
    if task.row in ROWS:
        return {task.row: ROWS[task.row](corpus, task.seed)}
    if task.row in chains:
        return _chain_answers(task, corpus, chains[task.row])
    run = trained(task.row, str(task.folder), task.seed, work, settings)
    bundle = served(run, corpus.test, _AS_IT_IS) if task.row == FULL else {}
    return {row: Answered(labels) for row, labels in {**bundle, task.row: student_answers(run, corpus.test)}.items()}


def _chain_answers(task: Task, corpus: Corpus, chain: Chain) -> dict[str, Answered]:
    """Return the answers of the language model, of the student that it and the full method teach, and of its bundle."""
    data, texts = str(task.folder), [example.text for example in corpus.test]
    teacher, student = chain.language_model(data, task.seed), chain.student(data, task.seed)
    logits = Teachers([str(teacher.path)], corpus.fingerprint, torch.device("cpu")).answer(texts)
    bundle = served(student, corpus.test, _AS_IT_IS)
    return {
        LM_ROW: Answered([corpus.labels[winner] for winner in logits.argmax(1)]),
        TEXTS_INT8_ROW if chain.texts else INT8_ROW: Answered(bundle[INT8]),
        task.row: Answered(student_answers(student, corpus.test)),
    }


def _without(rows: Sequence[SourceRow], source: str, *, all_rows: bool) -> Part:
    examples = {
        split: tuple(row.example for row in rows if row.split == split and row.source != source)
        for split in ("train", "dev")
    }
    test = tuple(row.example for row in rows if row.source == source and (all_rows or row.split == "test"))
    if not test or not all(examples.values()):
        raise DataError(f"source {source!r}: no rows to test on, or none of the others to train on; give more rows")
    return Part(f"{source}, all rows" if all_rows else source, {**examples, "test": test})


def _read_split(folder: Path, split: str, name: str) -> list[SourceRow]:
    files = [folder / f"{split}{suffix}" for suffix in SUFFIXES if (folder / f"{split}{suffix}").is_file()]
    if len(files) != 1:
        raise DataError(f"{folder} has {len(files)} tables named {split}; there must be one")
    rows = list(read_table(files[0]))
    missing = [needed for needed in ("text", "label", name) if rows and needed not in rows[0].values]
    if missing:
        raise DataError(f"{files[0]} has no column {missing[0]!r}; needed are text, label and that of --column")
    found = (_source_row(row, name, split) for row in rows)
    return [row for row in found if row.source and row.example.label and normalise(row.example.text)]


def _source_row(row: Row, name: str, split: str) -> SourceRow:
    text, label, source = (row.values.get(key, "").strip() for key in ("text", "label", name))
    # The label as the corpus reads it, so that classes compare equal.
    return SourceRow(Example(text, " ".join(label.split())), source, split)


if __name__ == "__main__":
    run_command(command, "python -m benchmarks.sources")
