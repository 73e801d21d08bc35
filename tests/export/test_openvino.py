"""The OpenVINO model, quantised in a process of its own that has no network."""

from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from torch import nn

from distill.config.sections import StudentConfig
from distill.models.student import Student
from export.graph import Network, StandardEmitter, build
from export.openvino import convert
from export.source import Source
from runtime.backends.openvino import OpenVinoBackend
from runtime.bundles.bundle import Bundle
from tests.export.conftest import CommandRun


@pytest.fixture(scope="module")
def backend(exported: CommandRun) -> OpenVinoBackend:
    """Load the INT8 model of the exported bundle."""
    bundle = Bundle.open(exported.out)
    return OpenVinoBackend(bundle.read("openvino/model.xml"), bundle.read("openvino/model.bin"), 1, "model.xml")


def test_the_int8_model_decides_as_the_student(source: Source, backend: OpenVinoBackend) -> None:
    expected = source.student_logits(source.test)
    logits = source.backend_logits(backend, source.test.texts)
    assert (logits.argmax(1) == expected.argmax(1)).all()
    assert np.abs(logits - expected).max() < 0.15 * np.abs(expected).max()


def test_its_weights_are_int8(source: Source, exported: CommandRun) -> None:
    layers = ElementTree.fromstring(Bundle.open(exported.out).read("openvino/model.xml")).iter("layer")
    constants = [layer.find("data") for layer in layers if layer.get("type") == "Const"]
    int8 = {data.get("shape") for data in constants if data is not None and data.get("element_type") == "i8"}
    network = Network.of(source.student)
    linear = [layer for b in network.blocks for layer in (b.qkv, b.feed_forward_in, b.feed_forward_out)]
    shapes = {layer.weight.shape for layer in linear if layer.name in network.quantisable()}
    stored = {tuple(map(int, (shape or "").split(","))) for shape in int8}
    assert shapes <= stored
    # The head, behind the last layer, has three columns as no other weight has.
    assert not [shape for shape in stored if shape in {(64, 3), (3, 64)}]


def test_ids_of_a_large_vocabulary_are_hashed_exactly() -> None:
    torch.manual_seed(0)
    config = StudentConfig(layers=1, width=24, heads=3, feed_forward=40, bigram_buckets=1 << 13)
    student = Student(config, 1 << 16, 3).eval()
    nn.init.normal_(student.ngrams.rows.weight)
    nn.init.normal_(student.bigrams.weight)
    ids = np.random.default_rng(0).integers(60_000, 1 << 16, (4, 20), dtype=np.int32)
    with torch.inference_mode():
        expected = student(torch.from_numpy(ids).long()).numpy()
    ir = convert(build(Network.of(student), StandardEmitter()))
    np.testing.assert_allclose(OpenVinoBackend(ir.xml, ir.weights, 1, "model.xml").run(ids), expected, atol=1e-2)


def test_a_text_gets_the_same_logits_alone_and_in_a_batch(source: Source, backend: OpenVinoBackend) -> None:
    ids = np.random.default_rng(0).integers(2, source.tokenizer.size, (4, 9), dtype=np.int32)
    alone = np.concatenate([backend.run(row[None]) for row in ids])
    np.testing.assert_allclose(backend.run(ids), alone, atol=1e-4)


@pytest.mark.parametrize("length", [1, 7, 24])
def test_the_fp32_model_gives_the_logits_of_torch(source: Source, length: int) -> None:
    texts = ["酸" * length]
    ir = convert(build(Network.of(source.student), StandardEmitter()))
    logits = source.backend_logits(OpenVinoBackend(ir.xml, ir.weights, 1, "model.xml"), texts)
    data = type(source.test)(tuple(texts), np.zeros(1, np.int64), source.names)
    # Weights that are not quantised are stored as fp16.
    np.testing.assert_allclose(logits, source.student_logits(data), atol=2e-2)


def test_quantising_opens_no_socket_and_leaves_nothing_at_home(exported: CommandRun) -> None:
    assert "NETWORK" not in exported.stderr
    assert list(exported.home.iterdir()) == []


def test_the_model_names_no_path_of_this_machine(exported: CommandRun) -> None:
    assert str(exported.out.parent).encode() not in Bundle.open(exported.out).read("openvino/model.xml")
