"""Tables, lists and numbers for the terminal, aligned also where characters are two columns wide."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.display import display_width


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return ``rows`` under ``header``: the first column aligned left, the others right.

    All rows have as many cells as the header.
    """
    return "\n".join("  ".join(cells).rstrip() for cells in aligned([header, *rows]))


def aligned(lines: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return the cells of ``lines``, all as wide as the widest of their column: the first to the left, others right."""
    widths = [max(display_width(line[column]) for line in lines) for column in range(len(lines[0]))]
    return [_filled(line, widths) for line in lines]


def first_few(names: Sequence[str], most: int = 3) -> str:
    """Return the first ``most`` names, and how many more there are: ``acid, base and 3 more``."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def shortened(text: str, most: int) -> str:
    """Return the first ``most`` characters of ``text``, and a sign that there are more."""
    return text if len(text) <= most else text[:most] + "…"


def duration(seconds: float) -> str:
    """Return a duration as people say it: ``40 s``, ``12 min``, ``3 h 20 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _filled(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    gaps = [" " * (width - display_width(cell)) for cell, width in zip(cells, widths, strict=True)]
    first, *others = zip(cells, gaps, strict=True)
    return [first[0] + first[1], *(gap + cell for cell, gap in others)]
