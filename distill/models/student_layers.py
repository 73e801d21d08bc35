"""What the layers of a student compute while it encodes, for losses that look inside.

The student itself stays what is exported: hooks look on from outside and leave nothing behind.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from distill.models.student import Student, StudentBlock


@dataclass(slots=True)
class StudentLayers:
    """States and attention maps of each block, in the order of the blocks.

    Attributes:
        hidden: states after the block, each ``[B, L, d]``.
        attention: mean over the heads, each ``[B, L, L]``; a row sums to 1 over the text, padding has 0.
    """

    hidden: list[Tensor] = field(default_factory=list)
    attention: list[Tensor] = field(default_factory=list)


@contextmanager
def watch(student: Student) -> Iterator[StudentLayers]:
    """Yield what is filled in by the one ``encode`` that follows inside the ``with``."""
    seen = StudentLayers()
    hooks = []
    for block in student.blocks:
        assert isinstance(block, StudentBlock)
        projected: list[Tensor] = []
        hooks.append(block.qkv.register_forward_hook(_keep(projected)))
        hooks.append(block.register_forward_hook(_record(seen, projected)))
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def _keep(projected: list[Tensor]) -> Any:  # noqa: ANN401 - the type of a hook is private to torch
    def keep(_layer: nn.Linear, _inputs: tuple[Tensor], output: Tensor) -> None:
        projected.append(output)

    return keep


def _record(seen: StudentLayers, projected: list[Tensor]) -> Any:  # noqa: ANN401 - likewise
    def record(block: StudentBlock, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        _hidden, mask, *_beside = inputs
        seen.hidden.append(output)
        seen.attention.append(_attention_map(projected.pop(), mask, block.heads))

    return record


def _attention_map(projected: Tensor, mask: Tensor, heads: int) -> Tensor:
    """Return what the fused attention does not give out: softmax(QKᵀ/√d), the mean over the heads.

    Args:
        projected: query | key | value, ``[B, L, 3d]``, as the block saw them, dropout included.
        mask: ``[B, L]``, true where there is text.
        heads: of the attention.
    """
    batch, length, three_widths = projected.shape
    width = three_widths // 3
    query, key = projected[..., : 2 * width].view(batch, length, 2, heads, width // heads).permute(2, 0, 3, 1, 4)
    scores = (query @ key.transpose(-1, -2) / math.sqrt(width // heads)).float()
    attention: Tensor = scores.masked_fill(~mask[:, None, None, :], -math.inf).softmax(-1).mean(1)
    return attention
