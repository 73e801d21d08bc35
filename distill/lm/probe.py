"""What a classifier on a frozen encoder starts as: logistic regression.

A head of random weights spoils the encoder before it has learned to read it: the first gradients that reach the layers
below are noise. Fitted first, the head asks of them only what it cannot do itself (Kumar et al. 2022,
arXiv:2202.10054).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from distill.training.imbalance import LabelLoss
from runtime.errors import ConfigError

_MOST_STEPS = 200
# A feature that spreads less, beside its mean, is a constant and the rounding of it.
_SMALLEST_SPREAD = 1e-5


def fit_probe(
    features: Tensor, labels: Tensor, classes: int, penalty: float, label_loss: LabelLoss
) -> tuple[Tensor, Tensor]:
    """Return weights ``[C, d]`` and bias ``[C]`` of a logistic regression; they act on features as they are.

    It is fitted to features of mean 0 and deviation 1: those of sentence encoders share one large mean, beside which
    what tells texts apart is small. A feature that is the same for all texts has no say.

    Args:
        features: ``[n, d]``, on any device.
        labels: class ids ``[n]``.
        classes: number C of classes.
        penalty: of half the squared weights, against the sum of the losses; 1/C in scikit-learn's terms.
        label_loss: mean loss of logits ``[n, C]``.

    Raises:
        ConfigError: a feature of a text is not a finite number.
    """
    if not features.isfinite().all():
        raise ConfigError("the encoder gives values that are not finite numbers; name a sound one by lm.folder")
    mean, spread = features.mean(0), features.std(0, correction=0)
    spread = spread.masked_fill(spread <= _SMALLEST_SPREAD * mean.abs(), torch.inf)
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
