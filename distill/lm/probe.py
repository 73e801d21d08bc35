"""What a classifier on a frozen encoder starts as: logistic regression.

A head of random weights spoils the encoder before it has learned to read it: the first gradients that reach the layers
below are noise. Fitted first, the head asks of them only what it cannot do itself (Kumar et al. 2022,
arXiv:2202.10054).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from distill.imbalance import LabelLoss

_MOST_STEPS = 200
# Below any spread that a feature of a working encoder has.
_SMALLEST_SPREAD = 1e-6


def fit_probe(
    features: Tensor, labels: Tensor, classes: int, penalty: float, label_loss: LabelLoss
) -> tuple[Tensor, Tensor]:
    """Return weights ``[C, d]`` and bias ``[C]`` of a logistic regression; they act on features as they are.

    It is fitted to features of mean 0 and deviation 1: those of sentence encoders share one large mean, beside which
    what tells texts apart is small.

    Args:
        features: ``[n, d]``, on any device.
        labels: class ids ``[n]``.
        classes: number C of classes.
        penalty: of half the squared weights, against the sum of the losses; 1/C in scikit-learn's terms.
        label_loss: mean loss of logits ``[n, C]``.
    """
    mean, spread = features.mean(0), features.std(0, correction=0).clamp_min(_SMALLEST_SPREAD)
    standard = (features - mean) / spread
    weight = features.new_zeros(classes, features.shape[1]).requires_grad_()
    bias = features.new_zeros(classes).requires_grad_()
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=_MOST_STEPS, line_search_fn="strong_wolfe")

    def objective() -> Tensor:
        optimiser.zero_grad()
        loss = label_loss(functional.linear(standard, weight, bias), labels)
        loss = loss + penalty / (2 * len(features)) * weight.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(objective)  # type: ignore[no-untyped-call]
    unscaled = weight.detach() / spread
    return unscaled, bias.detach() - unscaled @ mean
