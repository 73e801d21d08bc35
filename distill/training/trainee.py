"""A network together with all that trains it, and its part of a checkpoint."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LRScheduler
from transformers import get_cosine_schedule_with_warmup

from distill.models.student import parameter_groups
from distill.runs.checkpoint import Tensors, optimiser_tensors, restore_optimiser, under_prefix, with_prefix


class Trainee:
    """A network that learns, its optimiser, and the best weights so far.

    Args:
        module: the network.
        projection: what learns with it but is no part of the result.
        gradient_clip: largest norm of the network's gradient.
    """

    def __init__(self, module: nn.Module, projection: nn.Module, gradient_clip: float) -> None:
        self.module = module
        self.projection = projection
        self.gradient_clip = gradient_clip
        self.best: Tensors = {}
        self.best_f1 = -1.0

    def begin(self, optimiser: AdamW, schedule: LRScheduler) -> None:
        """Begin a phase with an optimiser over the network and the projection."""
        self.optimiser, self.schedule = optimiser, schedule

    def begin_cosine(self, lr: float, weight_decay: float, warmup: int, steps: int) -> None:
        """Begin a phase of ``steps`` batches: the rate rises to ``lr`` over ``warmup`` of them, then falls to 0.

        Some parts learn faster: see :func:`distill.models.student.parameter_groups`.
        """
        groups = [*parameter_groups(self.module, lr), {"params": list(self.projection.parameters()), "lr": lr}]
        # Fused: this saves a tenth of a step on a CPU, most of what networks this small spend outside matrix products.
        optimiser = AdamW(groups, weight_decay=weight_decay, fused=True)
        self.begin(optimiser, get_cosine_schedule_with_warmup(optimiser, warmup, steps))

    def step(self, loss: Tensor) -> None:
        """Update the weights once by the gradient of ``loss``."""
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.module.parameters(), self.gradient_clip)
        self.optimiser.step()
        self.schedule.step()

    def keep_if_better(self, f1: float) -> bool:
        """Keep a copy of the weights if ``f1`` beats the best so far; say whether it did."""
        if f1 <= self.best_f1:
            return False
        self.best_f1 = f1
        self.best = {name: tensor.detach().clone() for name, tensor in self.module.state_dict().items()}
        return True

    def continue_from_best(self) -> None:
        """Put the best weights back into the network."""
        self.module.load_state_dict(self.best)

    def forget_score(self) -> None:
        """Forget the best score: the next weights that are scored become the best."""
        self.best_f1 = -1.0

    def tensors(self) -> Tensors:
        """Return weights, best weights, projection and moments of the optimiser, for a checkpoint."""
        return {
            **with_prefix("weights", self.module.state_dict()),
            **with_prefix("best", self.best),
            **with_prefix("projection", self.projection.state_dict()),
            **with_prefix("optimiser", optimiser_tensors(self.optimiser)),
        }

    def state(self) -> dict[str, Any]:
        """Return the JSON values that belong to :meth:`tensors`."""
        groups = self.optimiser.state_dict()["param_groups"]
        return {"best_f1": self.best_f1, "groups": groups, "schedule": self.schedule.state_dict()}

    def restore(self, tensors: Tensors, state: dict[str, Any]) -> None:
        """Put back what :meth:`tensors` and :meth:`state` gave, in a phase that was started."""
        self.module.load_state_dict(under_prefix("weights", tensors))
        device = next(self.module.parameters()).device
        self.best = {name: tensor.to(device) for name, tensor in under_prefix("best", tensors).items()}
        self.best_f1 = state["best_f1"]
        self.projection.load_state_dict(under_prefix("projection", tensors))
        restore_optimiser(self.optimiser, under_prefix("optimiser", tensors), state["groups"])
        self.schedule.load_state_dict(state["schedule"])
