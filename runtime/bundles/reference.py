"""The exported model on the development set: error rates that it can promise, and what drift is measured against.

It is a file of the bundle, not a key of the manifest: a release that does not know it can still read the bundle.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import ceil, log
from typing import Any

from runtime.bundles.bundle import Bundle
from runtime.bundles.manifest import is_number
from runtime.errors import BundleError, ConfigError

REFERENCE = "reference.json"
CONFIDENCE = 0.95
"""How sure each promise is."""


_MOST_TEXTS = 1 << 31


@dataclass(frozen=True, slots=True)
class Promise:
    """An error rate that a threshold keeps, as :func:`export.promise.fit_promises` found it.

    Attributes:
        max_error: of the accepted texts, at most this share has a wrong label; between 0 and 1.
        threshold: lowest score to accept, 0 to 1; ``None`` where the development set cannot show that any will do.
        coverage: share of all development texts that it accepts, 0 to 1; none with too many unknown characters.
    """

    max_error: float
    threshold: float | None
    coverage: float

    def __post_init__(self) -> None:
        _check("promise", 0 < self.max_error < 1 and (self.threshold is None or 0 <= self.threshold <= 1))
        _check("coverage of a promise", 0 <= self.coverage <= 1)


@dataclass(frozen=True, slots=True)
class Reference:
    """The development set as the exported model sees it.

    Attributes:
        texts: how many texts it has that are not blank, at least 1.
        promises: by rising ``max_error``.
        labels: share of the texts that get each label, in the order of the manifest.
        edges: scores between the bins of ``scores``, rising; a score equal to an edge lies above it.
        scores: share of the texts in each bin, one more than ``edges``.
        known: how many of the texts have enough known characters to be accepted at all: the promises rest on these.
            ``None`` in bundles of older releases, which did not record it.

    Raises:
        ValueError: a value is of the wrong type or out of range.
    """

    texts: int
    promises: tuple[Promise, ...]
    labels: tuple[float, ...]
    edges: tuple[float, ...]
    scores: tuple[float, ...]
    known: int | None = None

    def __post_init__(self) -> None:
        rates = [promise.max_error for promise in self.promises]
        _check("number of texts", type(self.texts) is int and 0 < self.texts <= _MOST_TEXTS)
        known_fits = self.known is None or (type(self.known) is int and 0 <= self.known <= self.texts)
        _check("number of texts with enough known characters", known_fits)
        _check("order of promises", rates == sorted(set(rates)))
        _check("shares", all(0 <= share <= 1 for share in (*self.labels, *self.scores)))
        _check("edges", list(self.edges) == sorted(set(self.edges)) and len(self.scores) == len(self.edges) + 1)

    def threshold(self, max_error: float, where: str) -> float:
        """Return the lowest score to accept so that, with 95 % confidence, ``max_error`` is kept.

        It belongs to the largest promise that is not above ``max_error``; ``where`` names the bundle in messages.

        Raises:
            ConfigError: ``max_error`` is out of range, or the development set cannot show that any threshold keeps it.
        """
        if not is_number(max_error) or not 0 < max_error < 1:
            raise ConfigError(f"max_error must be a number between 0 and 1, not {max_error!r:.40}")
        found = [promise for promise in self.promises if promise.max_error <= max_error]
        if found and found[-1].threshold is not None:
            return found[-1].threshold
        raise ConfigError(
            f"{where}: an error of {max_error:g} cannot be promised from {self.base}, "
            f"{self._possible()}; ask for another{_more_texts(found[-1].max_error) if found else ''}"
        )

    @property
    def base(self) -> str:
        """What the promises rest on, in words."""
        if self.known is None or self.known == self.texts:
            return f"{self.texts} development texts"
        return f"the {self.known} of {self.texts} development texts with enough known characters"

    def _possible(self) -> str:
        possible = [f"{promise.max_error:g}" for promise in self.promises if promise.threshold is not None]
        others = f", then {', '.join(possible[1:])}" if len(possible) > 1 else ""
        return f"the smallest possible is {possible[0]}{others}" if possible else "none is possible"

    def to_bytes(self) -> bytes:
        """Return the content of the file."""
        return (json.dumps(asdict(self), indent=1, allow_nan=False) + "\n").encode("ascii")

    @classmethod
    def from_bytes(cls, content: bytes, where: str) -> Reference:
        """Read what :meth:`to_bytes` gave; ``where`` names the file in messages.

        Raises:
            BundleError: it is not valid.
        """
        try:
            stored = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise _refusal(where, error) from error
        return cls.from_json(stored, where)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any], where: str) -> Reference:
        """Read the object that :meth:`to_bytes` writes, as part of a larger file, which ``where`` names in messages.

        Raises:
            BundleError: it is not valid.
        """
        try:
            return cls(
                texts=stored["texts"],
                promises=tuple(Promise(**promise) for promise in stored["promises"]),
                labels=_numbers(stored["labels"]),
                edges=_numbers(stored["edges"]),
                scores=_numbers(stored["scores"]),
                known=stored.get("known"),
            )
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise _refusal(where, error) from error


def fewest_texts(max_error: float) -> int:
    """Return how many accepted texts without a mistake prove an error rate: fewer prove nothing."""
    return ceil(log(1 - CONFIDENCE) / log(1 - max_error))


def read_reference(bundle: Bundle) -> Reference | None:
    """Return the reference of a bundle; ``None`` where an older release wrote the bundle.

    Raises:
        BundleError: the file is not valid, or does not fit the manifest.
    """
    if REFERENCE not in bundle.manifest.files:
        return None
    where = f"{bundle.path}, {REFERENCE}"
    reference = Reference.from_bytes(bundle.read(REFERENCE), where)
    labels = len(bundle.manifest.labels)
    if len(reference.labels) != labels:
        raise BundleError(
            f"{where}: has {len(reference.labels)} labels, the manifest {labels}; export the bundle again"
        )
    return reference


def _more_texts(rate: float) -> str:
    # Not advised below the smallest rate that exports look at, where no number of texts would help.
    needed = f"it takes at least {fewest_texts(rate)} that are accepted, without a mistake among them"
    return f", or train with more development texts (--set data.dev_share=0.2): {needed}"


def _refusal(where: str, error: Exception) -> BundleError:
    return BundleError(f"{where}: not what gm-export writes ({error!r:.80}); export the bundle again")


def _numbers(values: list[float]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _check(what: str, holds: bool) -> None:
    if not holds:
        raise ValueError(f"wrong {what}")
