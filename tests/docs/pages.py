"""The pages that readers get: every Markdown file of the repository."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_PLACES = ("*.md", "docs/*.md", "benchmarks/**/*.md", "distill/**/*.md", "examples/**/*.md")
PAGES = sorted(path for place in _PLACES for path in ROOT.glob(place))
_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)


def name(page: Path) -> str:
    """Return the page's path in the repository, as the name of a test's case."""
    return page.relative_to(ROOT).as_posix()


def prose(page: Path) -> str:
    """Return a page without its blocks of code and output."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def blocks(page: Path, language: str) -> list[str]:
    """Return the blocks of a page that are marked as of ``language``."""
    return [text for kind, text in _FENCE.findall(page.read_text(encoding="utf-8")) if kind == language]


def tables(page: Path) -> list[list[list[str]]]:
    """Return the tables of a page: rows of cells, without the line below the header, emphasis and thousands' commas."""
    found: list[list[list[str]]] = [[]]
    for line in prose(page).splitlines():
        if not line.startswith("|"):
            found.append([])
        elif not set(line) <= set("|-: "):
            found[-1].append([_plain(cell) for cell in line.strip().strip("|").split("|")])
    return [table for table in found if table]


def _plain(cell: str) -> str:
    return re.sub(r"(?<=\d),(?=\d{3})", "", cell.replace("**", "").strip())
