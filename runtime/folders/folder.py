"""A folder of tables, shard by shard: which there are, who classifies them, and what came of it.

What classifies the shards is a :data:`Spread`: this process (:func:`in_this_process`) or the workers of a
cluster (:class:`~runtime.folders.ray_engine.OnRay`). Either calls :func:`~runtime.folders.shards.try_shard`, so the
answers are the same.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING

import click

from runtime.bundles.place import is_bundle
from runtime.command import is_terminal
from runtime.errors import DataError, of_kind
from runtime.folders.shards import KEPT, RECEIPTS, Job, Outcome, try_shard
from runtime.lock import HeldError, held
from runtime.tables.answer_file import is_replaceable
from runtime.tables.rows import SUFFIXES

if TYPE_CHECKING:
    from runtime.classifier import Classifier

Spread = Callable[["Classifier", Job, Sequence[str]], Iterator[Outcome]]
"""Yields the outcome of every shard that it is given, in any order."""

# Hidden like the folders beside it, and where older versions look for it too.
_LOCK = ".lock"
_HIDDEN = (".", "_", "~$")
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Shards:
    """What lies in a folder.

    Attributes:
        names: paths in the folder of the tables, the largest first: the last to be done are then short, and no
            worker is left alone with a long one.
        others: number of files and links that are no tables, and of bundles.
    """

    names: tuple[str, ...]
    others: int


def find_shards(folder: Path) -> Shards:
    """Return the tables in ``folder`` and the folders in it.

    As other programs for such folders do, it passes over names that begin with a full stop or an underscore, and
    over the lock files of Excel. A link to a folder is not followed. A bundle is passed over as a whole: the golden
    texts in it look like a table.

    Raises:
        DataError: it cannot be read, or has no table.
    """
    sizes: dict[str, int] = {}
    others = 0
    for parent, folders, files in os.walk(folder, onerror=_refuse):
        if is_bundle(files):
            folders.clear()
            others += 1
            continue
        links = [name for name in folders if os.path.islink(os.path.join(parent, name))]
        folders[:] = [name for name in folders if not name.startswith(_HIDDEN)]
        tables = [name for name in files if name.lower().endswith(SUFFIXES) and not name.startswith(_HIDDEN)]
        others += len(links) + len(files) - len(tables)
        sizes |= {os.path.relpath(os.path.join(parent, name), folder): _size(parent, name) for name in tables}
    if not sizes:
        raise DataError(f"{folder} holds no table; it may hold files that end in {' '.join(SUFFIXES)}")
    names = sorted(sizes, key=lambda name: (-sizes[name], name))
    return Shards(tuple(Path(name).as_posix() for name in names), others)


def in_this_process(classifier: Classifier, job: Job, names: Sequence[str]) -> Iterator[Outcome]:
    """Classify one shard after another."""
    for name in names:
        yield try_shard(classifier, job, name)


def classify_folder(classifier: Classifier, job: Job, spread: Spread) -> None:
    """Classify every shard of a folder that is not done yet, and say in one line what was done.

    Raises:
        DataError: there is no table, two would have the same answers' name, answers would lie among the tables or
            replace a file that holds none, the output holds answers to a shard that is gone, another run writes
            there, or a shard cannot be read (all others are done by then).
        GMError: as ``spread``.
    """
    shards = find_shards(job.folder)
    _check_output(job, shards.names)
    with _alone(job):
        _clear_workplaces(job, shards.names)
        outcomes = list(_with_progress(spread(classifier, job, shards.names), len(shards.names)))
        _clear_workplaces(job, shards.names)
    click.echo(_summary(outcomes, shards.others))
    _raise_failures(outcomes)


def _refuse(error: OSError) -> None:
    raise DataError(f"cannot read {error.filename}: {error.strerror}; check the path and its permissions") from error


def _size(parent: str, name: str) -> int:
    try:
        return os.stat(os.path.join(parent, name)).st_size
    except OSError:
        return 0  # Whoever classifies it says what is wrong with it.


def _check_output(job: Job, names: Sequence[str]) -> None:
    folder, out = job.folder.resolve(), job.out.resolve()
    if folder in (out, *out.parents):
        raise DataError(f"{job.out} lies in the folder that is read; choose another place with --out")
    _protect_shards(job, names)
    of: dict[str, str] = {}
    for name in names:
        first = of.setdefault(_in_one_case(str(job.target(name))), name)
        if first != name:
            raise DataError(f"{job.folder}: the answers to {first} and {name} would have the same name; rename one")
        # A file with a receipt is ours; whether somebody has changed it since is checked table by table.
        if not os.path.exists(job.stored_receipt(name)) and not is_replaceable(job.target(name)):
            raise DataError(
                f"{job.target(name)}: the file is there, and holds no answers; choose another place with --out, "
                "or remove it"
            )
    # Rows of a shard that was renamed would come twice; so would all, where CSV becomes JSON Lines.
    for answers in sorted(_answered(job)):
        if _in_one_case(str(answers)) not in of and answers.exists():
            raise DataError(f"{answers} answers a shard that {job.folder} lacks, or in another format; remove it")


def _answered(job: Job) -> set[Path]:
    """Return the paths of all answers that have a receipt, from whatever tables; those of older versions too."""
    receipts, older = job.out / RECEIPTS, job.out / KEPT
    now = {path.relative_to(receipts) for path in receipts.rglob("*") if path.is_file()}
    then = {path.relative_to(older).with_suffix("") for path in older.rglob("*.json") if path.is_file()}
    return {job.out / path for path in now | then}


def _protect_shards(job: Job, names: Sequence[str]) -> None:
    """Refuse a run in which answers or receipts would lie among the shards, or take the place of one."""
    folder, shards = _real(job.folder), {_real(job.source(name)) for name in names}
    for name in names:
        for path in map(_real, (job.target(name), job.receipt(name), job.workplace(name))):
            if path in shards or folder in path.parents:
                raise DataError(
                    f"the answers to {name} in {job.out} would lie in the folder that is read, or take the place of "
                    f"a table; choose another place with --out"
                )


def _real(path: Path) -> Path:
    return Path(_in_one_case(os.path.realpath(path)))


def _in_one_case(path: str) -> str:
    """Return the same for paths that differ in case only, which some file systems do not tell apart."""
    folded = path.casefold()
    if len(folded) == len(path):
        return folded
    # One character for each, as on NTFS: str.casefold would make Strasse of Straße.
    return "".join(next(kept for kept in (one.casefold(), one.lower(), one) if len(kept) == 1) for one in path)


@contextmanager
def _alone(job: Job) -> Iterator[None]:
    # Two runs would do the same work twice, and each would take the other's workplaces for leftovers of a killed run.
    try:
        with held(job.out / KEPT / _LOCK):
            yield
    except HeldError as error:
        raise DataError(f"another run writes to {job.out}; wait until it ends, then run the same command") from error


def _clear_workplaces(job: Job, names: Sequence[str]) -> None:
    # Before: what a killed run left says nothing about this one. After: not while another worker may be writing there.
    for name in names:
        rmtree(job.workplace(name), ignore_errors=True)


def _with_progress(outcomes: Iterator[Outcome], length: int) -> Iterator[Outcome]:
    if not is_terminal(sys.stderr):
        yield from outcomes
        return
    with click.progressbar(outcomes, length=length, label="shards", show_pos=True, file=sys.stderr) as bar:
        yield from bar


def _summary(outcomes: Sequence[Outcome], others: int) -> str:
    done = [outcome for outcome in outcomes if not outcome.kind]
    resumed = sum(outcome.resumed for outcome in done)
    rows, rejected = sum(outcome.rows for outcome in done), sum(outcome.rejected for outcome in done)
    failed = len(outcomes) - len(done)
    parts = [
        f"shards: {len(done) - resumed} done, {resumed} done before, {failed} failed",
        f"rows: {rows}, {rejected} of them not accepted",
    ]
    if others:
        parts.append(f"{others} other files left out")
    return "; ".join(parts)


def _raise_failures(outcomes: Sequence[Outcome]) -> None:
    failed = sorted((outcome for outcome in outcomes if outcome.kind), key=lambda outcome: outcome.shard)
    if not failed:
        return
    more = [outcome.shard for outcome in failed[1:]]
    rest = f"; {len(more)} more shards failed: {', '.join(more[:_NAMED])}{', …' * (len(more) > _NAMED)}" if more else ""
    raise of_kind(failed[0].kind, f"{failed[0].error}{rest}")
