"""What all tests of training share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from distill import cli
from tests.distill.tiny import write_tiny_data
from tests.threads import one_thread  # noqa: F401 - pytest finds the fixture here

if TYPE_CHECKING:
    from torch import Tensor


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny data set, one for each module, beside which it may write."""
    return write_tiny_data(tmp_path_factory.mktemp("tiny") / "data")


@pytest.fixture(scope="module")
def lm(data: Path) -> Path:
    """The tiny language model."""
    # Imported here: it brings transformers, which most tests do without.
    from tests.distill.tiny_lm import write_tiny_lm

    return write_tiny_lm(data.parent / "lm", data)


@pytest.fixture
def float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CPU without bfloat16: what is pinned holds on every machine."""
    monkeypatch.setattr("distill.lm.precision.cpu_has_bfloat16", lambda: False)


@pytest.fixture
def losses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The losses of all steps that a network has taken, as they come."""
    # Imported here, as above: it brings torch.
    from distill.training.trainee import Trainee

    taken: list[float] = []
    step = Trainee.step

    def record(self: Trainee, loss: Tensor) -> None:
        taken.append(float(loss.detach()))
        step(self, loss)

    monkeypatch.setattr(Trainee, "step", record)
    return taken


@pytest.fixture
def gm_distill(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run the command in this process; returns its exit code."""

    def command(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["gm-distill", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert isinstance(ended.value.code, int)
        return ended.value.code

    return command
