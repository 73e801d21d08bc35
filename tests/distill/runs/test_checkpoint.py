"""A checkpoint gives back weights, optimiser and random state, and refuses anything else."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from distill.runs.checkpoint import (
    optimiser_tensors,
    random_state,
    read_checkpoint,
    read_state,
    restore_optimiser,
    restore_random_state,
    under_prefix,
    with_prefix,
    write_checkpoint,
)
from runtime.errors import DataError


def trained(steps: int) -> tuple[nn.Linear, torch.optim.AdamW]:
    """Return a layer and its optimiser after some steps."""
    torch.manual_seed(0)
    layer = nn.Linear(3, 2)
    optimiser = torch.optim.AdamW(layer.parameters(), lr=0.1)
    step(layer, optimiser, steps)
    return layer, optimiser


def step(layer: nn.Linear, optimiser: torch.optim.AdamW, steps: int) -> None:
    for _ in range(steps):
        optimiser.zero_grad()
        torch.autograd.backward(layer(torch.ones(1, 3)).square().sum())
        optimiser.step()


def test_optimiser_goes_on_as_if_never_stopped(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    layer, optimiser = trained(3)
    groups = optimiser.state_dict()["param_groups"]
    write_checkpoint(
        path,
        {**with_prefix("layer", layer.state_dict()), **with_prefix("adam", optimiser_tensors(optimiser))},
        {"groups": groups},
    )
    tensors, state = read_checkpoint(path)
    other, other_optimiser = trained(0)
    other.load_state_dict(under_prefix("layer", tensors))
    restore_optimiser(other_optimiser, under_prefix("adam", tensors), state["groups"])
    step(layer, optimiser, 2)
    step(other, other_optimiser, 2)
    assert torch.equal(layer.weight, other.weight)


def test_random_numbers_go_on_as_if_never_stopped() -> None:
    state = random_state()
    expected = torch.rand(4)
    restore_random_state(state)
    assert torch.equal(torch.rand(4), expected)


def test_tensors_that_share_memory_are_written_apart(tmp_path: Path) -> None:
    both = torch.arange(6.0)
    write_checkpoint(tmp_path / "state", {"whole": both, "part": both[:3], "turned": both.view(2, 3).T}, {})
    tensors, _ = read_checkpoint(tmp_path / "state")
    assert tensors["part"].tolist() == [0.0, 1.0, 2.0]
    assert tensors["turned"].tolist() == [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]


def test_a_part_of_a_larger_memory_is_written_alone(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "state", {"part": torch.arange(1000.0)[10:12]}, {})
    tensors, _ = read_checkpoint(tmp_path / "state")
    assert tensors["part"].tolist() == [10.0, 11.0]
    assert (tmp_path / "state").stat().st_size < 500


def test_state_is_read_without_the_tensors(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "state", {"weights": torch.ones(2)}, {"done": 1})
    assert read_state(tmp_path / "state") == {"done": 1}


@pytest.mark.parametrize("content", [b"", b"{}", b"\x08\x00\x00\x00\x00\x00\x00\x00{}      "])
def test_anything_else_is_no_checkpoint(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state").write_bytes(content)
    with pytest.raises(DataError, match="not a checkpoint"):
        read_checkpoint(tmp_path / "state")
    with pytest.raises(DataError, match="not a checkpoint"):
        read_state(tmp_path / "state")
