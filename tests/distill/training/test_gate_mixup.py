"""Indicator, gate and augmentation, against numbers worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from distill.config.gate_mixup import AblateConfig, GateMixupConfig
from distill.training.gate_mixup import augment, gate, indicator, lesson

PROBABILITIES = torch.tensor([[0.7, 0.2, 0.1], [0.3, 0.6, 0.1], [0.1, 0.1, 0.8]])
LABELS = torch.tensor([0, 0, 2])
R = torch.tensor([[1.0, -2.0, 4.0, 3.0], [0.5, 0.25, -1.0, 2.0], [3.0, 1.0, 1.0, -1.0]])
NOBODY = torch.tensor([False, False, False])
EVERYTHING_ON = AblateConfig()


def config(**keys: Any) -> GateMixupConfig:  # noqa: ANN401
    return GateMixupConfig(**keys)


class Doubling:
    """A classifier whose logits are twice the first three numbers of the representation."""

    def classify(self, representation: Tensor) -> Tensor:
        """Return logits ``[B, 3]``."""
        return 2.0 * representation[:, :3]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("true_class_probability", [0.7, 0.3, 0.8]),
        ("correct_margin", [0.5, 0.0, 0.7]),  # 0.3 - 0.6 is clipped
        ("batch_accuracy", [2 / 3, 2 / 3, 2 / 3]),
        ("batch_macro_f1", [5 / 9, 5 / 9, 5 / 9]),  # classes 0, 1, 2 have F1 2/3, 0, 1
    ],
)
def test_indicator(kind: str, expected: list[float]) -> None:
    assert indicator(kind, PROBABILITIES, LABELS).tolist() == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["true_class_probability", "correct_margin", "batch_accuracy", "batch_macro_f1"])
def test_indicator_is_between_0_and_1(kind: str) -> None:
    torch.manual_seed(0)
    scores = indicator(kind, torch.randn(50, 4).mul(5).softmax(1), torch.randint(0, 4, (50,)))
    assert scores.shape == (50,)
    assert scores.min() >= 0.0
    assert scores.max() <= 1.0


def test_gate_passes_scores_from_the_threshold_on() -> None:
    scores = torch.tensor([0.0, 0.49, 0.5, 0.9])
    assert gate(scores, 0.5).tolist() == [False, False, True, True]
    assert gate(scores, 0.0).tolist() == [True] * 4


def test_lesson_augments_nothing_where_the_threshold_is_0() -> None:
    certain = torch.tensor([[400.0, 0.0, 0.0], [0.0, 400.0, 0.0]])
    taught = lesson(Doubling(), certain, torch.tensor([1, 1]), config(threshold=0.0, dropout=0.5), EVERYTHING_ON)
    assert taught.passed.all()  # though the first scores 0
    assert torch.equal(taught.representation, certain)


def test_only_rows_that_the_gate_stopped_are_augmented() -> None:
    torch.manual_seed(0)
    changed = augment(R, torch.tensor([True, False, True]), config(dropout=0.5), EVERYTHING_ON)
    assert torch.equal(changed[[0, 2]], R[[0, 2]])
    assert not torch.equal(changed[1], R[1])


def test_without_dropout_mixup_returns_the_representation_and_the_residual_doubles_it() -> None:
    torch.manual_seed(0)
    assert augment(R, NOBODY, config(dropout=0.0, residual="mean"), EVERYTHING_ON) == pytest.approx(R)
    assert augment(R, NOBODY, config(dropout=0.0, residual="sum"), EVERYTHING_ON) == pytest.approx(2 * R)


def test_dropped_out_representation_alone_when_mixup_and_residual_are_off() -> None:
    torch.manual_seed(0)
    changed = augment(R, NOBODY, config(dropout=0.5), AblateConfig(mixup=True, residual=True))
    # Dropout at 0.5 leaves a number out or doubles it.
    assert ((changed == 0) | (changed == 2 * R)).all()
    assert (changed == 0).any()
    assert (changed != 0).any()


def test_mixup_weight_is_one_for_each_text() -> None:
    torch.manual_seed(0)
    ones = torch.ones(200, 16)
    nobody = torch.zeros(200, dtype=torch.bool)
    changed = augment(ones, nobody, config(dropout=0.5), AblateConfig(residual=True))
    # λ·1 + (1 - λ)·{0, 2} = λ or 2 - λ: two values in each row, which sum to 2.
    for row in changed:
        low, high = row.min(), row.max()
        assert ((row - low).abs().minimum((row - high).abs()) < 1e-6).all()
        assert low + high == pytest.approx(2.0, abs=1e-5)
    assert len(set(changed.amin(1).tolist())) > 100


def test_mixup_weights_follow_the_beta_distribution() -> None:
    torch.manual_seed(0)
    ones = torch.ones(20_000, 8)
    nobody = torch.zeros(len(ones), dtype=torch.bool)
    weights = augment(ones, nobody, config(dropout=0.5, mixup_alpha=0.4), AblateConfig(residual=True)).amin(1)
    # Beta(α, α) has mean 1/2 and variance 1 / (4 (2α + 1)); rows without a dropped number are rare.
    assert weights.mean() == pytest.approx(0.5, abs=0.02)
    assert weights.var() == pytest.approx(1 / (4 * 1.8), abs=0.01)


def test_residual_mean_lies_halfway() -> None:
    torch.manual_seed(1)
    alone = augment(R, NOBODY, config(dropout=0.5), AblateConfig(residual=True))
    torch.manual_seed(1)
    joined = augment(R, NOBODY, config(dropout=0.5, residual="mean"), EVERYTHING_ON)
    assert joined == pytest.approx((R + alone) / 2)


def test_lesson_passes_what_scores_well_and_augments_the_rest() -> None:
    torch.manual_seed(0)
    labels = torch.tensor([2, 0, 1])  # softmax of the doubled rows: 0.998, 0.61 and 0.018 for these
    taught = lesson(Doubling(), R, labels, config(threshold=0.5, dropout=0.5), EVERYTHING_ON)
    assert taught.passed.tolist() == [True, True, False]
    assert torch.equal(taught.logits[:2], 2 * R[:2, :3])
    assert not torch.equal(taught.representation[2], R[2])
    assert torch.equal(taught.logits, 2 * taught.representation[:, :3])


@pytest.mark.parametrize(("ablate", "passed"), [(AblateConfig(gate=True), True), (AblateConfig(indicator=True), False)])
def test_without_gate_all_pass_and_without_indicator_none(ablate: AblateConfig, passed: bool) -> None:
    torch.manual_seed(0)
    taught = lesson(Doubling(), R, LABELS, config(), ablate)
    assert taught.passed.tolist() == [passed] * 3
