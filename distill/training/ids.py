"""Texts and classes as ids, in tensors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from distill.data.corpus import Example
from distill.runs.classes import label_ids
from runtime.tokenizer import PAD_ID, UNKNOWN_ID, CharTokenizer


def character_ids(texts: Sequence[str], tokenizer: CharTokenizer) -> list[Tensor]:
    """Return the character ids, int64 ``[L]``, of each text."""
    return [torch.from_numpy(tokenizer.encode(text).ids.astype(np.int64)) for text in texts]


def class_ids(examples: Sequence[Example], labels: Sequence[str]) -> Tensor:
    """Return the class ids ``[n]`` of ``examples``; an id is an index into ``labels``."""
    return torch.from_numpy(label_ids((example.label for example in examples), labels))


def hide_characters(ids: Tensor, rate: float) -> Tensor:
    """Return ids ``[B, L]`` in which a share of the characters is unknown; padding stays."""
    hidden = torch.rand(ids.shape, device=ids.device) < rate
    return ids.masked_fill(hidden & (ids != PAD_ID), UNKNOWN_ID)
