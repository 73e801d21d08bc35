"""The command ``gm-distill``.

torch and its like take seconds to import: only the commands that need them do, so that ``--help`` answers
at once.
"""

from __future__ import annotations

from itertools import chain
from math import isnan
from pathlib import Path
from typing import Any

import click

from distill.commands.training_command import (
    FILE_OR_FOLDER,
    FOLDER,
    RECIPE,
    resumable,
    run_options,
    teacher_options,
    train,
    training_options,
)
from distill.layout import table
from runtime.command import run_command
from runtime.errors import ConfigError, DataError
from runtime.extras import needs_extra
from runtime.files import check_folder, is_one_of
from runtime.version import version_option

FILE = click.Path(path_type=Path, dir_okay=False)


class Range(click.FloatRange):
    """A range without nan, which click lets pass because it is neither below nor above."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401 - as in click
        """Return the number that the user gave."""
        number = float(super().convert(value, param, ctx))
        if isnan(number):
            self.fail(f"{value} is no number; give one from {self.min} to {self.max}.", param, ctx)
        return number


def main() -> None:
    """Run the command line; the entry point ``gm-distill``."""
    run_command(cli, "gm-distill")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@version_option
def cli() -> None:
    """Train small text classifiers that run on plant-floor PCs.

    \b
    Examples:
      gm-distill run                                   train on the example set of the package
      gm-distill run --data products.xlsx --text-column 品名 --label-column 类别
      gm-distill init my-plant && gm-distill run my-plant/recipe.toml --out my-plant/run
      gm-distill evaluate run
      gm-distill report run
      gm-distill finetune --lm multilingual-e5-small --data texts.csv --out teacher
      gm-distill corpus names.txt abstracts.jsonl.gz --out clean
      gm-distill pretrain clean --out lm
    """


@cli.command(short_help="Write a commented recipe and a sample of data.")
@click.argument("folder", metavar="DIR", type=FOLDER)
def init(folder: Path) -> None:
    """Write a commented recipe.toml and a small sample of data into DIR.

    \b
    Example:
      gm-distill init my-plant
    """
    with needs_extra("training", "train"):
        from distill.commands.starter import write_starter
    recipe = write_starter(folder)
    click.echo(f"wrote {recipe} and {recipe.with_name('data.tsv')}; put your own texts and labels there, then:")
    click.echo(f"  gm-distill run {recipe} --out {folder / 'run'}")


@cli.command(short_help="Clean an unlabelled corpus.")
@click.argument("sources", metavar="IN...", nargs=-1, required=True, type=FILE)
@click.option("--out", type=FOLDER, required=True, help="Folder of shards to write.")
@click.option("--text-column", metavar="NAME", default="text", show_default=True, help="Column of tables.")
@click.option("--encoding", metavar="NAME", default="", help="Encoding of the files.  [default: UTF-8, else GB18030]")
@click.option("--min-chars", type=click.IntRange(min=1), default=2, show_default=True, help="Shortest text.")
@click.option("--max-chars", type=click.IntRange(min=1), default=20_000, show_default=True, help="Longest text.")
@click.option(
    "--min-han",
    type=Range(0, 1),
    default=0.3,
    show_default=True,
    help="Least share of Chinese characters among the letters of a text; 0: any language.",
)
@click.option(
    "--near-duplicate",
    type=Range(0.7, 1),
    default=0.9,
    show_default=True,
    help="Similarity, estimated, from which the later text is left out; 1: only exact duplicates.",
)
@click.option(
    "--window",
    type=click.IntRange(min=1),
    default=1_000_000,
    show_default=True,
    help="Texts among which near-duplicates are looked for, the last ones; a million take 262 MB.",
)
@click.option(
    "--exclude",
    multiple=True,
    type=FILE,
    help="File of texts to leave out, as those of a test set, with all that are similar to one; thousands, not "
    "millions. Read as UTF-8, else in --encoding; a table without --text-column gives its column text.",
)
@click.option("--shard-lines", type=click.IntRange(min=1), default=1_000_000, show_default=True, help="Texts a shard.")
def corpus(
    sources: tuple[Path, ...], out: Path, text_column: str, encoding: str, exclude: tuple[Path, ...], **settings: float
) -> None:
    """Normalise, filter and de-duplicate texts without labels, for 'gm-distill pretrain'.

    IN is .txt (one text a line), .jsonl, .csv or .tsv, each also with .gz, or .xlsx or .parquet. The
    corpus may be larger than memory. DIR gets shard-00000.txt and so on, and report.json.

    \b
    Examples:
      gm-distill corpus names.txt abstracts.jsonl.gz --out clean
      gm-distill corpus erp/*.csv --text-column 品名 --exclude test.tsv --out clean
    """
    from distill.unlabelled.corpus import Cleaning, clean_corpus, read_further_texts, read_texts

    texts = chain.from_iterable(read_texts(path, text_column, encoding) for path in sources)
    excluded = chain.from_iterable(read_further_texts(path, text_column, encoding) for path in exclude)
    report = clean_corpus(texts, out, Cleaning(**settings), excluded)  # type: ignore[arg-type]
    dropped = [[f"dropped: {reason}", f"{number:,}"] for reason, number in report["dropped"].items()]
    rows = [["read", f"{report['read']:,}"], *dropped, ["kept", f"{report['kept']:,}"]]
    click.echo(table(["texts", "number"], rows))
    click.echo(f"\n{len(report['shards'])} shards in {out}\nnext: gm-distill pretrain {out} --out lm")


@cli.command(short_help="Pretrain a language model on unlabelled texts.")
@click.argument("sources", metavar="[CORPUS_DIR|FILE]...", nargs=-1, type=FILE_OR_FOLDER)
@click.option("--recipe", type=RECIPE, help="TOML file, or pretrain for the shipped one.  [default: the same]")
@click.option("--from", "start", type=FOLDER, help="Local Hugging Face folder to continue from.  [default: scratch]")
@run_options("Hugging Face folder", required=True)
def pretrain(
    sources: tuple[Path, ...],
    recipe: Path | None,
    start: Path | None,
    settings: tuple[str, ...],
    out: Path,
    resume: bool,
    device: str,
) -> None:
    """Train a masked language model, from scratch or continued, and leave an ordinary Hugging Face folder.

    Whole words are hidden, as jieba cuts them. Nothing is fetched from a hub.

    \b
    Examples:
      gm-distill pretrain clean --out lm
      gm-distill pretrain clean --from some-bert --set training.lr=1e-4 --set training.epochs=3 --out lm
      gm-distill pretrain --out lm --resume
      accelerate launch --num_processes 4 "$(command -v gm-distill)" pretrain clean --out lm    (4 GPUs)
    """
    with needs_extra("pretraining", "train"):
        from distill.commands.command_recipe import resolve
        from distill.config.pretraining import PretrainRecipe
        from distill.lm.pretrain_progress import PretrainingProgress
        from distill.recipes.pretrain import pretrain as train_language_model
    given = {"paths": sources, "start": start}
    resolved = resolve(lambda _: PretrainRecipe, recipe, settings, given, out if resume else None)
    with resumable(out):
        train_language_model(resolved, out, device, resume, PretrainingProgress())
    click.echo(f"language model: {out}")


@cli.command(short_help="Train a teacher and a student.")
@click.argument("recipe", required=False, type=RECIPE)
@teacher_options
@training_options("run", "Run folder")
def run(
    recipe: Path | None,
    folders: tuple[Path, ...],
    unlabelled: tuple[Path, ...],
    settings: tuple[str, ...],
    out: Path,
    resume: bool,
    device: str,
    **shortcuts: str | int | None,
) -> None:
    """Train a small student with a graph teacher, or from a language model.

    RECIPE is a TOML file as 'gm-distill init' writes it, or the name of a shipped one: in gate_mixup a graph
    teacher and the student teach each other, in lm_layers the student is built from a language model that
    'gm-distill finetune' prepared, in multi_teacher it learns from several finished folders of both kinds.
    Without RECIPE it is multi_teacher where a --teacher is named, else gate_mixup, every key at its default.

    \b
    Examples:
      gm-distill run --data texts.csv --out run
      gm-distill run recipe.toml --set training.rounds=20 --seed 1 --out run-1
      gm-distill run lm_layers --teacher teacher --data texts.csv --out run
      gm-distill run --teacher teacher --teacher mutual --unlabelled names.txt --data texts.csv --out run
      gm-distill run --out run --resume
    """
    with needs_extra("training", "train"):
        from distill.commands.command_recipe import resolve
        from distill.config.methods import recipe_class
    if unlabelled and not (folders or recipe or resume):
        raise click.UsageError("--unlabelled: somebody has to label these texts; name who by --teacher, or a recipe")
    given = {**shortcuts, "folders": folders, "unlabelled": unlabelled}
    default = Path("multi_teacher") if folders else None
    resolved = resolve(recipe_class, recipe, settings, given, out if resume else None, default)
    train(resolved, out, device, resume)


@cli.command(short_help="Fine-tune a language model on labels.")
@click.argument("recipe", required=False, type=RECIPE)
@click.option("--lm", metavar="FOLDER", help="Hugging Face folder of the language model.")
@teacher_options
@training_options("teacher", "Teacher's folder")
def finetune(
    recipe: Path | None, settings: tuple[str, ...], out: Path, resume: bool, device: str, **shortcuts: object
) -> None:
    """Fine-tune a pretrained encoder on labels, for students to be built from it.

    RECIPE is a TOML file; without one, every key has its default. Nothing is fetched from a hub. With --teacher
    it learns from the answers of finished folders too: a second language model from the first is often better.

    \b
    Examples:
      gm-distill finetune --lm multilingual-e5-small --data texts.csv --out teacher
      gm-distill finetune --lm multilingual-e5-small --set training.threads=4 --out teacher
      gm-distill finetune --lm multilingual-e5-small --teacher teacher --unlabelled more.txt --data texts.csv --out lm2
      gm-distill finetune --out teacher --resume
    """
    with needs_extra("training", "train"):
        from distill.commands.command_recipe import resolve
        from distill.config.language_model import FinetuneRecipe
    resolved = resolve(lambda _: FinetuneRecipe, recipe, settings, shortcuts, out if resume else None)
    train(resolved, out, device, resume)


@cli.command(short_help="Look at labelled texts before training.")
@click.argument("data", metavar="DATA", type=FILE_OR_FOLDER)
@click.option("--text-column", metavar="NAME", default="text", show_default=True, help="Column that holds the text.")
@click.option("--label-column", metavar="NAME", default="label", show_default=True, help="Column that holds the class.")
@click.option("--encoding", metavar="NAME", default="", help="Encoding of the files.  [default: UTF-8, else GB18030]")
@click.option(
    "--sheet", metavar="NAME", default="", help="Sheet of a workbook; *: all that fit.  [default: the only one]"
)
@click.option("--left-out", metavar="FILE.csv", type=FILE, help="CSV to write, of the rows that training leaves out.")
def audit(data: Path, left_out: Path | None, **columns: str) -> None:
    """Print what a run would learn from: splits, classes, lengths, what is left out, and near-duplicates across splits.

    DATA is a file or a folder with train, dev and test, as for gm-distill run. Nothing is trained. Where a run would
    refuse the data, the last line says why.

    \b
    Examples:
      gm-distill audit products.xlsx --text-column 品名 --label-column 类别
      gm-distill audit texts --left-out left_out.csv
    """
    with needs_extra("training", "train"):
        from distill.config.sections import DataConfig, StudentConfig
        from distill.data.audit import audit as report
        from distill.data.audit import audit_uncut
        from distill.data.corpus import cut, read_cleaned
        from distill.data.summary import LEFT_OUT, write_left_out
    if left_out is not None:
        _check_csv("--left-out", left_out, LEFT_OUT, data)
    config = DataConfig(path=str(data), **columns)
    cleaned = read_cleaned(config)
    if left_out is not None:
        write_left_out(left_out, cleaned.left_out)
    where = left_out or Path("to see them, add --left-out left_out.csv")
    try:
        corpus = cut(cleaned, config, seed=0)
    except DataError:
        click.echo(audit_uncut(cleaned, where))
        raise
    click.echo(report(corpus, config.near_duplicate, StudentConfig().max_len, where))


@cli.command(short_help="Print scores of a trained student.")
@click.argument("run_folder", metavar="RUN", type=FOLDER)
@click.option(
    "--data",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File of texts and labels.  [default: the test set of the run]",
)
@click.option("--text-column", metavar="NAME", help="Column that holds the text.  [default: that of the run]")
@click.option("--label-column", metavar="NAME", help="Column that holds the class.  [default: that of the run]")
@click.option("--encoding", metavar="NAME", help="Encoding of the file.  [default: UTF-8, else GB18030]")
@click.option("--sheet", metavar="NAME", help="Sheet of a workbook; *: all that fit.  [default: the only one]")
@click.option("--errors", metavar="FILE.csv", type=FILE, help="CSV to write, of the texts that are classified wrongly.")
def evaluate(run_folder: Path, data: Path | None, errors: Path | None, **columns: str | None) -> None:
    """Print accuracy, macro-F1, the scores of each class and the most frequent confusions.

    --errors writes the texts that are classified wrongly, the surest mistake first: among the first ones, it is
    often the label that is wrong. With --data, texts whose labels the run learned are scored apart; those that it
    learned without a label (--unlabelled) are not counted among them.

    \b
    Examples:
      gm-distill evaluate run
      gm-distill evaluate run --errors errors.csv
      gm-distill evaluate run --data last-month.csv --errors errors.csv
    """
    with needs_extra("training", "train"):
        from distill.report.evaluation import MISTAKES, evaluate_file, evaluate_test_set, write_mistakes
        from distill.report.evaluation_report import report
        from distill.runs.run_folder import RunFolder
    if errors is not None:
        _check_csv("--errors", errors, MISTAKES, data)
    if data is None and any(columns.values()):
        raise click.UsageError("--text-column, --label-column, --encoding and --sheet belong to --data")
    trained = RunFolder(run_folder)
    given = {"encoding": "", "sheet": "", **{name: value for name, value in columns.items() if value is not None}}
    config = trained.recipe().data.model_copy(update=given)
    if data and not trained.learned_file.exists():
        click.echo("reading the data of the run too, to tell the texts that it learned …", err=True)
    evaluation = evaluate_file(trained, data, config) if data else evaluate_test_set(trained)
    click.echo(report(evaluation))
    mistakes = len(evaluation.mistakes)
    if errors is not None:
        write_mistakes(evaluation, errors)
        click.echo(f"\nwrongly classified texts: {mistakes}, in {errors}")
    elif mistakes:
        click.echo(f"\nwrongly classified texts: {mistakes}; to get them, add --errors errors.csv")


@cli.command("report", short_help="Write a page about a finished run.")
@click.argument("run_folder", metavar="RUN", type=FOLDER)
@click.option("--out", metavar="FILE.html", type=FILE, help="Page to write.  [default: report.html in RUN]")
def report_page(run_folder: Path, out: Path | None) -> None:
    """Write one page of HTML about a finished run: how it learned, what it gets wrong, how far to trust its scores.

    RUN is a folder of 'gm-distill run' or 'gm-distill finetune'. The page needs no network and no other file, and can
    be printed. It shows texts of the test set.

    \b
    Examples:
      gm-distill report run
      gm-distill report run --out run-1.html
    """
    with needs_extra("training", "train"):
        from distill.report.page import is_report, write_report
        from distill.runs.run_folder import RunFolder
    page = out or run_folder / "report.html"
    if page.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"--out {page}: the page is HTML; end its name in .html")
    if out is not None:
        check_folder("--out", out)
    if page.exists() and not is_report(page):
        raise _is_another("--out", page)
    write_report(RunFolder(run_folder), page)
    click.echo(f"report: {page}")


def _check_csv(option: str, path: Path, columns: tuple[str, ...], data: Path | None) -> None:
    """Refuse, before anything takes long, a file that is not to be written: what is read, or is there and not ours."""
    from runtime.tables.rows import read_table

    if path.suffix.lower() != ".csv":
        raise ConfigError(f"{option} {path}: the file is CSV; end its name in .csv")
    check_folder(option, path)
    if data and is_one_of(path, data.iterdir() if data.is_dir() else [data]):
        raise ConfigError(f"{option} {path} is the table itself; name another file, so that it stays as it is")
    if path.exists() and read_table(path).columns != columns:
        raise _is_another(option, path)


def _is_another(option: str, path: Path) -> ConfigError:
    return ConfigError(f"{option} {path}: the file is there, and is another one; name a new one, or remove it")
