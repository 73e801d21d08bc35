"""The loss of mutual distillation: labels, softened outputs and representations."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor
from torch.nn import functional

from distill.recipe import GateMixupConfig


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
    2015, arXiv:1503.02531).

    Args:
        logits: ``[B, C]`` of the network that learns.
        taught: ``[B, C]`` of the network that teaches; no gradient flows into them.
        temperature: T, above 0.
    """
    target = functional.log_softmax(taught.detach() / temperature, dim=1)
    output = functional.log_softmax(logits / temperature, dim=1)
    return temperature**2 * functional.kl_div(output, target, reduction="batchmean", log_target=True)


def representation_loss(projected: Tensor, taught: Tensor) -> Tensor:
    """Return the squared distance of ``[B, d]`` from ``[B, d]``, the mean over batch and width.

    The mean over the width, not the sum, lets one weight serve networks of any width.
    """
    return functional.mse_loss(projected, taught.detach())


def mutual_loss(labels: Tensor, distillation: Tensor, representation: Tensor, config: GateMixupConfig) -> MutualLoss:
    """Return (1 - a)·labels + a·distillation + b·representation and its parts.

    Args:
        labels: scalar, from :func:`label_loss`.
        distillation: scalar, from :func:`distillation_loss`.
        representation: scalar, from :func:`representation_loss`.
        config: a is ``distill_weight``, b is ``representation_weight``.
    """
    a, b = config.distill_weight, config.representation_weight
    return MutualLoss((1.0 - a) * labels + a * distillation + b * representation, labels, distillation, representation)
