"""The processes of a training run: one, or several with a GPU each that ``accelerate launch`` started.

With one process, nothing of accelerate is imported: plain torch, and the same result every time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, nn

from distill.training.device import choose_device

# All others wait while the first one encodes the texts, for hours where there are many. They do so in a group of their
# own: in that of the gradients, whose patience of ten minutes is right for these, one that hangs would hold all GPUs.
_PATIENCE = timedelta(days=1)


class Processes:
    """This process and its place among the others.

    Attributes:
        count: number of processes.
        index: number of this one, from 0.
        device: where this one computes.
    """

    def __init__(self, device: str) -> None:
        self.count = int(os.environ.get("WORLD_SIZE", "1"))
        self._accelerator = _accelerator(device) if self.count > 1 else None
        self._waiting = _group_that_waits() if self._accelerator else None
        self.index: int = self._accelerator.process_index if self._accelerator else 0
        self.device: torch.device = self._accelerator.device if self._accelerator else choose_device(device)

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and reports."""
        return self.index == 0

    def parallel(self, module: nn.Module) -> nn.Module:
        """Return ``module`` so that its gradients are the means over the processes."""
        prepared: nn.Module = self._accelerator.prepare(module) if self._accelerator else module
        return prepared

    def accumulating(self, module: nn.Module, last: bool) -> AbstractContextManager[None]:
        """Return the context of one backward pass: processes exchange gradients in the ``last`` of a step only."""
        if self._accelerator is None or last:
            return nullcontext()
        context: AbstractContextManager[None] = self._accelerator.no_sync(module)
        return context

    def sum(self, value: Tensor) -> Tensor:
        """Return the sum of ``value`` over the processes."""
        total: Tensor = self._accelerator.reduce(value, "sum") if self._accelerator else value
        return total

    @contextmanager
    def one_after_the_first(self) -> Iterator[None]:
        """Let the first process run the block before the others do."""
        if not self.first:
            self._wait()
        yield
        if self.first:
            self._wait()

    def _wait(self) -> None:
        if self._waiting is not None:
            torch.distributed.barrier(group=self._waiting)


def _accelerator(device: str) -> Any:  # noqa: ANN401 - the type would import the package
    from accelerate import Accelerator

    return Accelerator(cpu=device == "cpu")


def _group_that_waits() -> torch.distributed.ProcessGroup | None:
    group: torch.distributed.ProcessGroup | None = torch.distributed.new_group(timeout=_PATIENCE, backend="gloo")
    return group
