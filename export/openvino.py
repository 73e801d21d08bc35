"""The student as an OpenVINO model, quantised by NNCF.

Three of NNCF's defaults are changed, by measurement on trained students. Smooth quantisation, which moves
outliers from activations into weights, made the error of the logits five times as large (nothing here has
outliers). Ranges are the extremes of all calibration texts instead of a mean over them, which halved the rest.
The head stays in float: in INT8 it made the error up to fifteen times as large.
Leaving out attention or embeddings changed little; tables are quantised too, with a scale for each row.
The length stays dynamic: the runtime compiles the lengths that it meets.
"""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.graph import HEAD_PRODUCT
from runtime.backends import openvino_starts
from runtime.extras import needs_extra
from runtime.tokenizer import Ids

# As many as NNCF looks at by default.
_CALIBRATION_TEXTS = 300


@dataclass(frozen=True, slots=True)
class Ir:
    """Content of ``model.xml`` and ``model.bin``."""

    xml: bytes
    weights: bytes


def convert(model: bytes) -> Ir:
    """Convert an fp32 ONNX model of standard operators.

    Raises:
        ConfigError: OpenVINO is not installed.
    """
    openvino, _ = _packages()
    return _serialise(openvino, openvino.Core().read_model(model))


def convert_int8(model: bytes, calibration: Sequence[Ids], reduce_range: bool, keep_float: Sequence[str] = ()) -> Ir:
    """Convert an fp32 ONNX model of standard operators and quantise it.

    Args:
        model: content of the ONNX file, as :class:`export.graph.StandardEmitter` writes it.
        calibration: ids of development texts.
        reduce_range: 7-bit weights, see :class:`export.quantize.Scheme`.
        keep_float: names of linear layers to leave in float.

    Raises:
        ConfigError: OpenVINO or NNCF is not installed.
    """
    openvino, nncf = _packages()
    step = -(-len(calibration) // _CALIBRATION_TEXTS)
    texts = [ids[None] for ids in calibration[::step]]
    with _quiet(nncf):
        quantised = nncf.quantize(
            openvino.Core().read_model(model),
            nncf.Dataset(texts),
            model_type=nncf.ModelType.TRANSFORMER,
            subset_size=len(texts),
            ignored_scope=nncf.IgnoredScope(names=[HEAD_PRODUCT, *(f"{layer}.product" for layer in keep_float)]),
            advanced_parameters=_parameters(reduce_range),
        )
    return _serialise(openvino, quantised)


def _parameters(reduce_range: bool) -> Any:  # noqa: ANN401 - NNCF is not typed
    from nncf.quantization import advanced_parameters as advanced
    from nncf.quantization.range_estimator import RangeEstimatorParametersSet

    fix = advanced.OverflowFix
    return advanced.AdvancedQuantizationParameters(
        overflow_fix=fix.ENABLE if reduce_range else fix.DISABLE,
        smooth_quant_alphas=advanced.AdvancedSmoothQuantParameters(matmul=-1),
        activations_range_estimator_params=RangeEstimatorParametersSet.MINMAX,
    )


def _packages() -> tuple[Any, Any]:
    with needs_extra("--backend openvino", "export"):
        # Imported here: they take seconds, and few exports ask for them.
        import nncf
        import openvino
    openvino_starts()
    return openvino, nncf


@contextlib.contextmanager
def _quiet(nncf: Any) -> Iterator[None]:  # noqa: ANN401 - NNCF is not typed
    nncf.set_log_level(logging.ERROR)
    with contextlib.redirect_stdout(io.StringIO()):
        yield


def _serialise(openvino: Any, model: Any) -> Ir:  # noqa: ANN401 - OpenVINO is not typed
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.xml"
        openvino.save_model(model, path)
        return Ir(path.read_bytes(), path.with_suffix(".bin").read_bytes())
