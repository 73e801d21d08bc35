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
    hooks = [block.register_forward_hook(_record(seen)) for block in student.blocks]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def _record(seen: StudentLayers) -> Any:  # noqa: ANN401 - the type of a hook is private to torch
    def record(block: StudentBlock, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        hidden, mask = inputs
        seen.hidden.append(output)
        seen.attention.append(_attention_map(block, hidden, mask))

    return record


def _attention_map(block: StudentBlock, hidden: Tensor, mask: Tensor) -> Tensor:
    """Compute again what the fused attention does not give out: softmax(QKᵀ/√d), the mean over the heads."""
    batch, length, width = hidden.shape
    weight, bias = block.qkv.weight[: 2 * width], block.qkv.bias[: 2 * width]
    both = nn.functional.linear(block.norm(hidden), weight, bias)
    query, key = both.view(batch, length, 2, block.heads, width // block.heads).permute(2, 0, 3, 1, 4)
    scores = (query @ key.transpose(-1, -2) / math.sqrt(width // block.heads)).float()
    attention: Tensor = scores.masked_fill(~mask[:, None, None, :], -math.inf).softmax(-1).mean(1)
    return attention
