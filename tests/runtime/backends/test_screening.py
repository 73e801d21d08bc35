"""A model that reaches outside itself is refused, however it hides that."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from runtime.backends.onnx import OnnxBackend, _options
from runtime.backends.screening import check_onnx, check_openvino
from runtime.errors import BackendError, BundleError
from tests.runtime.small_bundles import LABELS, Model

MODEL = Model(vocabulary=10).onnx()
CONTENT = MODEL.SerializeToString()
_LENGTH = 2


def _copy() -> onnx.ModelProto:
    return onnx.ModelProto.FromString(CONTENT)


def _external(tensor: onnx.TensorProto, location: str) -> None:
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)


def _outside() -> onnx.TensorProto:
    tensor = numpy_helper.from_array(np.zeros(4, np.float32), "planted")
    _external(tensor, "../../secret.bin")
    return tensor


def _field(number: int, content: bytes, *, key: int | None = None) -> bytes:
    """Return one field of Protocol Buffers that has a length."""
    return _varint(number << 3 | _LENGTH if key is None else key) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    groups = [value >> shift & 0x7F for shift in range(0, max(1, value.bit_length()), 7)]
    return bytes([group | 0x80 for group in groups[:-1]] + groups[-1:])


def test_the_models_of_our_tests_pass() -> None:
    check_onnx(CONTENT, "model.onnx")
    logits = OnnxBackend(CONTENT, 1, "model.onnx").run(np.ones((1, 3), np.int32))
    assert logits.shape == (1, len(LABELS))


@pytest.mark.parametrize("location", ["weights.bin", "../weights.bin", "/etc/passwd", "*/_ORT_MEM_ADDR_/*"])
def test_weights_in_another_file_are_refused_even_if_that_file_is_there(
    location: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    weight = next(tensor for tensor in MODEL.graph.initializer if tensor.name == "weight")
    for place in (tmp_path, tmp_path / "here"):
        (place / "weights.bin").write_bytes(weight.raw_data)
    model = _copy()
    _external(next(tensor for tensor in model.graph.initializer if tensor.name == "weight"), location)
    with pytest.raises(BundleError, match=r"^model\.onnx: keeps weights in another file"):
        OnnxBackend(model.SerializeToString(), 1, "model.onnx")


def test_why_this_is_not_left_to_onnxruntime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads a file of the working folder for a model given as bytes; once it stops, half of this can go."""
    monkeypatch.chdir(tmp_path)
    model = _copy()
    weight = next(tensor for tensor in model.graph.initializer if tensor.name == "weight")
    (tmp_path / "weights.bin").write_bytes(np.zeros_like(numpy_helper.to_array(weight)).tobytes())
    _external(weight, "weights.bin")
    session = onnxruntime.InferenceSession(model.SerializeToString(), _options(1))
    bias = next(numpy_helper.to_array(tensor) for tensor in model.graph.initializer if tensor.name == "bias")
    np.testing.assert_array_equal(session.run(None, {"ids": np.ones((1, 3), np.int32)})[0], [bias])


def _in_an_attribute(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("Constant", [], ["planted"], value=_outside()))


def _in_a_subgraph(model: onnx.ModelProto) -> None:
    branch = helper.make_graph([], "branch", [], [], [_outside()])
    model.graph.node.append(helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch))


def _in_a_sparse_tensor(model: onnx.ModelProto) -> None:
    indices = numpy_helper.from_array(np.zeros(1, np.int64), "indices")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(_outside(), indices, [4]))


def _in_a_function(model: onnx.ModelProto) -> None:
    node = helper.make_node("Constant", [], ["planted"], value=_outside())
    model.functions.append(helper.make_function("", "Planted", [], ["planted"], [node], model.opset_import))


def _in_the_training_part(model: onnx.ModelProto) -> None:
    model.training_info.add().algorithm.initializer.append(_outside())


@pytest.mark.parametrize(
    "hide", [_in_an_attribute, _in_a_subgraph, _in_a_sparse_tensor, _in_a_function, _in_the_training_part]
)
def test_they_are_found_wherever_a_tensor_may_stand(hide: Callable[[onnx.ModelProto], None]) -> None:
    model = _copy()
    hide(model)
    with pytest.raises(BundleError, match="keeps weights in another file"):
        check_onnx(model.SerializeToString(), "model.onnx")


def test_a_second_graph_which_a_parser_would_merge_is_walked_too() -> None:
    graph = helper.make_graph([], "more", [], [], [_outside()]).SerializeToString()
    with pytest.raises(BundleError, match="keeps weights in another file"):
        check_onnx(CONTENT + _field(7, graph), "model.onnx")


def test_a_field_number_that_a_parser_would_cut_to_32_bits_is_refused() -> None:
    graph = helper.make_graph([], "more", [], [], [_outside()]).SerializeToString()
    with pytest.raises(BundleError, match="is no ONNX model"):
        check_onnx(CONTENT + _field(0, graph, key=(1 << 32) + (7 << 3 | _LENGTH)), "model.onnx")


@pytest.mark.parametrize("domain", ["evil.ops", "ai.onnx.contrib", "com.microsoft.nchwc"])
def test_an_operator_that_onnxruntime_does_not_have_is_refused(domain: str) -> None:
    model = _copy()
    model.graph.node[-1].domain = domain
    model.opset_import.append(helper.make_opsetid(domain, 1))
    with pytest.raises(BundleError, match=f"operator of a foreign domain b'{domain}'"):
        OnnxBackend(model.SerializeToString(), 1, "model.onnx")


def test_onnxruntimes_own_format_is_refused(tmp_path: Path) -> None:
    options = _options(1)
    options.optimized_model_filepath = str(tmp_path / "model.ort")
    onnxruntime.InferenceSession(CONTENT, options)
    content = (tmp_path / "model.ort").read_bytes()
    assert content[4:8] == b"ORTM"
    with pytest.raises((BundleError, BackendError)):
        OnnxBackend(content, 1, "model.onnx")


@pytest.mark.parametrize("content", [b"\x07", b"\x0b", b"\x3a\xff", b"\x08", b"\xff" * 11, b"\x00\x00", b"\x0d\x00"])
def test_what_breaks_the_wire_format_is_refused(content: bytes) -> None:
    with pytest.raises(BundleError, match=r"model\.onnx: is no ONNX model"):
        check_onnx(content, "model.onnx")


def test_a_file_of_endless_fields_is_given_up() -> None:
    with pytest.raises(BundleError, match="more than 1000000 fields"):
        check_onnx(b"\x08\x00" * 1_000_001, "model.onnx")


@given(content=st.binary(max_size=200))
def test_any_bytes_are_passed_or_refused_in_one_line(content: bytes) -> None:
    said = ""
    try:
        check_onnx(content, "model.onnx")
    except BundleError as error:
        said = str(error)
    assert "\n" not in said


@given(at=st.integers(0, len(CONTENT) - 1), value=st.integers(0, 255))
def test_what_passes_after_a_change_means_the_same_to_the_onnx_package(at: int, value: int) -> None:
    """Passed here, parsed there: then that parser finds nothing outside either."""
    content = bytearray(CONTENT)
    content[at] = value
    try:
        check_onnx(bytes(content), "model.onnx")
        model = onnx.ModelProto.FromString(bytes(content))
    except Exception:  # the parser's error differs between releases of protobuf; either may refuse
        return
    assert all(not tensor.external_data and tensor.data_location == 0 for tensor in model.graph.initializer)
    assert {node.domain for node in model.graph.node} <= {"", "ai.onnx", "ai.onnx.ml", "com.microsoft"}


@pytest.mark.parametrize("content", [b"", CONTENT, b" <?xml ", b"<net", b"PK\x03\x04"])
def test_openvino_is_given_xml_only(content: bytes) -> None:
    with pytest.raises(BundleError, match=r"model\.xml: is not XML"):
        check_openvino(content, "model.xml")
    check_openvino(b'<?xml version="1.0"?><net/>', "model.xml")
