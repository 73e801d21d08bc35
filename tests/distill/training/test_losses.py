"""Each part of the loss against a number worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from distill.config.gate_mixup import GateMixupConfig
from distill.training.losses import (
    attention_loss,
    distillation_loss,
    hidden_loss,
    label_loss,
    mutual_loss,
    representation_loss,
)

LOG_2, LOG_3 = math.log(2), math.log(3)


def test_label_loss_is_the_cross_entropy() -> None:
    # softmax of (log 3, 0) is (3/4, 1/4)
    logits = torch.tensor([[LOG_3, 0.0], [LOG_3, 0.0]])
    labels = torch.tensor([0, 1])
    assert label_loss(logits, labels, 0.0).item() == pytest.approx((math.log(4 / 3) + math.log(4)) / 2)


def test_label_smoothing_moves_weight_to_all_classes() -> None:
    logits, labels = torch.tensor([[LOG_3, 0.0]]), torch.tensor([0])
    # smoothing 0.2: target (0.9, 0.1)
    assert label_loss(logits, labels, 0.2).item() == pytest.approx(0.9 * math.log(4 / 3) + 0.1 * math.log(4))


def test_distillation_loss_is_the_divergence_from_the_teacher() -> None:
    # teacher (3/4, 1/4), student (1/2, 1/2): KL = 3/4 log(3/2) + 1/4 log(1/2)
    loss = distillation_loss(torch.zeros(1, 2), torch.tensor([[LOG_3, 0.0]]), 1.0)
    assert loss.item() == pytest.approx(0.75 * math.log(1.5) + 0.25 * math.log(0.5))


def test_distillation_loss_at_a_temperature() -> None:
    # at T = 2 the teacher's (2 log 2, 0) is (2/3, 1/3); the factor is T² = 4
    loss = distillation_loss(torch.zeros(1, 2), torch.tensor([[2 * LOG_2, 0.0]]), 2.0)
    assert loss.item() == pytest.approx(4 * (2 / 3 * math.log(4 / 3) + 1 / 3 * math.log(2 / 3)))


def test_distillation_loss_is_zero_for_equal_outputs() -> None:
    logits = torch.tensor([[1.0, -2.0, 0.5]])
    assert distillation_loss(logits, logits + 3.0, 2.0).item() == pytest.approx(0.0, abs=1e-6)


def test_representation_loss_is_the_mean_squared_distance() -> None:
    loss = representation_loss(torch.tensor([[1.0, 2.0], [0.0, 0.0]]), torch.tensor([[0.0, 0.0], [0.0, 2.0]]))
    assert loss.item() == pytest.approx((1 + 4 + 0 + 4) / 4)


def test_mutual_loss_weighs_its_parts() -> None:
    parts = torch.tensor(1.0), torch.tensor(2.0), torch.tensor(3.0)
    loss = mutual_loss(*parts, GateMixupConfig(distill_weight=0.25, representation_weight=0.1))
    assert loss.total.item() == pytest.approx(0.75 * 1 + 0.25 * 2 + 0.1 * 3)
    assert (loss.labels, loss.distillation, loss.representation) == parts


def test_no_gradient_reaches_what_teaches() -> None:
    taught = torch.randn(2, 3, requires_grad=True)
    learned = torch.randn(2, 3, requires_grad=True)
    torch.autograd.backward(distillation_loss(learned, taught, 2.0) + representation_loss(learned, taught))
    assert taught.grad is None
    assert learned.grad is not None


THERE = torch.tensor([[True, False]])


def test_hidden_loss_compares_with_normalised_states_that_are_there() -> None:
    # (1, 3) normalised is (-1, 1); the second character does not count
    own, taught = torch.tensor([[[0.0, 0.0], [9.0, 9.0]]]), torch.tensor([[[1.0, 3.0], [5.0, 7.0]]])
    assert hidden_loss(own, taught, THERE, "mse").item() == pytest.approx(1.0, rel=1e-4)


def test_hidden_loss_by_cosine() -> None:
    own, taught = torch.tensor([[[-2.0, 2.0], [9.0, 9.0]]]), torch.tensor([[[1.0, 3.0], [5.0, 7.0]]])
    assert hidden_loss(own, taught, THERE, "cosine").item() == pytest.approx(0.0, abs=1e-6)
    assert hidden_loss(-own, taught, THERE, "cosine").item() == pytest.approx(2.0)


def test_attention_loss_is_the_divergence_from_the_teachers_map() -> None:
    own = torch.tensor([[[0.5, 0.5], [0.0, 1.0]]])
    taught = torch.tensor([[[0.75, 0.25], [1.0, 0.0]]])
    expected = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    assert attention_loss(own, taught, THERE).item() == pytest.approx(expected)
    assert attention_loss(taught, taught, THERE).item() == pytest.approx(0.0, abs=1e-6)


def test_attention_on_what_the_teacher_ignores_costs_no_more_than_a_bound() -> None:
    own, taught = torch.tensor([[[0.0, 1.0], [0.0, 1.0]]]), torch.tensor([[[1.0, 0.0], [1.0, 0.0]]])
    assert attention_loss(own, taught, THERE).item() == pytest.approx(math.log(1e6))


@pytest.mark.parametrize("kind", ["mse", "cosine"])
def test_text_without_any_token_costs_nothing(kind: str) -> None:
    nowhere = torch.zeros(1, 2, dtype=torch.bool)
    assert hidden_loss(torch.ones(1, 2, 3), torch.ones(1, 2, 3), nowhere, kind).item() == 0.0
    assert attention_loss(torch.ones(1, 2, 2), torch.ones(1, 2, 2), nowhere).item() == 0.0
