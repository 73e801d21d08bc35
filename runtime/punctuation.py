"""Punctuation marks that are used interchangeably, and how a mark that training never saw is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

# Kinds of marks, as normalisation leaves them: it makes full-width marks of ASCII half-width. Brackets and quotation
# marks go in pairs, so that both sides are read in one style. A prime and an apostrophe are typed alike.
_KINDS = (
    ("()", "[]", "{}", "【】", "〔〕", "〖〗", "〘〙", "〚〛", "⟨⟩", "⟦⟧", "⦅⦆"),
    ('""', "“”", "„‟", "〝〞", "«»", "‹›", "≪≫", "「」", "『』", "《》", "〈〉"),
    tuple("'’‘‚‛′‵ʹʼˊ`"),
    tuple("-‐‒–—―−─━═⸺⸻ー"),
    tuple("~〜∼∽"),
    tuple("·•∙⋅・‧"),
    tuple("●○■□◆◇★☆▲△※"),
    tuple(".。"),
    tuple(",、"),
    tuple(":∶"),
    tuple("/\\∕⁄∖╱╲"),
    tuple("*×∗✕✖╳⨯"),
    tuple("<≤≦⩽≯≰"),  # ≯: no more than
    tuple(">≥≧⩾≮≱"),
    tuple("|¦│┃║‖∥∣"),
)
_FEWEST = 10
"""A mark seen less often stands for one or two texts of training rather than for its kind."""


def aliases_for(counts: Mapping[str, int]) -> dict[str, str]:
    """Return, for each mark that does not occur, the one of its kind whose style occurs most often, if there is any.

    Args:
        counts: characters that training saw, and how often.
    """
    return {mark: meant for kind in _KINDS for mark, meant in _aliases(kind, counts)}


def _aliases(styles: tuple[str, ...], counts: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """Yield the aliases of one kind; all ``styles`` have the same number of marks, one or two."""
    by_use = sorted(styles, key=lambda style: -sum(counts.get(mark, 0) for mark in set(style)))
    for place in range(len(styles[0])):
        meant = next((style[place] for style in by_use if counts.get(style[place], 0) >= _FEWEST), None)
        if meant is not None:
            yield from ((style[place], meant) for style in styles if style[place] not in counts)
