"""Indicator, gate and augmentation of Gate-Mixup, after the published claims of CN115481249B.

Pure functions on tensors; B texts, C classes, representations of width d. What is random draws from
torch's global generator, as dropout inside the networks does, so that one seed and one saved state
cover a run. Only the claims are public, no formula: each choice that they leave open is a recipe key.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.distributions import Beta
from torch.nn import functional

from distill.config.gate_mixup import AblateConfig, GateMixupConfig
from distill.training.metrics import macro_f1


class Classifies(Protocol):
    """A network that turns representations ``[B, d]`` into logits ``[B, C]``."""

    def classify(self, representation: Tensor) -> Tensor:
        """Return logits ``[B, C]``."""


class Lesson(NamedTuple):
    """What one network teaches about a batch.

    Attributes:
        representation: R', ``[B, d]``.
        logits: of R', ``[B, C]``.
        passed: ``[B]``, true where the gate let R and its logits pass as they are.
    """

    representation: Tensor
    logits: Tensor
    passed: Tensor


def indicator(kind: str, probabilities: Tensor, labels: Tensor) -> Tensor:
    """Score each output of the network that teaches.

    Args:
        kind: ``true_class_probability`` P[y]; ``correct_margin`` P[y] minus the largest other
            probability, not below 0; ``batch_accuracy`` or ``batch_macro_f1``, one score for all.
        probabilities: ``[B, C]``, rows sum to 1.
        labels: class ids ``[B]``.

    Returns:
        Scores ``[B]`` between 0 and 1.
    """
    true_class = probabilities.gather(1, labels[:, None]).squeeze(1)
    if kind == "true_class_probability":
        return true_class
    if kind == "correct_margin":
        others = probabilities.scatter(1, labels[:, None], 0.0)
        return (true_class - others.amax(1)).clamp(0.0, 1.0)
    predicted = probabilities.argmax(1)
    if kind == "batch_accuracy":
        return (predicted == labels).to(probabilities.dtype).mean().expand_as(true_class)
    score = macro_f1(labels.cpu().numpy(), predicted.cpu().numpy(), probabilities.shape[1])
    return torch.full_like(true_class, score)


def gate(scores: Tensor, threshold: float) -> Tensor:
    """Return which outputs pass, ``[B]``: those whose score does not lie below the threshold."""
    return scores >= threshold


def augment(representation: Tensor, passed: Tensor, config: GateMixupConfig, ablate: AblateConfig) -> Tensor:
    """Mix the representations that the gate stopped with their own dropped-out copy.

    R_DA = λR + (1 - λ)·dropout(R), λ ~ Beta(α, α) drawn for each text; the residual joins it with R.

    Args:
        representation: R, ``[B, d]``.
        passed: ``[B]``, true where the representation stays as it is.
        config: dropout rate, α and kind of residual.
        ablate: ``mixup`` leaves dropout(R) alone, ``residual`` leaves out R.

    Returns:
        R', ``[B, d]``.
    """
    mixed = functional.dropout(representation, config.dropout)
    if not ablate.mixup:
        weight = _mixup_weights(representation, config.mixup_alpha)
        mixed = weight * representation + (1.0 - weight) * mixed
    if not ablate.residual:
        mixed = representation + mixed if config.residual == "sum" else (representation + mixed) / 2
    return torch.where(passed[:, None], representation, mixed)


def lesson(
    network: Classifies, representation: Tensor, labels: Tensor, config: GateMixupConfig, ablate: AblateConfig
) -> Lesson:
    """Return what ``network`` teaches about a batch: indicator, gate, augmentation, classification.

    Args:
        network: the one that teaches.
        representation: its R, ``[B, d]``.
        labels: class ids ``[B]``.
        config: kind of indicator, threshold, and how to augment.
        ablate: ``indicator`` scores all 0, ``gate`` lets all pass; see :func:`augment` for the others.
    """
    if ablate.gate:
        passed = torch.ones_like(labels, dtype=torch.bool)
    elif ablate.indicator:
        passed = torch.zeros_like(labels, dtype=torch.bool)
    else:
        probabilities = network.classify(representation).softmax(1)
        passed = gate(indicator(config.indicator, probabilities, labels), config.threshold)
    augmented = augment(representation, passed, config, ablate)
    return Lesson(augmented, network.classify(augmented), passed)


def _mixup_weights(representation: Tensor, alpha: float) -> Tensor:
    parameter = torch.tensor(alpha, device=representation.device)
    weights: Tensor = Beta(parameter, parameter).sample(torch.Size([len(representation), 1]))
    return weights.to(representation.dtype)
