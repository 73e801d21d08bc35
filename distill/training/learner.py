"""One of the two networks that teach each other, and what mutual learning asks of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, cast

from torch import Tensor, nn

from distill.config.gate_mixup import TrainingConfig
from distill.training.batches import Batch
from distill.training.trainee import Trainee


class Network(Protocol):
    """What mutual learning asks of a network."""

    def encode(self, inputs: Any) -> Tensor:  # noqa: ANN401 - ids for one network, graphs for the other
        """Return representations ``[B, d]``."""

    def answers(self, representation: Tensor) -> tuple[Tensor, ...]:
        """Return the logits ``[B, C]`` of each part that answers, and learns, alone."""

    def classify(self, representation: Tensor) -> Tensor:
        """Return logits ``[B, C]``: what the parts say together."""


class Learner(Trainee):
    """One of the two networks that learn from labels and from each other.

    Args:
        module: the network; a :class:`Network`.
        projection: from its own representation to that of the other network.
        inputs: picks from a batch what the network reads.
        lr: peak learning rate.
        settings: weight decay and gradient clip.
    """

    def __init__(
        self,
        module: nn.Module,
        projection: nn.Module,
        inputs: Callable[[Batch], Any],
        lr: float,
        settings: TrainingConfig,
    ) -> None:
        super().__init__(module, projection, settings.gradient_clip)
        self.network = cast(Network, module)
        self.inputs = inputs
        self.lr = lr
        self.weight_decay = settings.weight_decay

    def start(self, lr_share: float, warmup: int, steps: int) -> None:
        """Begin a phase of ``steps`` batches: the rate rises to ``lr_share`` of the peak, then falls to 0."""
        self.begin_cosine(lr_share * self.lr, self.weight_decay, warmup, steps)
