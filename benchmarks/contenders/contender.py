"""Who takes part: one small protocol, and an entry that says how to open a contender and what it needs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, distribution
from typing import Protocol, cast


class Contender(Protocol):
    """Anything that gives a label for a raw text."""

    def label(self, text: str) -> str:
        """Return the label of one text."""

    def labels(self, texts: Sequence[str]) -> list[str]:
        """Return the labels of many texts, in their order, as fast as it can on one thread."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A contender before it is opened.

    Attributes:
        name: as the tables show it.
        target: ``module:class`` of the contender; the module imports nothing heavy by itself.
        arguments: given to the class; texts only, so that a fresh process can be told them.
        needs: requirements that a user has to install to run it.
        model: name of the peer model it loads (:mod:`benchmarks.contenders.peer_models`); empty for ours.
        builds_with: further requirements, needed here only to make that model.
    """

    name: str
    target: str
    arguments: tuple[str, ...]
    needs: tuple[str, ...]
    model: str = ""
    builds_with: tuple[str, ...] = ()

    def open(self) -> Contender:
        """Load the contender in this process."""
        module, _, kind = self.target.partition(":")
        return cast(Contender, getattr(import_module(module), kind)(*self.arguments))

    def cold_start(self, text: str) -> str:
        """Return Python source that opens it, prints the label of ``text``, then serves standard input."""
        module, _, kind = self.target.partition(":")
        arguments = ", ".join(map(repr, self.arguments))
        imports = f"from {module} import {kind}\nfrom benchmarks.speed.child import serve\n"
        return f"{imports}serve({kind}({arguments}), {text!r})\n"

    def missing(self) -> tuple[str, ...]:
        """Return the requirements that are not installed."""
        return tuple(need for need in (*self.needs, *self.builds_with) if not _installed(need))


@dataclass(frozen=True, slots=True)
class Absent:
    """A contender that could not take part, and why."""

    name: str
    reason: str


def not_installed(entry: Entry) -> Absent:
    """Return the line that says which ``pip install`` brings what ``entry`` misses."""
    return Absent(entry.name, f"not installed: pip install {' '.join(map(repr, entry.missing()))}")


def _installed(requirement: str) -> bool:
    try:
        distribution(re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0])
    except PackageNotFoundError:
        return False
    return True
