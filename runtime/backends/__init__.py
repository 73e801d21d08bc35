"""Inference engines, one module each, behind one protocol."""

from __future__ import annotations

import os
from typing import Protocol

import numpy as np
import numpy.typing as npt

from runtime.bundles.bundle import Bundle
from runtime.errors import BackendError, ConfigError

CHOICES = ("auto", "onnx", "openvino", "fp32")
LOST_IN_FORK = "OpenVINO was started before this process was forked and does not survive that"
"""Why an engine for which :func:`lost_in_fork` holds does not serve."""

Ids = npt.NDArray[np.int32]
Logits = npt.NDArray[np.float32]

# The process that started OpenVINO; its scheduler (TBB) counts on that process's threads.
_openvino_process: int | None = None


class Backend(Protocol):
    """A loaded model. Any number of threads may run it at the same time.

    Attributes:
        name: its key in the manifest.
        batch_tokens: most ids that a call with several texts takes with profit, by measurement.
    """

    name: str
    batch_tokens: int

    def run(self, ids: Ids) -> Logits:
        """Return logits, float32 ``[B, C]``, of ids, int32 ``[B, L]``; their memory is not the engine's.

        Raises:
            BackendError: the engine cannot run the model on these ids.
        """
        ...


def openvino_starts() -> None:
    """Remember that this process starts OpenVINO; whoever makes a ``Core`` says so first."""
    global _openvino_process  # As many schedulers as processes: one.
    if not lost_in_fork("openvino"):
        _openvino_process = os.getpid()


def lost_in_fork(choice: str) -> bool:
    """Return whether an engine was started before this process was forked off, and can no longer run.

    OpenVINO has one scheduler for the whole process. In a forked child it waits now and then, while a model is
    compiled or when the child ends, for threads that only the parent has. onnxruntime's threads belong to a
    session, and a new session has new ones.
    """
    return choice == "openvino" and _openvino_process not in (None, os.getpid())


def usual_backend(bundle: Bundle) -> str:
    """Return what ``auto`` means: onnxruntime, or OpenVINO where the bundle was exported for that alone."""
    present = bundle.manifest.backends
    return "openvino" if "openvino" in present and "onnx" not in present else "onnx"


def open_backend(bundle: Bundle, choice: str, threads: int) -> Backend:
    """Load the bundle's model into the chosen engine; for ``auto`` see :func:`usual_backend`.

    Args:
        bundle: an opened bundle.
        choice: one of :data:`CHOICES`; ``fp32`` is the float model beside an INT8 one, on onnxruntime.
        threads: of one call; at least 1, and limited to the processors that this process may use.

    Raises:
        ConfigError: unknown engine, bad number of threads, or the engine's package is not installed.
        BundleError: the model is in another format, or reaches outside the bundle.
        BackendError: the bundle has no model for the engine, the engine cannot load it, or was lost in a fork.
    """
    if choice not in CHOICES:
        raise ConfigError(f"unknown backend {choice!r}; use {', '.join(CHOICES)}")
    if type(threads) is not int or threads < 1:
        raise ConfigError(f"threads must be a whole number of at least 1, not {threads!r}")
    name = usual_backend(bundle) if choice == "auto" else choice
    file = bundle.manifest.backends.get(name)
    if file is None:
        there = ", ".join(bundle.manifest.backends)
        option = "--keep-fp32" if name == "fp32" else f"--backend {name}"
        raise BackendError(f"{bundle.path} has no {name} model, only: {there}; export it with {option}")
    threads = min(threads, usable_processors())
    where = f"{bundle.path}, {file}"
    # Imported here: what is not chosen need not be installed, and costs no start-up time.
    if name != "openvino":
        from runtime.backends.onnx import OnnxBackend

        return OnnxBackend(bundle.read(file), threads, where, name)
    return _open_openvino(bundle, file, threads, where)


def usable_processors() -> int:
    """Return how many processors this process may use, of those that the machine has."""
    # In a container os.cpu_count() is that of the whole machine, and asking for more threads than allowed fails.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _open_openvino(bundle: Bundle, file: str, threads: int, where: str) -> Backend:
    if lost_in_fork("openvino"):
        raise BackendError(f"{where}: {LOST_IN_FORK}; use another backend, or start processes by spawning")
    from runtime.backends.openvino import OpenVinoBackend

    return OpenVinoBackend(bundle.read(file), bundle.read(file.removesuffix(".xml") + ".bin"), threads, where)
