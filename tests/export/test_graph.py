"""The hand-written fp32 graphs against torch."""

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from distill.config.sections import StudentConfig
from distill.models.student import Student
from export.graph import CONTRIB, FloatEmitter, Network, StandardEmitter, build
from export.source import Source
from runtime.backends.onnx import OnnxBackend
from runtime.tokenizer import FIRST_CHARACTER_ID

EMITTERS = [FloatEmitter, StandardEmitter]


def _model(source: Source, emitter: type[FloatEmitter] = FloatEmitter) -> bytes:
    return build(Network.of(source.student), emitter())


def _ids(source: Source, batch: int, length: int) -> np.ndarray[tuple[int, int], np.dtype[np.int32]]:
    generator = np.random.default_rng(length)
    return generator.integers(FIRST_CHARACTER_ID, source.tokenizer.size, (batch, length), dtype=np.int32)


@pytest.mark.parametrize("emitter", EMITTERS)
@pytest.mark.parametrize("length", [1, 2, 7, 20, 24])
def test_the_graph_gives_the_logits_of_torch_at_every_length(
    either_source: Source, emitter: type[FloatEmitter], length: int
) -> None:
    ids = _ids(either_source, 3, length)
    with torch.inference_mode():
        expected = either_source.student(torch.from_numpy(ids).long()).numpy()
    logits = OnnxBackend(_model(either_source, emitter), 1, "model").run(ids)
    np.testing.assert_allclose(logits, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("bigrams", "ngrams"),
    [(0, 0), (1, 1), (0, 1 << 15), (1 << 15, 0), (1 << 15, 1 << 15), (1 << 14, 1 << 18), (1 << 18, 1 << 14), (1, 16)],
)
@pytest.mark.parametrize("emitter", EMITTERS)
def test_a_student_of_other_sizes_is_exported_as_well(bigrams: int, ngrams: int, emitter: type[FloatEmitter]) -> None:
    buckets = {"bigram_buckets": bigrams, "ngram_buckets": ngrams}
    config = StudentConfig(layers=3, width=24, heads=3, feed_forward=40, max_len=9, **buckets)
    # As large a vocabulary as there can be: the hash of the last ids must not leave 32 bits.
    torch.manual_seed(0)
    student = Student(config, vocabulary=1 << 16, classes=2).eval()
    for name, table in student.named_parameters():
        if name in ("bigrams.weight", "ngrams.rows.weight"):
            nn.init.normal_(table)  # one wrong row is to show
    ids = np.array([[2, 65535, 65535, 65000, 1]], dtype=np.int32)
    with torch.inference_mode():
        expected = student(torch.from_numpy(ids).long()).numpy()
    logits = OnnxBackend(build(Network.of(student), emitter()), 1, "model").run(ids)
    np.testing.assert_allclose(logits, expected, atol=1e-4)


def test_a_batch_gets_the_logits_of_its_texts_alone(either_source: Source) -> None:
    backend = OnnxBackend(_model(either_source), 1, "model")
    ids = _ids(either_source, 5, 11)
    alone = np.concatenate([backend.run(row[None]) for row in ids])
    np.testing.assert_allclose(backend.run(ids), alone, atol=1e-5)


@pytest.mark.parametrize("emitter", EMITTERS)
def test_old_runtimes_can_read_the_file(source: Source, emitter: type[FloatEmitter]) -> None:
    model = onnx.load_from_string(_model(source, emitter))
    onnx.checker.check_model(model)
    assert model.ir_version == 8
    assert {opset.domain: opset.version for opset in model.opset_import}[""] == 17


def test_the_standard_spelling_has_no_operator_of_onnxruntime(either_source: Source) -> None:
    model = onnx.load_from_string(_model(either_source, StandardEmitter))
    assert {node.domain for node in model.graph.node} == {""}
    assert CONTRIB not in {opset.domain for opset in model.opset_import}


def test_the_graph_is_small_has_one_input_and_no_second_file(either_source: Source) -> None:
    model = onnx.load_from_string(_model(either_source))
    assert [value.name for value in model.graph.input] == ["ids"]
    assert [value.name for value in model.graph.output] == ["logits"]
    # Each takes a microsecond or two. Bigrams: a remainder, their embeddings and a sum.
    assert len(model.graph.node) == 28 + (3 if either_source.student.config.bigram_buckets else 0)
    assert not any(tensor.external_data for tensor in model.graph.initializer)
    assert "mask" not in _model(either_source).decode("latin-1")


@pytest.mark.parametrize("emitter", EMITTERS)
def test_no_pad_cuts_off(either_source: Source, emitter: type[FloatEmitter]) -> None:
    """Where nothing is left of a text of one character, onnxruntime before 1.24 gives what lies in memory."""
    graph = onnx.load_from_string(_model(either_source, emitter)).graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    pads = [constants[node.input[1]] for node in graph.node if node.op_type == "Pad"]
    assert pads
    assert all((widths >= 0).all() for widths in pads)


def test_the_same_weights_give_the_same_bytes(source: Source) -> None:
    assert _model(source) == _model(source)
