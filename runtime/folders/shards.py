"""One shard of a folder: classified, written and vouched for, or found to be done already.

A shard is a table; its answers are one file. Beside the answers a receipt is kept, in a hidden folder of the
output, that says what they were made from and what they are: the content of the shard, the bundle, the options,
and the content of the answers, each by SHA-256. The receipt is written last. So whatever dies, and whenever, a
shard either has its receipt, and is left alone, or is done again from its first row, and the file replaced as a
whole: no row is lost and none comes twice. Times of files decide nothing: copying a folder changes them, and
clocks of two machines differ; reading a file once more costs a hundredth of classifying it.

Answers that do not match their receipt are damaged, or somebody has corrected them. A file that was merely cut short is
replaced: it is the beginning of what is written anew, so nothing gets lost. Any other is kept, and reported.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.errors import DataError, GMError, as_reported, kind_of
from runtime.files import atomic_path, write_json
from runtime.streams import new_file
from runtime.tables.columns import columns_to_try
from runtime.tables.items import CHUNK, table_items
from runtime.tables.output import Format, csv_writer, json_writer, write_answers
from runtime.tables.rows import sheet_of

if TYPE_CHECKING:
    from runtime.classifier import Classifier

KEPT = ".gm-classify"
"""Folder in the output for what runs need themselves."""
# Two trees laid out as that of the answers, so that no two files share a receipt or a workplace. Their names begin with
# a full stop, unlike any folder of tables: older versions kept receipts right beside them, x.csv.json for x.csv.
RECEIPTS = f"{KEPT}/.receipts"
"""Folder in the output with a receipt for each file of answers, under the same path."""
WORK = f"{KEPT}/.work"
"""Folder in the output in which answers are written, each in a folder under their path."""
_ATTEMPTS = 3
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be done with every shard of a folder.

    Attributes:
        folder: absolute path of the shards.
        out: absolute path of the answers.
        bundle: SHA-256 of the manifest of the bundle, which holds that of every file in it.
        backend, max_error, cascade: as given to :class:`runtime.classifier.Classifier`.
        column: of the text; empty: that of the training data where a shard has it, else ``text``.
        encoding: of text files; empty: as :func:`runtime.tables.rows.read_table` finds it.
        sheet: of the Excel files among them; empty: likewise.
        top_k: best labels to write.
        jsonl: write JSON Lines, not CSV.
    """

    folder: Path
    out: Path
    bundle: str
    backend: str = "auto"
    max_error: float | None = None
    cascade: bool = True
    column: str = "text"
    encoding: str = ""
    sheet: str = ""
    top_k: int = 1
    jsonl: bool = False

    def source(self, name: str) -> Path:
        """Return the path of a shard."""
        return self.folder / name

    def target(self, name: str) -> Path:
        """Return the path of its answers: ``a/b.csv.gz`` becomes ``a/b.csv`` or ``a/b.jsonl`` in the output."""
        path = Path(name[: -len(".gz")] if name.lower().endswith(".gz") else name)
        return self.out / path.with_suffix(".jsonl" if self.jsonl else ".csv")

    def receipt(self, name: str) -> Path:
        """Return the path of the receipt for its answers."""
        return self.out / RECEIPTS / self.target(name).relative_to(self.out)

    def stored_receipt(self, name: str) -> Path:
        """Return the path of the receipt, or of the one that an older version left if there is no other."""
        answers = self.target(name).relative_to(self.out)
        older = self.out / KEPT / answers.with_name(f"{answers.name}.json")
        receipt = self.receipt(name)
        return older if os.path.isfile(older) and not os.path.isfile(receipt) else receipt

    def workplace(self, name: str) -> Path:
        """Return the path of the folder in which its answers are written before they are complete."""
        return self.out / WORK / self.target(name).relative_to(self.out)

    @property
    def options(self) -> dict[str, object]:
        """What changes the answers to the same rows."""
        names = ("bundle", "backend", "max_error", "cascade", "column", "encoding", "sheet", "top_k")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one shard.

    Attributes:
        shard: its path in the folder.
        rows: in it.
        rejected: rows of them whose label is not accepted.
        resumed: an earlier run had done it.
        kind: of what went wrong, as :func:`runtime.errors.kind_of` names it; empty when nothing did.
        error: its message.
    """

    shard: str
    rows: int = 0
    rejected: int = 0
    resumed: bool = False
    kind: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class _Fingerprint:
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class _Receipt:
    """What an earlier run said of the answers that it wrote."""

    answers: _Fingerprint
    rows: int
    rejected: int


def try_shard(classifier: Classifier, job: Job, name: str) -> Outcome:
    """Classify a shard as :func:`classify_shard` does; an error is an outcome too, for the other shards' sake."""
    try:
        return classify_shard(classifier, job, name)
    except GMError as error:
        return Outcome(name, kind=kind_of(error), error=str(error))
    except Exception as error:
        reported = as_reported(error, "classify it alone, with --debug")
        return Outcome(name, kind=kind_of(reported), error=f"{job.source(name)}: {reported}")


def classify_shard(classifier: Classifier, job: Job, name: str) -> Outcome:
    """Classify the shard ``name``, unless answers to the same content are there already.

    Any number of processes may do the same shard at the same time: they write the same.

    Raises:
        DataError: it cannot be read or its answers cannot be written, it changed meanwhile, somebody has changed its
            answers since they were written, or it has already taken down the process that classified it, three times
            in this run.
        BackendError: the model cannot be run.
    """
    source, target = job.source(name), job.target(name)
    shard = _fingerprint(source)
    made_from = {"shard": asdict(shard), **job.options}
    earlier = _read_receipt(job.stored_receipt(name), made_from)
    found = _fingerprint(target) if earlier and target.is_file() else None
    if earlier and found == earlier.answers:
        return Outcome(name, earlier.rows, earlier.rejected, resumed=True)
    if earlier and found and found.size >= earlier.answers.size:
        raise _changed(target)
    workplace = job.workplace(name)
    _refuse_if_deadly(source, workplace)
    with atomic_path(target, workplace) as temporary:
        rows, rejected = _write_answers(classifier, job, source, temporary)
        if _fingerprint(source) != shard:
            raise DataError(f"{source} changed while it was read; run the same command again when it is complete")
        if found and found != _fingerprint(temporary, found.size):
            raise _changed(target)
        receipt = _Receipt(_fingerprint(temporary), rows, rejected)
    write_json(job.receipt(name), {"made_from": made_from, **asdict(receipt)})
    return Outcome(name, rows, rejected)


def _read_receipt(path: Path, made_from: dict[str, object]) -> _Receipt | None:
    """Return the receipt of an earlier run, if its answers were made from the same shard, bundle and options."""
    try:
        stored = json.loads(path.read_bytes())
        answers = _Fingerprint(str(stored["answers"]["sha256"]), int(stored["answers"]["size"]))
        receipt = _Receipt(answers, int(stored["rows"]), int(stored["rejected"]))
        return receipt if stored["made_from"] == made_from else None
    except (OSError, ValueError, TypeError, KeyError):
        return None  # No receipt, or a damaged one: the shard is done again, which writes a new one.


def _changed(target: Path) -> DataError:
    return DataError(
        f"{target} was changed after it was written, and stays as it is; "
        "to have it made again, move it away or remove it"
    )


def _write_answers(classifier: Classifier, job: Job, source: Path, temporary: Path) -> tuple[int, int]:
    rows = rejected = 0
    text_columns = columns_to_try(job.column, classifier.bundle.text_column)
    columns, items = table_items(source, text_columns, job.encoding, sheet_of(source, job.sheet))
    form = Format.JSONL if job.jsonl else Format.CSV
    with new_file(temporary, form.encoding) as stream:
        write = (json_writer if job.jsonl else csv_writer)(stream, columns, job.top_k)
        while chunk := list(islice(items, CHUNK)):
            predictions = write_answers(classifier, chunk, write)
            rejected += sum(not prediction.accepted for prediction in predictions)
            rows += len(chunk)
    return rows, rejected


def _fingerprint(path: Path, most: int = sys.maxsize) -> _Fingerprint:
    """Return the fingerprint of a file, or of its first ``most`` bytes."""
    # Imported here, and from hashlib: OpenSSL is much faster on tables of many megabytes, and only folders need it.
    from hashlib import sha256

    digest, size = sha256(), 0
    try:
        with path.open("rb") as stream:
            while block := stream.read(min(_BLOCK, most - size)):
                digest.update(block)
                size += len(block)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}; check the path and its permissions") from error
    return _Fingerprint(digest.hexdigest(), size)


def _refuse_if_deadly(source: Path, workplace: Path) -> None:
    # A cluster gives the shard of a worker that died to another, without end; one row of many gigabytes would take
    # them all. What they leave in the workplace counts them, over all machines.
    if workplace.is_dir() and len(os.listdir(workplace)) >= _ATTEMPTS:
        raise DataError(
            f"{source}: {_ATTEMPTS} processes died while they classified it, perhaps for lack of memory; split it"
        )
