"""Weights and logit adjustment against numbers worked out by hand, and what they do for a rare class."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from distill.config.sections import ImbalanceConfig
from distill.training.imbalance import BalancedLoss, LabelLoss, class_weights, label_loss_for, log_priors
from distill.training.losses import label_loss

LABELS = torch.tensor([1, 0, 1, 1, 1])
"""One text of class 0, four of class 1."""
COUNTS = torch.tensor([1, 4])
EVEN = torch.zeros(1, 2)
"""Logits that prefer no class."""


PLAIN = ImbalanceConfig()
SQRT, BALANCED = ImbalanceConfig(class_weights="sqrt"), ImbalanceConfig(class_weights="balanced")
HALF, ADJUSTED = ImbalanceConfig(logit_adjustment=0.5), ImbalanceConfig(logit_adjustment=1.0)


def loss_for(config: ImbalanceConfig, smoothing: float = 0.0, labels: Tensor = LABELS) -> LabelLoss:
    return label_loss_for(labels, config, smoothing)


@pytest.mark.parametrize(
    ("kind", "weights"),
    # 1/√n is (1, 1/2), whose mean over the five texts is 3/5; 1/n is (1, 1/4), and 2/5.
    [("none", [1.0, 1.0]), ("sqrt", [5 / 3, 5 / 6]), ("balanced", [5 / 2, 5 / 8])],
)
def test_weights_of_classes(kind: str, weights: list[float]) -> None:
    assert class_weights(COUNTS, kind).tolist() == pytest.approx(weights)
    assert class_weights(COUNTS, kind)[LABELS].mean().item() == pytest.approx(1.0)


def test_priors_are_shares_of_the_texts() -> None:
    assert log_priors(COUNTS).exp().tolist() == pytest.approx([0.2, 0.8])


def test_each_text_is_weighed_by_its_class() -> None:
    # softmax of (log 3, 0) is (3/4, 1/4)
    logits, labels = torch.tensor([[math.log(3), 0.0]]).repeat(2, 1), torch.tensor([0, 1])
    expected = (5 / 2 * math.log(4 / 3) + 5 / 8 * math.log(4)) / 2
    assert loss_for(BALANCED)(logits, labels).item() == pytest.approx(expected)


def test_rare_text_alone_in_its_batch_keeps_its_weight() -> None:
    loss = loss_for(BALANCED)(EVEN, torch.tensor([0]))
    assert loss.item() == pytest.approx(5 / 2 * math.log(2))


def test_smoothing_of_a_weighed_text_is_weighed_alike() -> None:
    # target (0.1, 0.9); softmax of (log 3, 0) is (3/4, 1/4)
    loss = loss_for(BALANCED, 0.2)(torch.tensor([[math.log(3), 0.0]]), torch.tensor([1]))
    assert loss.item() == pytest.approx(5 / 8 * (0.1 * math.log(4 / 3) + 0.9 * math.log(4)))


def test_even_logits_say_the_priors_when_adjusted() -> None:
    adjusted = loss_for(ADJUSTED)
    assert adjusted(EVEN, torch.tensor([0])).item() == pytest.approx(math.log(5))
    assert adjusted(EVEN, torch.tensor([1])).item() == pytest.approx(math.log(5 / 4))


def test_tau_is_the_power_of_the_priors() -> None:
    # √0.2 to √0.8 is 1 to 2
    assert loss_for(HALF)(EVEN, torch.tensor([0])).item() == pytest.approx(math.log(3))


def test_smoothing_of_an_adjusted_label_follows_the_priors() -> None:
    # smoothing 0.2: target (0.8 + 0.2 · 0.2, 0.2 · 0.8)
    loss = loss_for(ADJUSTED, 0.2)(EVEN, torch.tensor([0]))
    assert loss.item() == pytest.approx(0.84 * math.log(5) + 0.16 * math.log(5 / 4))


@pytest.mark.parametrize("own", [0, 1, 2])
def test_plain_logits_that_fit_a_smoothed_label_name_its_class(own: int) -> None:
    adjusted = loss_for(ADJUSTED, 0.1, torch.tensor([0, *[1] * 10, *[2] * 5000]))
    assert isinstance(adjusted, BalancedLoss)
    target = 0.9 * functional.one_hot(torch.tensor([own]), 3) + 0.1 * adjusted.shift.exp()
    logits = (target.log() - adjusted.shift).requires_grad_()
    torch.autograd.backward(adjusted(logits, torch.tensor([own])))
    assert logits.grad is not None
    assert logits.grad.abs().max().item() < 1e-6  # there is no lower loss
    assert logits.argmax().item() == own
    others = logits.detach()[0, [other for other in range(3) if other != own]]
    assert others[0].item() == pytest.approx(others[1].item(), abs=1e-4)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_default_is_the_plain_loss_bit_for_bit(smoothing: float) -> None:
    torch.manual_seed(0)
    logits, labels = torch.randn(64, 2), torch.randint(2, (64,))
    before = torch.get_rng_state()
    assert torch.equal(loss_for(PLAIN, smoothing)(logits, labels), label_loss(logits, labels, smoothing))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("config", [SQRT, BALANCED, ADJUSTED])
def test_classes_of_equal_size_are_treated_as_by_default(config: ImbalanceConfig) -> None:
    torch.manual_seed(0)
    logits, labels = torch.randn(6, 3), torch.tensor([0, 1, 2]).repeat(2)
    torch.testing.assert_close(loss_for(config, 0.1, labels)(logits, labels), label_loss(logits, labels, 0.1))


def recalls(loss: LabelLoss, labels: Tensor) -> list[float]:
    """Return the recall of each of two overlapping classes after training two weights for each."""
    torch.manual_seed(0)
    features = torch.stack([torch.randn(len(labels)) + 1.5 * labels, torch.ones(len(labels))], dim=1)
    weights = torch.zeros(2, 2, requires_grad=True)
    optimiser = torch.optim.Adam([weights], lr=0.1)
    for _ in range(200):
        optimiser.zero_grad()
        torch.autograd.backward(loss(features @ weights, labels))
        optimiser.step()
    right = (features @ weights).argmax(1) == labels
    return [right[labels == one].float().mean().item() for one in (0, 1)]


@pytest.mark.parametrize(("half", "full"), [(SQRT, BALANCED), (HALF, ADJUSTED)])
def test_rare_class_is_found_more_often(half: ImbalanceConfig, full: ImbalanceConfig) -> None:
    labels = (torch.arange(1000) % 20 == 0).long()  # one in twenty
    found = [recalls(loss_for(config, labels=labels), labels) for config in (PLAIN, half, full)]
    assert found[0][1] < found[1][1] < found[2][1]
    frequent, rare = found[2]
    assert abs(frequent - rare) < 0.15
