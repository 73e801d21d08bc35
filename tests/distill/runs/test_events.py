"""Means over an epoch, and that a run notices when training has diverged."""

import pytest
import torch

from distill.runs.events import Means
from runtime.errors import ConfigError


def test_means_weigh_batches_by_their_texts() -> None:
    means = Means()
    means.add(1, {"loss": torch.tensor(4.0)})
    means.add(3, {"loss": torch.tensor(0.0)})
    assert means.values() == {"loss": 1.0}


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_says_what_to_do(loss: float) -> None:
    means = Means()
    means.add(2, {"student": torch.tensor(loss)})
    with pytest.raises(ConfigError, match=r"^training diverged: the loss 'student' is (nan|inf); lower"):
        means.values()
