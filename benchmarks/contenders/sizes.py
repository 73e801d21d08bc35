"""Students of other sizes than the default, for accuracy and latency: what a wider or deeper one is worth."""

from __future__ import annotations

from dataclasses import dataclass

from distill.config.sections import StudentConfig

_HEAD = 64
"""Width of an attention head, as in the default student."""


@dataclass(frozen=True, slots=True)
class Size:
    """A student by its blocks and its width; the rest grows with the width as in the default."""

    layers: int
    width: int

    @property
    def name(self) -> str:
        """Blocks × width."""
        return f"{self.layers} × {self.width}"

    @property
    def row(self) -> str:
        """Row of the study of accuracy."""
        return f"full method, {self.name}, INT8 bundle"

    @property
    def contender(self) -> str:
        """Name in the study of latency."""
        return f"gm-edge INT8, {self.name}"

    @property
    def kind(self) -> str:
        """Name of the model that latency is measured on, and of its folder."""
        return f"student_{self.layers}x{self.width}"

    @property
    def settings(self) -> tuple[str, ...]:
        """Overrides of the recipe."""
        return tuple(f"student.{key}={value}" for key, value in self._keys().items())

    def config(self) -> StudentConfig:
        """Return the student's section of the recipe."""
        return StudentConfig.model_validate(self._keys())

    def _keys(self) -> dict[str, int]:
        heads, feed_forward = max(1, self.width // _HEAD), 2 * self.width
        return {"layers": self.layers, "width": self.width, "heads": heads, "feed_forward": feed_forward}


SIZES = (Size(1, 64), Size(2, 128), Size(4, 256), Size(6, 384))
"""From half the default's width to the largest that a bundle is made for; the default, 1 × 128, is measured anyway."""
