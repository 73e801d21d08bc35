"""onnxruntime, set up for a device that has other work to do as well."""

from __future__ import annotations

import onnxruntime as ort

from runtime.backends import Ids, Logits
from runtime.backends.screening import check_onnx
from runtime.errors import BackendError

_SILENT = 4
# For a host program that imported onnxruntime before this package; see runtime/offline.py.
ort.disable_telemetry_events()


class OnnxBackend:
    """Runs an ONNX graph from ``ids`` (int32 ``[B, L]``) to ``logits`` (float32 ``[B, C]``).

    Args:
        model: content of the ONNX file; nothing is written to disk.
        threads: threads of one call.
        where: names the file in messages.
        name: key of the model in the manifest.

    Raises:
        BundleError: it is no ONNX model, or reaches outside itself.
        BackendError: onnxruntime cannot load it, or it has other inputs or outputs.
    """

    # Short texts gain a factor of two from company, until the activations no longer fit the nearest cache.
    batch_tokens = 128

    def __init__(self, model: bytes, threads: int, where: str, name: str = "onnx") -> None:
        self.name = name
        self._where = where
        check_onnx(model, where)
        try:
            session = ort.InferenceSession(model, _options(threads), providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's exceptions have no public base class
            raise BackendError(f"{where}: onnxruntime cannot load it ({error!s:.200}); export it again") from error
        _check_signature(session, where)
        self._outputs = [session.get_outputs()[0].name]
        # There is no device to wait for; and without options of its own each call makes some, a microsecond.
        self._options = ort.RunOptions()
        self._options.add_run_config_entry("disable_synchronize_execution_providers", "1")
        # The inner session alone: the outer one keeps a second copy of the model for a retry on another
        # device, and checks each call for it, two of a hundred microseconds.
        self._run = getattr(session, "_sess", session).run

    def run(self, ids: Ids) -> Logits:
        """Return the logits ``[B, C]`` of ids ``[B, L]``, an array of the caller's own."""
        try:
            # Copied: what onnxruntime returns lies in the session's arena. In a forked child, to free it may wait for
            # ever for the arena's lock, which a thread held that only the parent has.
            logits: Logits = self._run(self._outputs, {"ids": ids}, self._options)[0].copy()
        except Exception as error:
            raise BackendError(f"{self._where}: onnxruntime cannot run it ({error!s:.200}); export it again") from error
        return logits


def _options(threads: int) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads  # with 1 there is no pool at all
    options.inter_op_num_threads = 1
    # An idle classifier must not keep a core busy.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # What was checked is this format; onnxruntime has another one, which it would recognise by its first bytes.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    # Left on: the arena, and one plan of all intermediate tensors for each shape, three hundredths of a call. Neither
    # grows without bound, because a call takes at most `batch_tokens` ids or one text: some hundred shapes in all.
    # What goes wrong is raised; nothing is to appear on the host program's stderr as well.
    options.log_severity_level = _SILENT
    return options


def _check_signature(session: ort.InferenceSession, where: str) -> None:
    inputs = [(tensor.name, tensor.type) for tensor in session.get_inputs()]
    outputs = [tensor.type for tensor in session.get_outputs()]
    if inputs != [("ids", "tensor(int32)")] or outputs != ["tensor(float)"]:
        raise BackendError(
            f"{where}: must map int32 'ids' to one float output, not {inputs} to {outputs}; export again"
        )
