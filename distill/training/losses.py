"""The losses of distillation: labels, softened outputs, representations, and what lies between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from distill.config.gate_mixup import GateMixupConfig

# A character that attends to another with less than this may as well not.
_SMALLEST = 1e-6


class MutualLoss(NamedTuple):
    """The weighted sum and its parts, each a scalar; ``total`` is what a step minimises."""

    total: Tensor
    labels: Tensor
    distillation: Tensor
    representation: Tensor


def label_loss(logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    """Return the cross-entropy of logits ``[B, C]`` with class ids ``[B]``, labels smoothed."""
    return functional.cross_entropy(logits, labels, label_smoothing=smoothing)


def distillation_loss(logits: Tensor, taught: Tensor, temperature: float) -> Tensor:
    """Return T²·KL(softmax(taught/T) ‖ softmax(logits/T)), the mean over the batch.

    The factor T² keeps the gradient's size when the temperature changes (Hinton, Vinyals and Dean
    2015, arXiv:1503.02531). Plain logits are compared, with no shift for the sizes of the classes:
    where both networks learn from the labels with one, what it takes from the logits is taken from
    both (:mod:`distill.training.imbalance`).

    Args:
        logits: ``[B, C]`` of the network that learns.
        taught: ``[B, C]`` of the network that teaches; no gradient flows into them.
        temperature: T, above 0.
    """
    target = functional.log_softmax(taught.detach() / temperature, dim=1)
    output = functional.log_softmax(logits / temperature, dim=1)
    return temperature**2 * functional.kl_div(output, target, reduction="batchmean", log_target=True)


def mean_loss(answers: Sequence[Tensor], loss: Callable[[Tensor], Tensor]) -> Tensor:
    """Return the mean of ``loss`` over the logits ``[B, C]`` of each part of a network that answers alone."""
    return torch.stack([loss(logits) for logits in answers]).mean()


def representation_loss(projected: Tensor, taught: Tensor) -> Tensor:
    """Return the squared distance of ``[B, d]`` from ``[B, d]``, the mean over batch and width.

    The mean over the width, not the sum, lets one weight serve networks of any width.
    """
    return functional.mse_loss(projected, taught.detach())


def hidden_loss(projected: Tensor, taught: Tensor, there: Tensor, kind: str) -> Tensor:
    """Return the distance of hidden states, the mean over the characters that are there.

    The taught states are normalised (mean 0, variance 1), so that one weight serves every teacher.

    Args:
        projected: ``[B, L, d]`` of the network that learns, after projection to the teacher's width.
        taught: ``[B, L, d]``; no gradient flows into them.
        there: ``[B, L]``, true where the states count.
        kind: ``mse``, the mean over the width, or ``cosine``, one minus the cosine.
    """
    own, target = projected[there], functional.layer_norm(taught[there].detach(), taught.shape[-1:])
    if kind == "cosine":
        return (1.0 - functional.cosine_similarity(own, target, dim=-1)).sum() / max(len(own), 1)
    return functional.mse_loss(own, target, reduction="sum") / max(own.numel(), 1)


def attention_loss(attention: Tensor, taught: Tensor, there: Tensor) -> Tensor:
    """Return KL(taught ‖ attention), the mean over the characters that are there.

    Args:
        attention: ``[B, L, L]`` of the network that learns; rows sum to 1.
        taught: ``[B, L, L]``; rows that are there sum to 1; no gradient flows into them.
        there: ``[B, L]``, true for the rows that count.
    """
    own, target = attention[there].clamp_min(_SMALLEST).log(), taught[there].detach()
    return functional.kl_div(own, target, reduction="sum") / max(len(own), 1)


def mutual_loss(labels: Tensor, distillation: Tensor, representation: Tensor, config: GateMixupConfig) -> MutualLoss:
    """Return (1 - a)·labels + a·distillation + b·representation and its parts.

    Args:
        labels: scalar, from :func:`label_loss` or what :mod:`distill.training.imbalance` has in its place.
        distillation: scalar, from :func:`distillation_loss`.
        representation: scalar, from :func:`representation_loss`.
        config: a is ``distill_weight``, b is ``representation_weight``.
    """
    a, b = config.distill_weight, config.representation_weight
    return MutualLoss((1.0 - a) * labels + a * distillation + b * representation, labels, distillation, representation)
