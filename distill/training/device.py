"""The device of a run, and the precision in which students and graph networks compute on it."""

from __future__ import annotations

import torch

from runtime.errors import ConfigError


def choose_device(name: str) -> torch.device:
    """Return the device that ``auto``, ``cpu`` or ``cuda`` means here.

    Raises:
        ConfigError: there is no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device cuda: torch sees no GPU here; use --device cpu, or install torch with CUDA")
    return torch.device(name)


def mixed_precision(device: torch.device) -> torch.autocast:
    """Return the context in which students and graph networks compute: bfloat16 on a GPU, float32 on a CPU.

    Language models have a context of their own, :func:`distill.lm.precision.lm_precision`.
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")
