"""A contender that needs nothing, for tests of how contenders are started."""

from __future__ import annotations

from collections.abc import Sequence


class Echo:
    """Labels a text with a prefix and its first character; ballast makes its process larger."""

    def __init__(self, prefix: str, ballast: str = "0") -> None:
        self.prefix = prefix
        self.ballast = bytearray(int(ballast))

    def label(self, text: str) -> str:
        """Return the label of one text."""
        return self.prefix + text[0]

    def labels(self, texts: Sequence[str]) -> list[str]:
        """Return the labels of many texts."""
        return [self.label(text) for text in texts]
