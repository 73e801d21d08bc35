"""One ``gm-classify`` process and a very long table: its time, its memory, and whether a row is lost or moved.

``python -m benchmarks.bulk BUNDLE [--texts FILE ...] [--count 1000000] [--peer-texts 10000] [--out FILE.json]``;
FILE is a table with a column ``text``. The texts are repeated in turn until the table has its rows. The peer is
optimum's INT8 pipeline: it labels the first texts of the same table, the time to load it not counted, whereas that of
``gm-classify`` counts from the start of its interpreter.
"""

from __future__ import annotations

import csv
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, cycle, islice
from pathlib import Path
from time import perf_counter

import click

from benchmarks.contenders import lineup
from benchmarks.contenders.contender import Absent, Entry
from benchmarks.contenders.peer_models import Task
from benchmarks.contenders.texts import example_rows
from benchmarks.machine.facts import machine_facts
from benchmarks.machine.surroundings import surround
from benchmarks.speed.processes import environment, last_line, trial
from benchmarks.speed.timing import throughput
from distill.layout import table
from runtime.bundles.bundle import Bundle
from runtime.command import run_command
from runtime.errors import DataError, GMError
from runtime.files import write_json
from runtime.tables.rows import read_table

_CHUNK = 2_000
_WARM_TEXTS = 200
_HEADER = ("", "texts", "wall s", "CPU s", "texts per CPU-second", "peak RSS MB")
# The command's own entry point, and behind it what only the process itself can tell about its memory.
_COMMAND = """
from time import process_time
from benchmarks.speed.child import peak_rss
from runtime.cli import main
try:
    main()
finally:
    print(process_time(), peak_rss())
"""


@dataclass(frozen=True, slots=True)
class Bulk:
    """What one process took for a whole table.

    Attributes:
        count: rows of the table.
        wall_s: seconds of the clock on the wall, from starting the process to its end.
        cpu_s: CPU seconds, user and system, of all its threads, imports included.
        texts_per_cpu_s: rows per CPU-second.
        peak_rss_mb: its largest resident memory in MB (10^6 bytes); 0 where the system does not tell.
    """

    count: int
    wall_s: float
    cpu_s: float
    texts_per_cpu_s: float
    peak_rss_mb: float


@dataclass(frozen=True, slots=True)
class Peer:
    """What the peer did in one process that was loaded before.

    Attributes:
        name: as the tables show it.
        texts: it was given.
        texts_per_cpu_s: texts per CPU-second, the median chunk.
    """

    name: str
    texts: int
    texts_per_cpu_s: float


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--texts",
    "files",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="Table with a column text; may be given many times.  [default: the example set]",
)
@click.option("--count", default=1_000_000, show_default=True, type=click.IntRange(min=1), help="Rows of the table.")
@click.option("--peer-texts", default=10_000, show_default=True, type=click.IntRange(min=1), help="Texts for the peer.")
@click.option("--out", type=click.Path(path_type=Path), help="JSON file for the figures.")
def main(bundle: Path, files: Sequence[Path], count: int, peer_texts: int, out: Path | None) -> None:
    """Give gm-classify one long table, compare its answers with it row by row, and print what that took."""
    facts = machine_facts()
    texts = read_texts(files, count)
    bulk = measure(bundle, texts, count)
    # Only now: gm-classify is to run as a user starts it, without the settings that hold the peer to one thread.
    surround()
    with tempfile.TemporaryDirectory(prefix="bulk-peer-") as folder:
        entries = lineup.peers(Path(folder), quick=True)
        entry = next(entry for entry in entries if entry.name == lineup.OPTIMUM_INT8)
        peer = measure_peer(entry, Bundle.open(bundle), list(islice(cycle(texts), peer_texts)), Path(folder))
    print(report(bulk, peer))
    if out:
        write_json(out, {"machine": facts, "distinct_texts": len(set(texts)), **to_json(bulk, peer)})


def read_texts(files: Sequence[Path], most: int) -> list[str]:
    """Return the first ``most`` texts of the tables, or of the example set where there are none; no blank ones.

    Raises:
        DataError: a table cannot be read or has no column ``text``, or there is no text in any.
        ConfigError: the package that reads a table's format is not installed.
    """
    if not files:
        return example_rows()[0][:most]
    rows = chain.from_iterable(read_table(path, wanted={"text": "--texts"}) for path in files)
    texts = list(islice((row.values["text"] for row in rows if row.values["text"].strip()), most))
    if not texts:
        raise DataError(f"no text in {', '.join(map(str, files))}; name a table whose column text is filled")
    return texts


def measure(bundle: Path, texts: Sequence[str], count: int) -> Bulk:
    """Let ``gm-classify`` answer a table of ``count`` rows, with ``texts`` in turn, and check the answers.

    Raises:
        GMError: the command failed.
        DataError: the answers are not the rows of the table in their order.
    """
    with tempfile.TemporaryDirectory(prefix="bulk-") as folder:
        source, answers = Path(folder, "table.csv"), Path(folder, "answers.csv")
        write_table(source, islice(cycle(texts), count))
        bulk = classify_table(bundle, source, answers, count)
        check_order(answers, islice(cycle(texts), count))
    return bulk


def write_table(path: Path, texts: Iterable[str]) -> None:
    """Write a CSV table with the columns ``row``, which counts from 1, and ``text``, one row after another."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(("row", "text"))
        rows.writerows(enumerate(texts, 1))


def classify_table(bundle: Path, source: Path, answers: Path, count: int) -> Bulk:
    """Run ``gm-classify`` on a table of ``count`` rows, in a fresh interpreter with this process's CPUs.

    Raises:
        GMError: it ended with an error, whose line the message repeats.
    """
    command = [sys.executable, "-c", _COMMAND, str(bundle), str(source), "--out", str(answers)]
    with tempfile.TemporaryFile() as log:
        start = perf_counter()
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, env=environment(), check=False
        )
        wall = perf_counter() - start
        if done.returncode != 0:
            raise GMError(f"gm-classify ended with {done.returncode}: {last_line(log)}")
    cpu, peak = map(float, done.stdout.split())
    return Bulk(count, round(wall, 2), round(cpu, 2), round(count / cpu, 1), round(peak / 1e6, 1))


def check_order(answers: Path, texts: Iterable[str]) -> None:
    """Compare number and text of each answered row with those that the table had.

    Raises:
        DataError: a row is missing, moved, changed or too many; the message says which is the first.
    """
    rows = read_table(answers)
    number = 0
    for number, text in enumerate(texts, 1):
        row = next(rows, None)
        if row is None:
            raise DataError(f"the answers end before row {number}, {text!r}")
        found = row.values.get("row", ""), row.values.get("text", "")
        if found != (str(number), text):
            raise DataError(
                f"line {row.line} of the answers: row {found[0]}, {found[1]!r}, where row {number}, {text!r} belongs"
            )
    extra = next(rows, None)
    if extra is not None:
        raise DataError(f"line {extra.line} of the answers: a row more than the {number} of the table")


def measure_peer(entry: Entry, bundle: Bundle, texts: Sequence[str], folder: Path) -> Peer | Absent:
    """Make the peer's model in ``folder`` for the bundle's labels, vocabulary and length, and let it label ``texts``.

    A last chunk of fewer than 2,000 texts is not timed, unless it is the only one.
    """
    Task.of(bundle, *example_rows()).save(folder)
    ready, missing = lineup.ready([entry], folder)
    able, broken = trial(ready, texts[0])
    if not able:
        return [*missing, *broken][0]
    contender = entry.open()
    contender.labels(texts[:_WARM_TEXTS])
    rates = throughput({entry.name: contender}, texts, min(_CHUNK, len(texts)))
    return Peer(entry.name, len(texts), rates[entry.name])


def to_json(bulk: Bulk, peer: Peer | Absent) -> dict[str, object]:
    """Return the figures of a run whose rows were in order; ``ratio`` is ours to the peer's, null without a peer."""
    return {**asdict(bulk), "rows_in_order": True, "peer": asdict(peer), "ratio": _ratio(bulk, peer)}


def report(bulk: Bulk, peer: Peer | Absent) -> str:
    """Return the figures as a table for the terminal, and what follows from them as a line each."""
    figures = (bulk.wall_s, bulk.cpu_s, bulk.texts_per_cpu_s, bulk.peak_rss_mb)
    rows = [["gm-classify", f"{bulk.count:,}", *(f"{figure:,}" for figure in figures)]]
    if isinstance(peer, Absent):
        last = f"{peer.name}: {peer.reason}"
    else:
        rows.append([peer.name, f"{peer.texts:,}", "", "", f"{peer.texts_per_cpu_s:,}", ""])
        last = f"ratio: {_ratio(bulk, peer)}"
    return f"{table(_HEADER, rows)}\nall {bulk.count:,} rows are answered, in the order of the table\n{last}"


def _ratio(bulk: Bulk, peer: Peer | Absent) -> float | None:
    return None if isinstance(peer, Absent) else round(bulk.texts_per_cpu_s / peer.texts_per_cpu_s, 2)


if __name__ == "__main__":
    run_command(main, "python -m benchmarks.bulk")
