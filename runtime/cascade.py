"""The cascade: the student's n-grams answer the texts they are sure of, before the model is asked.

They are the linear classifier over characters and hashed character bigrams of Joulin et al. 2017, "Bag of Tricks for
Efficient Text Classification". Everything after the mean of its embeddings is linear, so embeddings, weights, bias and
temperature fold into one table of logits: those of a text are the mean of the rows of its characters and bigrams.
``docs/cascade.md`` defines it for other languages.

It is two files of the bundle, not a key of the manifest: a release that does not know it can still read the bundle, and
answers by the model, for which the manifest states thresholds and promises as if there were no cascade.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from runtime.bundles.bundle import Bundle
from runtime.bundles.manifest import is_number
from runtime.bundles.reference import Reference
from runtime.errors import BundleError, VersionError
from runtime.tokenizer import PAD_ID, Ids

CASCADE = "cascade.json"
TABLE = "cascade.f16"
KIND = "characters_and_bigrams"
BIGRAM_FACTOR = 40503
"""Odd, and 2^16 divided by the golden ratio: neighbouring ids fall far apart (Knuth, volume 3, section 6.4)."""
MOST_BUCKETS = 1 << 20
"""Most rows of a table; the number of rows is a power of two."""

# A larger vector-matrix product may wake the threads of numpy's BLAS, which then spin while they wait.
_MOST_PRODUCT = 8192
_SHORT = 64

Logits = npt.NDArray[np.float32]
Halves = npt.NDArray[np.float16]


def table_rows(ids: list[int], buckets: int) -> list[int]:
    """Return the rows of the table that a text adds up: its characters', then its bigrams'.

    The row of a character ``a`` is ``a mod buckets``, that of a bigram ``a b`` is ``(a * 40503 + b) mod buckets``; the
    last character forms one with :data:`PAD_ID <runtime.tokenizer.PAD_ID>`. Ids are below 2^16 and buckets a power of
    two, so unsigned 32-bit arithmetic is exact.

    Args:
        ids: of the characters, at least one.
        buckets: of the table, a power of two.
    """
    # Plain Python: for texts of twenty characters it takes half as long as arrays do, right after a model has run.
    mask = buckets - 1
    bigrams = [a * BIGRAM_FACTOR + b & mask for a, b in pairwise([*ids, PAD_ID])]
    return [a & mask for a in ids] + bigrams


class Head:
    """Logits of a text as the mean of rows of a table; calibrated: their softmax is the score.

    Args:
        table: ``[buckets, C]``, finite. Half floats cost two microseconds a text and save as much memory as the table
            has bytes.
    """

    def __init__(self, table: Halves | Logits) -> None:
        self._take, self._buckets = table.take, len(table)
        longest = min(_SHORT, _MOST_PRODUCT // table.shape[1] // 2)
        self._weights = [np.full(2 * n, 1 / (2 * n), np.float32) for n in range(1, longest + 1)]

    def logits(self, ids: Ids) -> Logits:
        """Return the logits ``[C]`` of the ids of one text, ``[length]`` with a length of at least 1."""
        taken = self._take(table_rows(ids.tolist(), self._buckets), 0)
        rows: Logits = taken.astype(np.float32)
        if len(ids) <= len(self._weights):
            # Six microseconds faster than adding up along an axis and dividing, right after a model has run.
            product: Logits = self._weights[len(ids) - 1].dot(rows)
            return product
        mean: Logits = np.add.reduce(rows, 0) / np.float32(len(rows))
        return mean


@dataclass(frozen=True, slots=True)
class CascadeEntry:
    """What a bundle says about its cascade.

    Attributes:
        buckets: rows of the table, a power of two, 1 to 1,048,576.
        threshold: lowest score at which the answer of the head is final, 0 to 1.
        temperature: of the model on texts that the head leaves to it, in place of the manifest's, 0.001 to 1000.
        accepted_from: the default threshold of acceptance, in place of the manifest's: 0 to 1.
        reference: the development set as the head and the model together see it.

    Raises:
        ValueError: a value is of the wrong type or out of range.
    """

    buckets: int
    threshold: float
    temperature: float
    accepted_from: float
    reference: Reference

    def __post_init__(self) -> None:
        if type(self.buckets) is not int or not 0 < self.buckets <= MOST_BUCKETS or self.buckets & (self.buckets - 1):
            raise ValueError("buckets must be a power of two up to 1048576")
        _check_number("threshold", self.threshold, 0, 1)
        _check_number("temperature", self.temperature, 0.001, 1000)
        _check_number("accepted_from", self.accepted_from, 0, 1)

    def to_bytes(self) -> bytes:
        """Return the content of the file."""
        return (json.dumps({"kind": KIND, **asdict(self)}, indent=1, allow_nan=False) + "\n").encode("ascii")

    @classmethod
    def from_bytes(cls, content: bytes, where: str) -> CascadeEntry:
        """Read what :meth:`to_bytes` gave; ``where`` names the file in messages.

        Raises:
            VersionError: it is of another kind.
            BundleError: it is not valid.
        """
        try:
            stored = json.loads(content)
            if stored["kind"] != KIND:
                raise VersionError(
                    f"{where}: kind {stored['kind']!r:.40} is not known here; upgrade gm-edge, or export again"
                )
            reference = Reference.from_json(stored["reference"], where)
            return cls(
                stored["buckets"], stored["threshold"], stored["temperature"], stored["accepted_from"], reference
            )
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise _refusal(where, f"not what gm-export writes ({error!r:.80})") from error


@dataclass(frozen=True, slots=True)
class Cascade:
    """A head that is ready, and what the bundle says about it."""

    head: Head
    entry: CascadeEntry


def read_cascade(bundle: Bundle) -> Cascade | None:
    """Return the cascade of a bundle; ``None`` where it has none.

    Raises:
        VersionError: it is of a kind that this release does not know.
        BundleError: it is not valid, or does not fit the manifest.
    """
    if CASCADE not in bundle.manifest.files:
        return None
    where, classes = f"{bundle.path}, {CASCADE}", len(bundle.manifest.labels)
    entry = CascadeEntry.from_bytes(bundle.read(CASCADE), where)
    if len(entry.reference.labels) != classes:
        raise _refusal(where, f"has {len(entry.reference.labels)} labels, the manifest {classes}")
    return Cascade(Head(_read_table(bundle, (entry.buckets, classes))), entry)


def table_bytes(table: Halves | Logits) -> bytes:
    """Return the content of the table's file: its values as little-endian half floats, row by row."""
    return table.astype("<f2").tobytes()


def _read_table(bundle: Bundle, shape: tuple[int, int]) -> Halves:
    where, expected = f"{bundle.path}, {TABLE}", 2 * shape[0] * shape[1]
    listed = bundle.manifest.files.get(TABLE)
    if listed is not None and listed.size != expected:
        raise _refusal(where, f"has {listed.size} bytes instead of {expected} for {shape[0]} rows of {shape[1]}")
    table: Halves = np.frombuffer(bundle.read(TABLE), "<f2").reshape(shape)
    if not np.isfinite(table).all():
        raise _refusal(where, "has a value that is not a finite number")
    return table


def _check_number(name: str, value: object, least: float, most: float) -> None:
    if not is_number(value) or not least <= value <= most:
        raise ValueError(f"{name} must be a number from {least:g} to {most:g}")


def _refusal(where: str, what: str) -> BundleError:
    return BundleError(f"{where}: {what}; export the bundle again")
