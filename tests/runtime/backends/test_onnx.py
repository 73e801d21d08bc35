"""onnxruntime gives the numbers that numpy gives, and says what is wrong with a model."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from runtime.backends.onnx import OnnxBackend
from runtime.errors import BackendError, BundleError
from tests.runtime.small_bundles import Model

MODEL = Model(vocabulary=10)


def test_logits_are_those_of_numpy_for_any_shape() -> None:
    backend = OnnxBackend(MODEL.onnx().SerializeToString(), 1, "model.onnx")
    for batch, length in [(1, 1), (1, 7), (3, 5)]:
        ids = np.arange(batch * length, dtype=np.int32).reshape(batch, length) % 10
        logits = backend.run(ids)
        assert logits.dtype == np.float32
        np.testing.assert_allclose(logits, [MODEL.logits(row) for row in ids], rtol=1e-5)


@pytest.mark.parametrize("batch", [1, 3])
def test_logits_own_their_memory(batch: int) -> None:
    """That of onnxruntime's arena cannot be freed in a forked child."""
    logits = OnnxBackend(MODEL.onnx().SerializeToString(), 1, "model.onnx").run(np.zeros((batch, 4), np.int32))
    assert logits.base is None
    assert logits.flags.owndata


@pytest.mark.parametrize("content", [b"", b"no model", MODEL.onnx().SerializeToString()[:-10]])
def test_what_is_no_model_is_refused(content: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    says = r"^model\.onnx: (onnxruntime cannot load it|is no ONNX model)"
    with pytest.raises((BackendError, BundleError), match=says) as caught:
        OnnxBackend(content, 1, "model.onnx")
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_ids_beyond_the_vocabulary_are_an_error_without_noise(capfd: pytest.CaptureFixture[str]) -> None:
    backend = OnnxBackend(MODEL.onnx().SerializeToString(), 1, "model.onnx")
    with pytest.raises(BackendError, match="onnxruntime cannot run it"):
        backend.run(np.full((1, 3), 10, np.int32))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(("name", "kind"), [("ids", TensorProto.INT64), ("input_ids", TensorProto.INT32)])
def test_a_model_with_other_inputs_is_refused(name: str, kind: int) -> None:
    graph = helper.make_graph(
        [helper.make_node("Cast", [name], ["logits"], to=TensorProto.FLOAT)],
        "other",
        [helper.make_tensor_value_info(name, kind, ["batch", "length"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", "length"])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with pytest.raises(BackendError, match="must map int32 'ids'"):
        OnnxBackend(model.SerializeToString(), 1, "model.onnx")
