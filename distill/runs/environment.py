"""What a run ran on, and on what data: ``environment.json``."""

from __future__ import annotations

import platform
from datetime import datetime, timezone
from importlib.metadata import version
from typing import Any

import torch

from distill.data.corpus import Corpus

_PACKAGES = ("gm-edge", "torch-geometric", "transformers", "numpy", "safetensors")


def machine(seed: int, device: torch.device) -> dict[str, Any]:
    """Return seed, device, threads and versions of a run that ends now, for ``environment.json``."""
    return {
        "finished_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "seed": seed,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
        "versions": {
            "python": platform.python_version(),
            # With what it was built for (+cpu, +cu130), which the version of the package may leave out.
            "torch": torch.__version__,
            **{name: version(name) for name in _PACKAGES},
        },
    }


def environment(seed: int, device: torch.device, corpus: Corpus, seconds: float) -> dict[str, Any]:
    """Return what a run ran on and on what data, for ``environment.json``."""
    return {
        **machine(seed, device),
        "data_fingerprint": corpus.fingerprint,
        "rows": {"train": len(corpus.train), "dev": len(corpus.dev), "test": len(corpus.test)},
        "dropped": corpus.dropped,
        "wall_s": round(seconds, 1),
    }
