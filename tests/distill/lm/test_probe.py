"""The logistic regression that a head starts as."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from distill.config.sections import ImbalanceConfig
from distill.lm.probe import fit_probe
from distill.training.imbalance import label_loss_for
from distill.training.losses import label_loss
from runtime.errors import ConfigError

plain = partial(label_loss, smoothing=0.0)


@pytest.fixture
def features() -> torch.Tensor:
    """Features ``[90, 5]`` with a large common mean and little spread, as sentence encoders give them."""
    generator = torch.Generator().manual_seed(0)
    return 10.0 + 0.05 * torch.randn(90, 5, generator=generator)


@pytest.fixture
def labels(features: torch.Tensor) -> torch.Tensor:
    """Three classes ``[90]`` that the first two features tell apart, not always."""
    noise = 0.02 * torch.randn(90, 3, generator=torch.Generator().manual_seed(1))
    middle = torch.full((90, 1), 10.02)
    return (torch.cat([features[:, :2], middle], 1) + noise).argmax(1)


@pytest.mark.parametrize("penalty", [1.0, 100.0])
def test_it_is_the_regression_of_scikit_learn(features: torch.Tensor, labels: torch.Tensor, penalty: float) -> None:
    weight, bias = fit_probe(features, labels, 3, penalty, plain)
    standard = ((features - features.mean(0)) / features.std(0, correction=0)).numpy()
    peer = LogisticRegression(C=1 / penalty, max_iter=1000, tol=1e-8).fit(standard, labels.numpy())
    ours = torch.softmax(features @ weight.T + bias, 1).numpy()
    np.testing.assert_allclose(ours, peer.predict_proba(standard), atol=2e-3)


def test_same_data_same_probe(features: torch.Tensor, labels: torch.Tensor) -> None:
    one, other = (fit_probe(features, labels, 3, 10.0, plain) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("constant", [0.0, 0.1, 3.0, 123.456])
def test_feature_without_spread_has_no_say(features: torch.Tensor, labels: torch.Tensor, constant: float) -> None:
    many, theirs = features.repeat(37, 1), labels.repeat(37)
    many[:, 4] = constant
    weight, bias = fit_probe(many, theirs, 3, 1.0, plain)
    assert weight[:, 4].tolist() == [0.0, 0.0, 0.0]
    assert weight[:, 0].abs().max() > 0
    assert torch.isfinite(bias).all()


def test_broken_encoder_is_refused(features: torch.Tensor, labels: torch.Tensor) -> None:
    features[3, 2] = torch.nan
    with pytest.raises(ConfigError, match=r"not finite numbers; name a sound one by lm\.folder"):
        fit_probe(features, labels, 3, 1.0, plain)


def test_classes_weigh_as_in_training(features: torch.Tensor, labels: torch.Tensor) -> None:
    labels[:] = 0
    labels[:9] = 1
    balanced = label_loss_for(labels, ImbalanceConfig(class_weights="balanced"), smoothing=0.0)
    found = [
        (features @ weight.T + bias).argmax(1).bincount(minlength=2)[1]
        for weight, bias in (fit_probe(features, labels, 2, 100.0, loss) for loss in (plain, balanced))
    ]
    assert found[0] == 0 < found[1]
