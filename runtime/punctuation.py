"""Punctuation that writers use for one another, and what a mark that training never saw is read as."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

# As they are after normalisation, which makes half-width marks of the full-width ones of ASCII. Marks that tell
# chemicals apart stay apart: a prime is no quotation mark, a comma is no full stop.
_ALIKE = (
    "([{【〔〖〘〚",
    ")]}】〕〗〙〛",
    '"“”„‟«»「」『』《》〈〉',
    "'‘’‚‛′ʹ`",
    "-‐‒–—―−─",
    "~〜∼",
    "·•∙⋅・‧",
    ".。",
    ",、",
    ":∶",
    "/\\∕⁄",
    "*×∗✕✖",
    "<≤≦⩽",
    ">≥≧⩾",
    "|¦│",
)


def aliases_for(counts: Mapping[str, int]) -> Mapping[str, str]:
    """Return, for each mark that does not occur, the one of its kind that occurs most often; of equals, the lowest.

    Args:
        counts: characters that training saw, and how often.
    """
    return MappingProxyType(dict(_aliases(counts)))


def _aliases(counts: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    for alike in _ALIKE:
        seen = sorted(mark for mark in alike if mark in counts)
        if seen:
            most = max(seen, key=lambda mark: counts[mark])
            yield from ((mark, most) for mark in alike if mark not in counts)
