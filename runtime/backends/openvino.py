"""OpenVINO, which is fastest when the shape of its input never changes."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from typing import Any

import numpy as np

from runtime.backends import Ids, Logits, openvino_starts
from runtime.backends.screening import check_openvino
from runtime.errors import BackendError
from runtime.extras import needs_extra

with needs_extra("the openvino backend", "openvino"):
    import openvino

# Compiling for one length takes as long as some hundred calls save, five megabytes and a thread; so a length
# must come often before it is compiled, and only this many stay.
_STATIC_AFTER = 64
_MOST_STATIC = 16


class OpenVinoBackend:
    """Runs an OpenVINO model from ``ids`` (int32 ``[B, L]``) to ``logits`` (float32 ``[B, C]``).

    A model of dynamic shape runs any input, but prepares itself anew whenever the shape changes. Texts of
    a length that comes often therefore get a model compiled for exactly that length.

    Args:
        xml: content of ``model.xml``.
        weights: content of ``model.bin``.
        threads: threads of one call.
        where: names the file in messages.

    Raises:
        BundleError: ``xml`` is not XML.
        BackendError: OpenVINO cannot load it, or it has other inputs or outputs.
    """

    name = "openvino"
    # Batches run on the dynamic model: larger ones mean fewer changes of shape.
    batch_tokens = 512

    def __init__(self, xml: bytes, weights: bytes, threads: int, where: str) -> None:
        self._where = where
        check_openvino(xml, where)
        self._settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            # Without it, processors with bfloat16 or half precision would use them and decide otherwise.
            "INFERENCE_PRECISION_HINT": "f32",
        }
        openvino_starts()
        try:
            self._core = openvino.Core()
            self._model = self._core.read_model(xml, openvino.Tensor(np.frombuffer(weights, np.uint8)))
            self._dynamic = _Compiled(self._core.compile_model(self._model, "CPU", self._settings))
        except Exception as error:  # OpenVINO raises RuntimeError and others, undocumented
            raise BackendError(f"{where}: OpenVINO cannot load it ({error!s:.200}); export it again") from error
        _check_signature(self._model, where)
        self._lock = threading.Lock()
        self._seen: Counter[int] = Counter()
        self._static: OrderedDict[int, _Compiled] = OrderedDict()

    def run(self, ids: Ids) -> Logits:
        """Return the logits ``[B, C]`` of ids ``[B, L]``."""
        try:
            compiled = self._dynamic if len(ids) > 1 else self._for_length(ids.shape[1])
            return compiled.run(ids)
        except RuntimeError as error:
            raise BackendError(f"{self._where}: OpenVINO cannot run it ({error!s:.200}); export it again") from error

    def _for_length(self, length: int) -> _Compiled:
        with self._lock:
            compiled = self._static.get(length)
            if compiled is not None:
                self._static.move_to_end(length)
                return compiled
            self._seen[length] += 1
            if self._seen[length] < _STATIC_AFTER:
                return self._dynamic
            # A length that loses its model has to earn it again, or two would evict each other at every call.
            del self._seen[length]
            if len(self._static) >= _MOST_STATIC:
                self._static.popitem(last=False)
            compiled = self._static[length] = self._compile(length)
            return compiled

    def _compile(self, length: int) -> _Compiled:
        model = self._model.clone()
        model.reshape([1, length])
        return _Compiled(self._core.compile_model(model, "CPU", self._settings))


class _Compiled:
    """A compiled model, with one inference request for each thread that runs it."""

    def __init__(self, compiled: Any) -> None:  # noqa: ANN401 - OpenVINO has no type stubs
        self._compiled = compiled
        self._local = threading.local()

    def run(self, ids: Ids) -> Logits:
        """Return the logits ``[B, C]`` of ids ``[B, L]``, an array of the caller's own."""
        request = getattr(self._local, "request", None)
        if request is None:
            request = self._local.request = self._compiled.create_infer_request()
        # Copied in and out: a shared input would be written to by the next call, a shared output read from it.
        logits: Logits = request.infer([ids], share_inputs=False, share_outputs=False)[0]
        return logits


def _check_signature(model: Any, where: str) -> None:  # noqa: ANN401 - OpenVINO has no type stubs
    names = [port.get_any_name() for port in model.inputs]
    types = [port.get_element_type().get_type_name() for port in (*model.inputs, *model.outputs)]
    if names != ["ids"] or types != ["i32", "f32"]:
        raise BackendError(f"{where}: must map int32 'ids' to one float output, not {names} of {types}; export again")
