"""The state of an unfinished run: one safetensors file, replaced in one step.

It holds weights, optimisers and random state as tensors, and everything else as JSON in its header.
It is one file, so that a kill at any moment leaves a complete state, the old or the new.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.optim import Optimizer

from runtime.errors import DataError
from runtime.files import atomic_path

Tensors = dict[str, Tensor]


def write_checkpoint(path: Path, tensors: Tensors, state: dict[str, Any]) -> None:
    """Write ``tensors`` and the JSON values of ``state``, atomically."""
    with atomic_path(path) as temporary:
        save_file(_unshared(tensors), temporary, metadata={"state": json.dumps(state)})


def read_checkpoint(path: Path) -> tuple[Tensors, dict[str, Any]]:
    """Return what :func:`write_checkpoint` wrote, tensors on the CPU.

    Raises:
        DataError: the file cannot be read or is not a checkpoint.
    """
    with _opened(path) as stored:
        return {name: stored.get_tensor(name) for name in stored.keys()}, _state(stored)  # noqa: SIM118


def read_state(path: Path) -> dict[str, Any]:
    """Return the JSON values of a checkpoint, without reading its tensors.

    Raises:
        DataError: the file cannot be read or is not a checkpoint.
    """
    with _opened(path) as stored:
        return _state(stored)


def _unshared(tensors: Tensors) -> Tensors:
    """Return ``tensors`` on the CPU, none of which shares memory with another; only those that do are copied."""
    stored = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    memory = Counter(tensor.untyped_storage().data_ptr() for tensor in stored.values())
    shared = {name for name, tensor in stored.items() if memory[tensor.untyped_storage().data_ptr()] > 1}
    return {name: tensor.clone() if name in shared else tensor for name, tensor in stored.items()}


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with safe_open(path, framework="pt") as stored:
            yield stored
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise DataError(f"{path} is not a checkpoint; start again without --resume in another --out") from error


def _state(stored: Any) -> dict[str, Any]:  # noqa: ANN401 - safetensors does not export its type
    state: dict[str, Any] = json.loads((stored.metadata() or {})["state"])
    return state


def with_prefix(prefix: str, tensors: Tensors) -> Tensors:
    """Return ``tensors`` with ``prefix/`` before every name."""
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}


def under_prefix(prefix: str, tensors: Tensors) -> Tensors:
    """Return the tensors that :func:`with_prefix` named, under their own names."""
    start = f"{prefix}/"
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}


def optimiser_tensors(optimiser: Optimizer) -> Tensors:
    """Return the moments and step counts of ``optimiser``, named ``parameter/moment``."""
    moments = optimiser.state_dict()["state"]
    return {f"{index}/{name}": value for index, named in moments.items() for name, value in named.items()}


def restore_optimiser(optimiser: Optimizer, tensors: Tensors, groups: list[dict[str, Any]]) -> None:
    """Put back what :func:`optimiser_tensors` and the optimiser's ``param_groups`` gave."""
    moments: dict[int, Tensors] = {}
    for name, tensor in tensors.items():
        index, _, moment = name.partition("/")
        moments.setdefault(int(index), {})[moment] = tensor
    optimiser.load_state_dict({"state": moments, "param_groups": groups})


def random_state() -> Tensors:
    """Return the state of torch's global generators, on the CPU and on the GPUs there are."""
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def restore_random_state(states: Tensors) -> None:
    """Put back what :func:`random_state` gave; a state of a GPU that is not here is left alone."""
    torch.set_rng_state(states["cpu"])
    if torch.cuda.is_available() and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"])
