"""What looks wrong with the labels of a table: classes of which no row is left, one name written in two ways, slips.

Nothing is corrected here: only the user knows what was meant.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

from runtime.text import normalise

if TYPE_CHECKING:
    from distill.data.corpus import LeftOut

# A label with this many times the rows of all other labels of a text is probably the right one.
_CLEARLY_MORE = 2


def lost_classes(labels: Iterable[str], left_out: LeftOut) -> dict[str, Counter[str]]:
    """Return the classes that rows left out have and ``labels`` lack, the largest first, with their rows by reason."""
    known = {*labels}
    lost: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for reason, rows in left_out.items():
        for row in rows:
            if row.label and row.label not in known:
                lost[row.label][reason] += 1
    return dict(sorted(lost.items(), key=lambda item: -sum(item[1].values())))


def written_alike(labels: Iterable[str]) -> list[list[str]]:
    """Return groups of two or more labels that differ only in width, case or white space."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for label in sorted({*labels}):
        groups["".join(normalise(label).split())].append(label)
    return [group for group in groups.values() if len(group) > 1]


def many_without_label(left_out: LeftOut, kept: int) -> str:
    """Return how many texts have no label, where these are half of all or more; else nothing.

    Args:
        left_out: rows left out, by reason.
        kept: number of all other rows.
    """
    without = sum(bool(normalise(row.text)) for row in left_out.get("empty label", ()))
    others = (len(rows) for reason, rows in left_out.items() if reason not in ("empty label", "empty text"))
    texts = without + kept + sum(others)
    # A merged cell has its value in its first row alone.
    return f"{without} of {texts} texts have no label; merged cells?" if without and 2 * without >= texts else ""


def slips(left_out: LeftOut) -> list[tuple[str, Counter[str]]]:
    """Return texts that nearly always have one label, and then another: the text as read, its rows by label.

    Those with the most rows come first: all these rows are left out, for the sake of a few.
    """
    as_read: dict[str, str] = {}
    labels: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in left_out.get("conflicting labels", ()):
        as_read.setdefault(normalise(row.text), row.text)
        labels[normalise(row.text)][row.label] += 1
    clear = [(as_read[text], counts) for text, counts in labels.items() if _one_is_clear(counts)]
    return sorted(clear, key=lambda found: -sum(found[1].values()))


def _one_is_clear(counts: Counter[str]) -> bool:
    most = max(counts.values())
    return most >= _CLEARLY_MORE * (sum(counts.values()) - most)
