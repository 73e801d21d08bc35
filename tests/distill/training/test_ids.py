"""Texts as ids, some of them hidden."""

from __future__ import annotations

import torch

from distill.training.ids import hide_characters
from runtime.tokenizer import PAD_ID, UNKNOWN_ID


def test_hidden_characters_are_unknown_and_padding_stays() -> None:
    ids = torch.tensor([[5, 6, PAD_ID]])
    assert hide_characters(ids, 1.0).tolist() == [[UNKNOWN_ID, UNKNOWN_ID, PAD_ID]]
    assert torch.equal(hide_characters(ids, 0.0), ids)
