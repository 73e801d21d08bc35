"""The student: a small pre-norm Transformer over character ids."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from distill.recipe import StudentConfig
from runtime.tokenizer import PAD_ID

_EPSILON = 1e-6


class StudentBlock(nn.Module):
    """Pre-norm self-attention and feed-forward, each added to its input.

    The query, key and value projections are one matrix, ordered query | key | value: the layout that
    onnxruntime's attention operators expect. Normalisation is by the root mean square (Zhang and Sennrich 2019,
    "Root Mean Square Layer Normalization"), and the layer into the feed-forward has no bias: each spares the
    exported graph work (``benchmarks/README.md``) and costs no accuracy that could be measured.
    """

    def __init__(self, config: StudentConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.dropout = config.dropout
        self.attention_norm = nn.RMSNorm(config.width, eps=_EPSILON)
        self.qkv = nn.Linear(config.width, 3 * config.width)
        self.attention_out = nn.Linear(config.width, config.width)
        self.feed_forward_norm = nn.RMSNorm(config.width, eps=_EPSILON)
        self.feed_forward_in = nn.Linear(config.width, config.feed_forward, bias=False)
        self.feed_forward_out = nn.Linear(config.feed_forward, config.width)

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """Return the next hidden states ``[B, L, d]``; ``mask`` is ``[B, L]``, true where there is text."""
        hidden = hidden + self._drop(self._attend(self.attention_norm(hidden), mask))
        inner = functional.relu(self.feed_forward_in(self.feed_forward_norm(hidden)))
        return hidden + self._drop(self.feed_forward_out(inner))

    def _attend(self, hidden: Tensor, mask: Tensor) -> Tensor:
        batch, length, width = hidden.shape
        parts = self.qkv(hidden).view(batch, length, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        context = functional.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=mask[:, None, None, :],
            dropout_p=self.dropout if self.training else 0.0,
        )
        output: Tensor = self.attention_out(context.transpose(1, 2).reshape(batch, length, width))
        return output

    def _drop(self, hidden: Tensor) -> Tensor:
        return functional.dropout(hidden, self.dropout, self.training)


class Student(nn.Module):
    """Character embeddings and positions → blocks → mean over the text → linear head.

    ``encode`` gives the representation R_S that mutual distillation compares and mixes, ``classify``
    turns a representation into logits; ``forward`` is their composition.

    Args:
        config: sizes and dropout.
        vocabulary: number of ids of the tokeniser.
        classes: number of labels.
        max_len: longest id sequence.
    """

    def __init__(self, config: StudentConfig, vocabulary: int, classes: int, max_len: int) -> None:
        super().__init__()
        self.config = config
        self.characters = nn.Embedding(vocabulary, config.width, padding_idx=PAD_ID)
        self.positions = nn.Embedding(max_len, config.width)
        self.blocks = nn.ModuleList(StudentBlock(config) for _ in range(config.layers))
        self.norm = nn.RMSNorm(config.width, eps=_EPSILON)
        self.head = nn.Linear(config.width, classes)
        self.apply(_initialise)

    def encode(self, ids: Tensor) -> Tensor:
        """Return representations ``[B, d]`` of ids ``[B, L]``, rows padded at the end with ``PAD_ID``."""
        mask = ids != PAD_ID
        hidden = self.characters(ids) + self.positions.weight[: ids.shape[1]]
        hidden = functional.dropout(hidden, self.config.dropout, self.training)
        for block in self.blocks:
            hidden = block(hidden, mask)
        weights = mask.unsqueeze(-1).to(hidden.dtype)
        mean: Tensor = (self.norm(hidden) * weights).sum(1) / weights.sum(1)
        return mean

    def classify(self, representation: Tensor) -> Tensor:
        """Return logits ``[B, C]`` of representations ``[B, d]``."""
        logits: Tensor = self.head(functional.dropout(representation, self.config.dropout, self.training))
        return logits

    def forward(self, ids: Tensor) -> Tensor:
        """Return logits ``[B, C]`` of ids ``[B, L]``."""
        return self.classify(self.encode(ids))


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Embedding):
        nn.init.normal_(module.weight, std=0.1)
        if module.padding_idx is not None:
            with torch.no_grad():
                module.weight[module.padding_idx].zero_()
