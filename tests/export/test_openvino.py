"""The OpenVINO model, quantised in a process of its own that has no network."""

import numpy as np
import pytest

from distill.recipe import Recipe
from export.graph import Network, StandardEmitter, build
from export.openvino import convert
from export.source import Source
from runtime.backends.openvino import OpenVinoBackend
from runtime.bundle import Bundle
from tests.export.conftest import NAMES, CommandRun


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


def test_its_weights_are_int8(exported: CommandRun) -> None:
    bundle = Bundle.open(exported.out)
    assert b'element_type="i8"' in bundle.read("openvino/model.xml")
    sizes = {name: file.size for name, file in bundle.manifest.files.items()}
    ngrams = Recipe().student.ngram_buckets * len(NAMES)  # stay in half floats
    assert sizes["openvino/model.bin"] - 2 * ngrams < 0.6 * (sizes["fp32.onnx"] - 4 * ngrams)


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
