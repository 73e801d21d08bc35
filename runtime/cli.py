"""``gm-classify``: a bundle, and texts from the command line, from stdin or from a table."""

from __future__ import annotations

import io
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runtime.backends import CHOICES
from runtime.bundles.place import check_outside_bundles
from runtime.command import is_terminal, run_command
from runtime.errors import ConfigError, DataError, ParityError
from runtime.files import is_one_of
from runtime.folders.shards import Job
from runtime.streams import open_output
from runtime.tables.answer_file import check_out
from runtime.tables.columns import USUAL, columns_to_try, differ_in_columns
from runtime.tables.items import CHUNK, Item, table_items
from runtime.tables.output import Format, Write, answer_writer, format_of, write_answers
from runtime.tables.rows import SUFFIXES
from runtime.tables.text_files import known_codec
from runtime.version import version_option

if TYPE_CHECKING:
    from runtime.classifier import Classifier
    from runtime.folders.folder import Spread
    from runtime.prediction import Reason

_STDIN = "-"


def main() -> None:
    """Run the command line; the entry point ``gm-classify``."""
    run_command(classify, "gm-classify")


def _known_encoding(_context: click.Context, _parameter: click.Parameter, name: str) -> str:
    try:
        known_codec(name or "utf-8")
    except ConfigError as error:
        raise click.BadParameter(str(error)) from error
    return name


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("texts", nargs=-1, metavar="[TEXT...|-|FILE|FOLDER]")
@click.option(
    "--text-column",
    "--column",
    "text_column",
    default="",
    metavar="NAME",
    help="Column of FILE that holds the text; several, with commas between them, make one text.  "
    "[default: that of the training data, if FILE has it, else text]",
)
@click.option(
    "--encoding",
    default="",
    metavar="NAME",
    callback=_known_encoding,
    help="Encoding of FILE or stdin.  [default: UTF-8; FILE else GB18030]",
)
@click.option(
    "--sheet", default="", metavar="NAME", help="Sheet of a workbook; *: all that fit.  [default: the only one]"
)
@click.option("--top-k", default=1, show_default=True, type=click.IntRange(min=1), help="Best labels to show.")
@click.option("--jsonl", is_flag=True, help="Write one JSON object a text.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Write to a file, .csv, .tsv, .jsonl or .xlsx; for a FOLDER, to another folder.",
)
@click.option(
    "--backend", type=click.Choice(CHOICES), default="auto", show_default=True, help="Engine that runs the model."
)
@click.option("--threads", default=1, show_default=True, type=click.IntRange(min=1), help="Threads of one call.")
@click.option(
    "--engine",
    type=click.Choice(("local", "ray")),
    default="local",
    show_default=True,
    help="What classifies the tables of FOLDER: this process, or the workers of a Ray cluster.",
)
@click.option(
    "--ray-address", default="", metavar="ADDRESS", help="Running Ray cluster, or auto.  [default: a new one]"
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Worker processes of --engine ray.  [default: one a processor]",
)
@click.option(
    "--public-key",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PUB",
    help="Refuse a BUNDLE that the owner of this key did not sign.",
)
@click.option(
    "--max-error",
    type=click.FloatRange(0.0, 1.0, min_open=True, max_open=True),
    help="Accept only what keeps the share of wrong labels below this, with 95 % confidence.",
)
@click.option(
    "--cascade/--no-cascade",
    default=True,
    show_default=True,
    help="Let the cascade of a BUNDLE that has one answer the texts it is sure of, or the model all.",
)
@click.option("--selftest", is_flag=True, help="Replay the bundle's golden texts on this device, instead of TEXT.")
@version_option
def classify(
    bundle: Path,
    texts: tuple[str, ...],
    text_column: str,
    encoding: str,
    sheet: str,
    top_k: int,
    jsonl: bool,
    out: Path | None,
    backend: str,
    threads: int,
    engine: str,
    ray_address: str,
    workers: int | None,
    public_key: Path | None,
    max_error: float | None,
    cascade: bool,
    selftest: bool,
) -> None:
    """Classify texts with the model in BUNDLE, a folder or a .gmb file.

    Give texts as arguments, or - to read one text a line from stdin, or one FILE: .csv, .tsv, .jsonl,
    .xlsx or .parquet. Texts are answered in lines to read, a table as CSV with the columns label, score,
    accepted and reason added, unless the suffix of --out says otherwise: .csv, .tsv, .jsonl or .xlsx.
    A FOLDER of tables becomes a folder of answers, table by table; the same command once more does only
    what is not done yet.

    \b
    Examples:
      gm-classify bundle "caustic soda flakes 99 %" "polyacrylamide"
      gm-classify bundle products.xlsx --text-column product --out classified.xlsx
      gm-classify bundle products.xlsx --max-error 0.02 --out classified.csv
      cat names.txt | gm-classify bundle - --jsonl --top-k 3
      gm-classify bundle shards --engine ray --out answers
      gm-classify bundle --selftest --public-key plant.pub

    \b
    Exit codes: 0 done, 2 wrong use, 3 input or output, 4 bundle, 5 self-test failed, 6 backend.
    """
    _check_use(texts, selftest, out)
    folder = _folder(texts, out)
    _check_folder_options(folder, texts, sheet, engine, ray_address, workers)
    form = format_of(None if folder else out, jsonl, _is_table(texts))
    # Imported here: --help and wrong use are answered without onnxruntime.
    from runtime.classifier import Classifier

    with Classifier(bundle, backend, threads, public_key, max_error, cascade=cascade) as classifier:
        if selftest:
            _report_selftest(classifier, jsonl)
            return
        info = classifier.bundle
        column = _column(bundle, text_column, info.text_column, of_a_table=bool(folder) or _is_table(texts))
        best = min(top_k, len(classifier.labels))
        if folder and out:
            places = Path(os.path.abspath(folder)), Path(os.path.abspath(out))
            job = Job(*places, info.sha256, backend, max_error, cascade, column, encoding, sheet, best, jsonl)
            _answer_folder(classifier, job, _spread(engine, ray_address, workers, threads))
            return
        choices = columns_to_try(column, info.text_column)
        _answer_all(classifier, _source(texts, choices, encoding, sheet), out, form, best)


@dataclass(frozen=True, slots=True)
class _Source:
    """Texts to classify, the columns they come with, whether from a table, and how many to take at a time."""

    items: Iterator[Item]
    columns: tuple[str, ...]
    table: bool
    chunk: int


def _answer_folder(classifier: Classifier, job: Job, spread: Spread) -> None:
    from runtime.folders.folder import classify_folder

    classify_folder(classifier, job, spread)


def _answer_all(classifier: Classifier, source: _Source, out: Path | None, form: Format, top_k: int) -> None:
    rows = 0
    refused: Counter[Reason] = Counter()
    with _opened(out, form, source.columns, classifier.labels, top_k) as (write, flush):
        for chunk in _chunks(source):
            predictions = write_answers(classifier, chunk, write)
            rows += len(predictions)
            refused.update(prediction.reason for prediction in predictions if not prediction.accepted)
            flush()
    if out is not None:
        reasons = "".join(f"; {reason}: {number}" for reason, number in refused.most_common())
        click.echo(f"{out}: rows: {rows}; accepted: {rows - refused.total()}{reasons}", err=True)


@contextmanager
def _opened(
    out: Path | None, form: Format, columns: Sequence[str], labels: tuple[str, ...], top_k: int
) -> Iterator[tuple[Write, Callable[[], None]]]:
    """Yield a function that writes an answer, and one that flushes all that were written."""
    if out is not None and form is Format.XLSX:
        from runtime.tables.workbook import open_workbook

        with open_workbook(out, columns, top_k) as write:
            yield write, lambda: None  # a workbook is passed on when it is complete
        return
    with open_output(out, form.encoding) as stream:
        yield answer_writer(form, stream, columns, labels, top_k), stream.flush


def _check_use(texts: tuple[str, ...], selftest: bool, out: Path | None) -> None:
    if selftest and texts:
        raise click.UsageError("--selftest takes no TEXT; run it on its own")
    if not selftest and not texts:
        raise click.UsageError("nothing to classify; give TEXT, a FILE, or - for stdin")
    no_table = next(filter(_names_other_file, texts), None)
    if no_table is not None:
        raise click.UsageError(
            f"{no_table} is a file, but no table; pipe its lines and give -, or save it as .csv, .tsv, .jsonl or .xlsx"
        )
    alone = [text for text in texts if text == _STDIN or _names_table(text)]
    if alone and len(texts) > 1:
        raise click.UsageError(f"{alone[0]!r} must stand alone, not beside other texts or files; a folder takes many")
    _check_out(out, texts)


def _check_out(out: Path | None, texts: tuple[str, ...]) -> None:
    if out is None:
        return
    if not texts:
        raise click.UsageError(f"--out {out}: there are no texts to answer")
    check_outside_bundles("--out", out)
    if _is_table(texts) and is_one_of(out, [Path(texts[0])]):
        raise click.UsageError(f"--out {out} is the table itself; name another file, so that it stays as it is")
    if _folder(texts, out) is None:
        check_out(out)


def _column(bundle: Path, named: str, trained: str, *, of_a_table: bool) -> str:
    """Return the column to read, empty where each table decides; warn if it is not the one of the training data."""
    if of_a_table and differ_in_columns(named, trained):
        line = f"{bundle} was trained on {trained}, and --text-column names {named}: make sure that both hold the same"
        click.echo(f"gm-classify: warning: {' '.join(line.split())}", err=True)
    # Not left empty where there is no choice: receipts of older releases name the column, and stay valid.
    return named or ("" if trained else USUAL)


def _folder(texts: tuple[str, ...], out: Path | None) -> Path | None:
    """Return the folder to classify, if it is one."""
    if len(texts) != 1 or not os.path.isdir(texts[0]):
        if out is not None and out.is_dir():
            raise click.UsageError(f"--out {out} is a folder; name a file")
        return None
    if out is None or (out.exists() and not out.is_dir()):
        raise click.UsageError(
            f"{texts[0]} is a folder; name a folder for its answers with --out, or pipe it as a text"
        )
    return Path(texts[0])


def _check_folder_options(
    folder: Path | None, texts: tuple[str, ...], sheet: str, engine: str, ray_address: str, workers: int | None
) -> None:
    if sheet and folder is None and not _is_table(texts):
        raise click.UsageError(f"--sheet {sheet}: there is no workbook to read; leave it out")
    if engine == "ray" and folder is None:
        raise click.UsageError("--engine ray takes one FOLDER of tables")
    if engine != "ray" and (ray_address or workers):
        raise click.UsageError("--ray-address and --workers belong to --engine ray")


def _spread(engine: str, ray_address: str, workers: int | None, threads: int) -> Spread:
    if engine == "ray":
        from runtime.folders.ray_engine import OnRay

        return OnRay(ray_address, workers or 0, threads)
    from runtime.folders.folder import in_this_process

    return in_this_process


def _names_table(text: str) -> bool:
    return text.lower().endswith(SUFFIXES)


def _names_other_file(text: str) -> bool:
    return text != _STDIN and not _names_table(text) and os.path.exists(text) and not os.path.isdir(text)


def _is_table(texts: tuple[str, ...]) -> bool:
    return len(texts) == 1 and _names_table(texts[0])


def _source(texts: tuple[str, ...], text_columns: Sequence[str], encoding: str, sheet: str) -> _Source:
    if texts == (_STDIN,):
        # Lines are answered as they come: what writes the pipe may be waiting for the answer.
        return _Source(_stdin_items(encoding), ("text",), table=False, chunk=1)
    if _is_table(texts):
        columns, items = table_items(Path(texts[0]), text_columns, encoding, sheet)
        return _Source(items, columns, table=True, chunk=CHUNK)
    return _Source((Item(text, {"text": text}, "TEXT") for text in texts), ("text",), table=False, chunk=CHUNK)


def _stdin_items(encoding: str) -> Iterator[Item]:
    if sys.stdin is None:
        raise DataError("stdin is closed; pipe the texts into it, one a line")
    codec = known_codec(encoding or "utf-8")
    number = 0
    try:
        for number, line in enumerate(_stdin_lines(codec), 1):
            text = line.rstrip("\r\n")
            yield Item(text, {"text": text}, f"stdin, line {number}")
    except UnicodeError as error:
        name = codec.removesuffix("-sig").upper()
        hint = "name its encoding with --encoding, for example gb18030"
        raise DataError(f"stdin, after line {number}: not {name} text; {hint}") from error


def _stdin_lines(codec: str) -> Iterator[str]:
    if codec.startswith(("utf-16", "utf-32")):
        yield from io.TextIOWrapper(sys.stdin.buffer, encoding=codec, newline="\n")
        return
    for line in sys.stdin.buffer:
        yield line.decode(codec)  # line by line: one that cannot be decoded spoils no other


def _chunks(source: _Source) -> Iterator[list[Item]]:
    items = _with_progress(source.items) if source.table else source.items
    while chunk := list(islice(items, source.chunk)):
        yield chunk


def _with_progress(items: Iterator[Item]) -> Iterator[Item]:
    # Where stdout is the terminal too, the answers themselves show the progress.
    if not is_terminal(sys.stderr) or is_terminal(sys.stdout):
        yield from items
        return
    with click.progressbar(items, label="classified", show_pos=True, file=sys.stderr, update_min_steps=CHUNK) as bar:
        yield from bar


def _report_selftest(classifier: Classifier, jsonl: bool) -> None:
    report = classifier.selftest()
    if jsonl:
        click.echo(json.dumps(asdict(report)))
    else:
        click.echo(report.line)
    if not report.ok:
        raise ParityError(
            "self-test failed: this device decides otherwise than the exporting machine; try another --target"
        )
