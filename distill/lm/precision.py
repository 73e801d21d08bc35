"""In what precision language models compute."""

from __future__ import annotations

import torch


def lm_precision(device: torch.device, precision: str = "auto") -> torch.autocast:
    """Return the context in which a language model computes.

    Args:
        device: where it lives.
        precision: ``float32``, ``bfloat16``, or ``auto``: bfloat16 on a GPU, and on a CPU that has instructions for it.
    """
    enabled = computes_in(device, precision) == "bfloat16"
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)


def computes_in(device: torch.device, precision: str = "auto") -> str:
    """Return what ``precision`` means on ``device``: ``float32`` or ``bfloat16``."""
    if precision != "auto":
        return precision
    return "bfloat16" if device.type == "cuda" or cpu_has_bfloat16() else "float32"


def cpu_has_bfloat16() -> bool:
    """Return whether this CPU multiplies in bfloat16 (AVX512-BF16, AMX); others would be slower by it.

    An older torch cannot tell and says no.
    """
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
