"""Messages that the guides explain are messages that the program prints."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, tables

_FILLED_IN = re.compile(r"…|'[^']*'|\([^)]*\)|[A-Z]?\d+|--[a-z-]+|品名\S*|规格|openpyxl|\[\w+\]")
"""What a message has instead of a placeholder, and options, which some messages fill in too."""


@cache
def literals() -> str:
    """Return every string literal of the packages, a line each; those of an f-string are parted by placeholders."""
    found = []
    for package in ("runtime", "export", "distill"):
        for path in (ROOT / package).rglob("*.py"):
            nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            found += [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return "\n".join(found)


def foreign(message: str) -> list[str]:
    """Return the parts of a quoted message, of two words and more, that no literal has."""
    parts = [part.strip(" ,;:.?") for part in _FILLED_IN.split(message)]
    return [part for part in parts if " " in part and part not in literals()]


@pytest.mark.parametrize("page", ["docs/usage.md", "docs/usage.zh-CN.md"])
def test_messages_are_those_of_the_program(page: str) -> None:
    quoted = [row[0].strip("`") for row in tables(Path(ROOT / page))[-1][1:]]
    assert len(quoted) > 10
    assert {message: parts for message in quoted if (parts := foreign(message))} == {}


def test_a_message_that_nothing_prints_is_seen() -> None:
    assert foreign("3 classes ('a') have one row each after lunch") == ["have one row each after lunch"]
