"""How much two texts are alike, by the definition: what faster ways to tell it are held against."""

from __future__ import annotations

from itertools import pairwise


def jaccard(one: str, other: str) -> float:
    """Return the share of their characters and pairs of characters that both texts have; 1 where there are none."""
    grams = [set(text) | {a + b for a, b in pairwise(text)} for text in (one, other)]
    union = grams[0] | grams[1]
    return len(grams[0] & grams[1]) / len(union) if union else 1.0
