"""Events that a run reports while it trains, and the mean losses in them, which must be finite."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any

import torch
from torch import Tensor

from runtime.errors import ConfigError

Event = dict[str, Any]
Report = Callable[[Event], None]


class Means:
    """Means over an epoch, each batch weighed by its texts."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._texts: dict[str, int] = {}

    def add(self, texts: int, values: Mapping[str, Tensor]) -> None:
        """Add the values of a batch of ``texts`` texts."""
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, torch.zeros_like(value)) + texts * value.detach()
            self._texts[name] = self._texts.get(name, 0) + texts

    def values(self) -> dict[str, float]:
        """Return the means.

        Raises:
            ConfigError: one is not a finite number: training has diverged.
        """
        means = {name: float(total) / self._texts[name] for name, total in self._sums.items()}
        refuse_divergence(means)
        return means


def refuse_divergence(losses: Mapping[str, float]) -> None:
    """Refuse to go on, or to keep the state, if a loss is not a finite number.

    Raises:
        ConfigError: one is not a finite number: training has diverged.
    """
    for name, loss in losses.items():
        if not isfinite(loss):
            advice = "lower the learning rate and train anew"
            raise ConfigError(f"training diverged: the loss {name!r} is {loss}; {advice}")
