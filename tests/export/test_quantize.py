"""INT8: weights, scales, the options of each target, and the graph they make."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from distill.config.sections import StudentConfig
from distill.models.student import Student
from export.graph import FloatEmitter, Network, build
from export.quantize import Inputs, Int8Emitter, Scheme, calibrate, quantise_weight, scheme
from export.source import Source
from runtime.backends.onnx import OnnxBackend

FULL, REDUCED = Scheme(True, False), Scheme(True, True)


def _int8(source: Source, weights: Scheme = FULL, keep_float: tuple[str, ...] = ()) -> bytes:
    inputs = calibrate(source.student, source.dev_ids())
    return build(Network.of(source.student), Int8Emitter(inputs, weights, keep_float))


@pytest.mark.parametrize(
    ("target", "reduce_range"), [("generic", True), ("avx2", True), ("avx512_vnni", False), ("arm64", False)]
)
def test_targets_that_can_saturate_get_seven_bits(target: str, reduce_range: bool) -> None:
    assert scheme(target) == Scheme(per_channel=True, reduce_range=reduce_range)


def test_reduced_weights_cannot_saturate_sixteen_bits() -> None:
    assert 2 * 255 * REDUCED.largest <= np.iinfo(np.int16).max < 2 * 255 * FULL.largest


@pytest.mark.parametrize("weights", [FULL, REDUCED])
def test_quantised_weights_stay_in_range_and_near_the_original(weights: Scheme) -> None:
    generator = np.random.default_rng(0)
    matrix = generator.normal(size=(12, 5)).astype(np.float32) * [1, 10, 0.1, 1, 1]
    rows = generator.normal(size=(200, 12))
    quantised, scale = quantise_weight(matrix.astype(np.float32), rows.T @ rows, weights)
    assert quantised.dtype == np.int8
    assert np.abs(quantised.astype(int)).max() <= weights.largest
    assert scale.shape == (5,)
    # Making up for the error of earlier rows moves a weight by a few steps, not more.
    assert (np.abs(quantised * scale - matrix) <= 3 * scale).all()


def test_rounding_with_the_inputs_in_view_beats_rounding_to_the_nearest() -> None:
    generator = np.random.default_rng(1)
    matrix = generator.normal(size=(32, 16)).astype(np.float32)
    rows = generator.normal(size=(400, 8)) @ generator.normal(size=(8, 32))
    quantised, scale = quantise_weight(matrix, rows.T @ rows, REDUCED)
    nearest = np.rint(matrix / scale) * scale
    assert np.square(rows @ (quantised * scale - matrix)).sum() < 0.5 * np.square(rows @ (nearest - matrix)).sum()


def test_a_column_of_zeros_and_an_input_never_seen_are_no_obstacle() -> None:
    matrix = np.zeros((3, 2), np.float32)
    quantised, scale = quantise_weight(matrix, np.zeros((3, 3)), FULL)
    assert not quantised.any()
    assert np.isfinite(scale).all()


def test_one_scale_for_the_matrix_where_a_target_wants_it() -> None:
    _, scale = quantise_weight(np.eye(3, dtype=np.float32), np.eye(3), Scheme(per_channel=False, reduce_range=False))
    assert scale.shape == ()


@pytest.mark.parametrize("values", [[-1.0, 3.0], [0.5, 2.0], [-4.0, -1.0], [0.0, 0.0]])
def test_the_range_of_activations_holds_zero_exactly(values: list[float]) -> None:
    step, zero = Inputs.of(torch.tensor([values])).scale()
    quantised = np.clip(np.rint(np.array(values) / step) + zero, 0, 255)
    np.testing.assert_allclose((quantised - zero) * step, values, atol=float(step))


def test_calibration_sees_every_linear_layer_and_leaves_no_hook(source: Source) -> None:
    inputs = calibrate(source.student, source.dev_ids())
    last = "blocks.1.feed_forward_out"
    assert set(inputs) == {*Network.of(source.student).quantisable(), last, "head", "ngrams.head"}
    assert inputs[last].low == 0.0  # behind a ReLU: quantising is the rectifier
    assert not any(module._forward_pre_hooks for module in source.student.modules())


@pytest.mark.parametrize("weights", [FULL, REDUCED])
def test_int8_logits_are_close_and_decide_the_same(either_source: Source, weights: Scheme) -> None:
    expected = either_source.student_logits(either_source.test)
    logits = either_source.backend_logits(
        OnnxBackend(_int8(either_source, weights), 1, "model"), either_source.test.texts
    )
    assert np.abs(logits - expected).max() < 0.1 * np.abs(expected).max()
    assert (logits.argmax(1) == expected.argmax(1)).all()


def test_bigrams_are_added_as_integers() -> None:
    torch.manual_seed(0)
    config = StudentConfig(layers=1, width=32, feed_forward=64, bigram_buckets=64, ngram_buckets=0)
    student = Student(config, 40, 3).eval()
    nn.init.normal_(student.head.weight)
    nn.init.normal_(student.bigrams.weight)
    texts = [np.random.default_rng(seed).integers(2, 40, 12, dtype=np.int32) for seed in range(40)]
    network, emitter = Network.of(student), Int8Emitter(calibrate(student, texts), FULL)
    model, without = build(network, emitter), build(replace(network, bigrams=None), FloatEmitter())
    operators = [node.op_type for node in onnx.load_from_string(model).graph.node]
    assert operators.count("QLinearAdd") == operators.count("DequantizeLinear") - 1 == 1
    ids = np.stack(texts)
    with torch.inference_mode():
        expected = student(torch.from_numpy(ids).long()).numpy()
    scale = np.abs(expected).max()
    assert np.abs(OnnxBackend(model, 1, "model").run(ids) - expected).max() < 0.05 * scale
    assert np.abs(OnnxBackend(without, 1, "model").run(ids) - expected).max() > 0.2 * scale


def test_nothing_is_cut_off_the_mean_of_a_very_short_text() -> None:
    """It is larger than those of the development texts where these have many characters."""
    torch.manual_seed(0)
    student = Student(StudentConfig(layers=1, width=32, feed_forward=64, ngram_buckets=0), 40, 3).eval()
    nn.init.normal_(student.head.weight)
    nn.init.zeros_(student.get_parameter("blocks.0.qkv.weight"))  # a character is the same in any company
    ids = np.arange(2, 40, dtype=np.int32)
    model = build(Network.of(student), Int8Emitter(calibrate(student, [ids]), FULL))
    with torch.inference_mode():
        expected = student(torch.from_numpy(ids[:, None]).long()).numpy()
    logits = OnnxBackend(model, 1, "model").run(ids[:, None])
    assert np.abs(logits - expected).max() < 0.1 * np.abs(expected).max()


def test_a_text_gets_the_same_int8_logits_alone_and_in_a_batch(either_source: Source) -> None:
    backend = OnnxBackend(_int8(either_source), 1, "model")
    ids = np.random.default_rng(0).integers(2, either_source.tokenizer.size, (6, 9), dtype=np.int32)
    alone = np.concatenate([backend.run(row[None]) for row in ids])
    np.testing.assert_allclose(backend.run(ids), alone, atol=1e-5)


def test_layers_kept_in_float_leave_only_the_error_of_the_others(either_source: Source) -> None:
    layers = Network.of(either_source.student).quantisable()
    expected = either_source.student_logits(either_source.test)

    def error(keep_float: tuple[str, ...]) -> float:
        backend = OnnxBackend(_int8(either_source, REDUCED, keep_float), 1, "model")
        return float(np.abs(either_source.backend_logits(backend, either_source.test.texts) - expected).max())

    assert error(layers) < 0.01 < error(())
    assert error(layers[:4]) < error(())


def test_nothing_is_in_integers_where_every_layer_is_kept_in_float(either_source: Source) -> None:
    model = onnx.load_from_string(_int8(either_source, keep_float=Network.of(either_source.student).quantisable()))
    integer = {"QAttention", "MatMulIntegerToFloat", "QuantizeLinear", "DequantizeLinear"}
    assert not integer & {node.op_type for node in model.graph.node}
    assert not [node.op_type for node in model.graph.node if node.op_type.startswith("QLinear")]


def test_the_int8_graph_is_the_fp32_graph_with_other_operators(source: Source) -> None:
    operators = [node.op_type for node in onnx.load_from_string(_int8(source)).graph.node]
    layers = source.student.config.layers
    assert operators.count("QAttention") == layers
    assert operators.count("QLinearMatMul") == layers
    assert operators.count("MatMulIntegerToFloat") == layers - 1
    assert operators.count("QLinearGlobalAveragePool") == 1  # in place of the last layer, text by text
    assert not {"MatMul", "Relu", "DynamicQuantizeLinear", "SkipLayerNormalization"} & set(operators)
    fp32 = onnx.load_from_string(build(Network.of(source.student), FloatEmitter()))
    assert operators.count("Sqrt") == [node.op_type for node in fp32.graph.node].count("Sqrt") == layers - 1


def test_the_same_weights_give_the_same_int8_bytes(source: Source) -> None:
    assert _int8(source) == _int8(source)


def test_the_default_student_with_seven_thousand_characters_fits_in_three_megabytes() -> None:
    student = Student(StudentConfig(), vocabulary=7000, classes=16).eval()
    inputs = calibrate(student, [np.arange(2, 22, dtype=np.int32)])
    assert len(build(Network.of(student), Int8Emitter(inputs, REDUCED))) <= 3_000_000
