"""The student: a small Transformer over the characters of a text, and beside it the mean of n-gram embeddings."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from distill.config.sections import StudentConfig
from distill.models.bag import Bag
from runtime.cascade import BIGRAM_FACTOR
from runtime.tokenizer import PAD_ID

_EPSILON = 1e-6
# Rows that a handful of texts have are seldom learnt from: at the rate of the rest, sets of a thousand texts end before
# they say anything.
_RARE_RATE = 5.0


class StudentBlock(nn.Module):
    """Normalisation of the states, which no path leads around, then self-attention and feed-forward, each added.

    But for the last feed-forward, which takes the place of the states: what is averaged over the text is linear in what
    its rectifier lets through, so that an exported graph takes that mean first and multiplies one vector.

    The query, key and value projections are one matrix, ordered query | key | value: the layout that
    onnxruntime's attention operators expect. Normalisation is by the root mean square (Zhang and Sennrich 2019,
    "Root Mean Square Layer Normalization"), once a block; what attention gives is added without a projection (compare
    He and Hofmann 2024, "Simplifying Transformer Blocks", arXiv:2311.01906); the layer into the feed-forward has no
    bias. Each spares the exported graph work (``benchmarks/README.md``) and costs no accuracy that could be measured.

    Args:
        config: sizes and dropout.
        last: whether it is the student's last block.
    """

    def __init__(self, config: StudentConfig, *, last: bool) -> None:
        super().__init__()
        self.last = last
        self.heads = config.heads
        self.dropout = config.dropout
        self.norm = nn.RMSNorm(config.width, eps=_EPSILON)
        self.qkv = nn.Linear(config.width, 3 * config.width)
        self.feed_forward_in = nn.Linear(config.width, config.feed_forward, bias=False)
        # After the last one comes the head, whose bias is enough.
        self.feed_forward_out = nn.Linear(config.feed_forward, config.width, bias=not last)

    def forward(self, hidden: Tensor, mask: Tensor, beside: Tensor | None = None) -> Tensor:
        """Return the next hidden states ``[B, L, d]``.

        Args:
            hidden: states ``[B, L, d]``.
            mask: ``[B, L]``, true where there is text.
            beside: ``[B, L, d]``, added to the normalised states.
        """
        normalised = self.norm(hidden)
        hidden = self._drop(normalised if beside is None else normalised + beside)
        hidden = hidden + self._drop(self._attend(hidden, mask))
        fed = self._drop(self.feed_forward_out(functional.relu(self.feed_forward_in(hidden))))
        return fed if self.last else hidden + fed

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
        return context.transpose(1, 2).reshape(batch, length, width)

    def _drop(self, hidden: Tensor) -> Tensor:
        return functional.dropout(hidden, self.dropout, self.training)


def bigram_rows(ids: Tensor, buckets: int) -> Tensor:
    """Return the row ``[B, L]`` of each character and the one behind it; see :func:`runtime.cascade.table_rows`."""
    # What follows the last character is padding, in a full row as well.
    following = functional.pad(ids[:, 1:], (0, 1), value=PAD_ID)
    return (ids * BIGRAM_FACTOR + following) % buckets


class NGrams(Bag):
    """The mean of the embeddings of a text's characters and hashed character bigrams, and a linear head for it.

    Rows are those of :func:`runtime.cascade.table_rows`.

    Args:
        buckets: rows, a power of two.
        width: of the embeddings.
        classes: number of labels.
    """

    def __init__(self, buckets: int, width: int, classes: int) -> None:
        super().__init__(buckets, width, classes)
        self.buckets = buckets

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Return means ``[B, width]`` of ids ``[B, L]``; ``mask`` is true where there is text."""
        rows = torch.cat([ids % self.buckets, bigram_rows(ids, self.buckets)], 1)
        there = torch.cat([mask, mask], 1).unsqueeze(-1).to(self.rows.weight.dtype)
        mean: Tensor = (self.rows(rows) * there).sum(1) / there.sum(1)
        return mean


class Student(nn.Module):
    """Character embeddings → blocks → mean over the text → linear head; beside them n-grams → linear head.

    The logits are the mean of those of the Transformer and of the n-grams. The two share no weight, and each learns
    labels and outputs as if it were alone (``answers``), so that the mean is that of an ensemble. N-grams are about as
    good as the Transformer, and err on other texts.

    The Transformer sees a text as a set of characters: order is what the bigrams know. Positions gained nothing on
    three sets, and without them all that comes before the first product depends on the character alone: the exported
    graph looks it up. With ``bigram_buckets`` it sees each character with the one behind it: the embedding of that
    hashed bigram, from a table of its own, is added to the normalised one of the character.

    ``encode`` gives the representation R_S that mutual distillation compares and mixes: the mean of the Transformer's
    states, then that of the n-grams. ``classify`` turns a representation into logits; ``forward`` is their composition.

    Args:
        config: sizes and dropout.
        vocabulary: number of ids of the tokeniser.
        classes: number of labels.
    """

    def __init__(self, config: StudentConfig, vocabulary: int, classes: int) -> None:
        super().__init__()
        self.config = config
        self.characters = nn.Embedding(vocabulary, config.width, padding_idx=PAD_ID)
        self.blocks = nn.ModuleList(
            StudentBlock(config, last=depth == config.layers) for depth in range(1, config.layers + 1)
        )
        self.head = nn.Linear(config.width, classes)
        self.apply(_initialise)
        if config.bigram_buckets:
            # Zeros, so that a pair which no training text has adds nothing; they draw no random numbers, so all else
            # begins as without them.
            zeros = torch.zeros(config.bigram_buckets, config.width)
            self.bigrams = nn.Embedding.from_pretrained(zeros, freeze=False)  # type: ignore[no-untyped-call]
        self.representation_width = config.width
        if config.ngram_buckets:
            self.ngrams = NGrams(config.ngram_buckets, config.ngram_width, classes)
            self.representation_width += config.ngram_width

    def encode(self, ids: Tensor) -> Tensor:
        """Return representations ``[B, r]`` of ids ``[B, L]``, rows padded at the end with ``PAD_ID``."""
        mask = ids != PAD_ID
        buckets = self.config.bigram_buckets
        beside = self.bigrams(bigram_rows(ids, buckets)) if buckets else None
        hidden: Tensor = self.blocks[0](self.characters(ids), mask, beside)
        for block in self.blocks[1:]:
            hidden = block(hidden, mask)
        weights = mask.unsqueeze(-1).to(hidden.dtype)
        mean: Tensor = (hidden * weights).sum(1) / weights.sum(1)
        return torch.cat([mean, self.ngrams(ids, mask)], 1) if self.config.ngram_buckets else mean

    def answers(self, representation: Tensor) -> tuple[Tensor, ...]:
        """Return logits ``[B, C]`` of the Transformer, and of the n-grams where there are any."""
        dropped = functional.dropout(representation, self.config.dropout, self.training)
        by_transformer: Tensor = self.head(dropped[:, : self.config.width])
        if not self.config.ngram_buckets:
            return (by_transformer,)
        return by_transformer, self.ngrams.head(dropped[:, self.config.width :])

    def classify(self, representation: Tensor) -> Tensor:
        """Return logits ``[B, C]`` of representations ``[B, r]``: the mean of the answers."""
        return torch.stack(self.answers(representation)).mean(0)

    def forward(self, ids: Tensor) -> Tensor:
        """Return logits ``[B, C]`` of ids ``[B, L]``."""
        return self.classify(self.encode(ids))


def parameter_groups(module: nn.Module, lr: float) -> list[dict[str, Any]]:
    """Return the parameters of a network with their learning rates: ``lr``, and five times as much for rare rows.

    Those are the bigrams of the student's Transformer, and each :class:`~distill.models.bag.Bag` with its head.
    """
    fast = [parameter for part in module.modules() for parameter in _rare(part)]
    rest = [parameter for parameter in module.parameters() if all(parameter is not one for one in fast)]
    groups: list[dict[str, Any]] = [{"params": rest, "lr": lr}]
    return [*groups, {"params": fast, "lr": _RARE_RATE * lr}] if fast else groups


def _rare(module: nn.Module) -> list[nn.Parameter]:
    if isinstance(module, Student) and module.config.bigram_buckets:
        return list(module.bigrams.parameters())
    return list(module.parameters()) if isinstance(module, Bag) else []


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
