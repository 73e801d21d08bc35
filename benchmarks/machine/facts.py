"""The machine and the versions that figures were taken on: figures without them mean nothing."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.machine.surroundings import ONE_THREAD

FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8", "asimd", "asimddp", "i8mm")
"""CPU flags that decide how fast INT8 is."""
DISTRIBUTIONS = (
    "numpy",
    "onnxruntime",
    "openvino",
    "torch",
    "transformers",
    "optimum",
    "optimum-onnx",
    "tokenizers",
    "fasttext-wheel",
    "jieba",
    "scikit-learn",
)
_CPUINFO = Path("/proc/cpuinfo")


def machine_facts() -> dict[str, object]:
    """Return date, CPU, affinity, load, thread settings and versions as JSON values."""
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpu": cpu_model(),
        "cpu_flags": [flag for flag in FLAGS if flag in cpu_flags()],
        "cpus": os.cpu_count(),
        "affinity": affinity(),
        "load": load(),
        "python": platform.python_version(),
        "threads": dict(ONE_THREAD),
        "versions": versions(DISTRIBUTIONS),
    }


def cpu_model(cpuinfo: Path = _CPUINFO) -> str:
    """Return the CPU's name, or what Python knows of it where there is no ``/proc/cpuinfo``."""
    fields = _fields(cpuinfo)
    return fields.get("model name") or platform.processor() or platform.machine()


def cpu_flags(cpuinfo: Path = _CPUINFO) -> frozenset[str]:
    """Return the CPU's feature flags; empty where the system does not tell."""
    fields = _fields(cpuinfo)
    return frozenset((fields.get("flags") or fields.get("Features") or "").split())


def affinity() -> list[int]:
    """Return the CPUs that this process may run on."""
    if sys.platform == "linux":
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def load() -> float | None:
    """Return the load average of the last minute: above one a CPU, others were measured too."""
    try:
        return round(os.getloadavg()[0], 2)
    except (AttributeError, OSError):  # Windows; a container without it
        return None


def versions(names: Iterable[str]) -> Mapping[str, str]:
    """Return the versions of those distributions that are installed."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _fields(cpuinfo: Path) -> dict[str, str]:
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    pairs = (line.partition(":") for line in lines)
    return {key.strip(): value.strip() for key, colon, value in reversed([*pairs]) if colon}
