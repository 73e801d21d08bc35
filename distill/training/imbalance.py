"""What training does about classes of unequal size: weights, and logit adjustment.

Both act on the cross-entropy alone and work from the labels of the training texts, so a checkpoint keeps nothing of
them. A network is always asked for its plain logits: by the other network, on the development set, and after export.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from distill.config.sections import ImbalanceConfig
from distill.training.losses import label_loss

LabelLoss = Callable[[Tensor, Tensor], Tensor]
"""Turns logits ``[B, C]`` and class ids ``[B]`` into a scalar."""

_POWERS = {"none": 0.0, "sqrt": 0.5, "balanced": 1.0}


def label_loss_for(labels: Tensor, config: ImbalanceConfig, smoothing: float) -> LabelLoss:
    """Return the loss to train with; it is :func:`label_loss` itself where nothing is asked for.

    Args:
        labels: class ids ``[n]`` of the training texts, on the device of the training. Every class occurs:
            the classes of a corpus are those of its training texts.
        config: what is asked for.
        smoothing: label smoothing.
    """
    if config == ImbalanceConfig():
        return partial(label_loss, smoothing=smoothing)
    counts = torch.bincount(labels)
    return BalancedLoss(
        weights=class_weights(counts, config.class_weights),
        shift=config.logit_adjustment * log_priors(counts),
        smoothing=smoothing,
    )


def class_weights(counts: Tensor, kind: str) -> Tensor:
    """Return the weights ``[C]`` of classes with ``counts`` ``[C]`` of texts; their mean over the texts is 1.

    Args:
        counts: texts of each class, at least one.
        kind: ``none``, ``sqrt`` (in proportion to 1/√n) or ``balanced`` (to 1/n).
    """
    weights = counts.double() ** -_POWERS[kind]
    return (weights * counts.sum() / (weights * counts).sum()).float()


def log_priors(counts: Tensor) -> Tensor:
    """Return the logarithm ``[C]`` of the share that each class has of the texts."""
    return (counts.double() / counts.sum()).log().float()


@dataclass(frozen=True, slots=True, eq=False)
class BalancedLoss:
    """The cross-entropy of shifted logits, each text weighed by its class.

    With a shift of τ·log prior the network learns plain logits from which the sizes of the classes are gone (logit
    adjustment; Menon et al. 2021, arXiv:2007.07314): at τ = 1 they rank the classes as if all were equally frequent.

    Attributes:
        weights: ``[C]``, of a text of each class.
        shift: ``[C]``, added to the logits.
        smoothing: what is taken from a label and given to all classes.
    """

    weights: Tensor
    shift: Tensor
    smoothing: float

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of logits ``[B, C]`` with class ids ``[B]``."""
        losses = functional.cross_entropy(logits + self.shift, self._targets(labels), reduction="none")
        # Not torch's own weighted mean, which divides by the weights in the batch: a rare text that is alone in its
        # batch would weigh no more than any other. Nor its weights under smoothing, which also weigh the classes that
        # a label is smoothed to: with 1/n and a smoothing of 0.1, rare ones can get most of a frequent label.
        return (self.weights[labels] * losses).mean()

    def _targets(self, labels: Tensor) -> Tensor:
        """Return the smoothed labels ``[B, C]``: what is taken from the label is spread as the shift is.

        The plain logits that fit them are smoothed evenly, then, as without a shift. Were the labels smoothed evenly,
        the plain logits could be highest for a rare class even where the label of a frequent one is certain.
        """
        own = functional.one_hot(labels, len(self.shift)).to(self.shift.dtype)
        return (1.0 - self.smoothing) * own + self.smoothing * self.shift.softmax(0)
