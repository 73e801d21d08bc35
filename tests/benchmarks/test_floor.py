"""The forward pass against its integer products."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner

from benchmarks.floor import PRODUCTS, Floor, main, measure, profile, weights
from distill.config.sections import StudentConfig
from distill.models.student import Student
from export.graph import Network, build
from export.quantize import Int8Emitter, calibrate, scheme
from runtime.errors import ConfigError
from tests.runtime.small_bundles import Model, edit_manifest, tokenizer, write_bundle


@pytest.fixture(scope="module")
def model() -> bytes:
    """An INT8 student of two blocks, 32 wide, 64 inside, in a vocabulary of 40."""
    torch.manual_seed(0)
    student = Student(StudentConfig(layers=2, width=32, heads=2, feed_forward=64), 40, 3).eval()
    inputs = calibrate(student, [np.arange(2, 40, dtype=np.int32)])
    return build(Network.of(student), Int8Emitter(inputs, scheme("generic")))


def test_weights_are_those_of_the_blocks(model: bytes) -> None:
    last = [(32, 96), (32, 64)]  # its second layer is part of the head, which is not in INT8
    assert weights(onnx.load_from_string(model)) == [(32, 96), (32, 64), (64, 32), *last]


def test_floor_is_a_call_and_the_products(model: bytes) -> None:
    floor = measure(model, 8)
    assert isinstance(floor, Floor)
    assert floor.length == 8
    assert min(floor.forward, floor.call) > 0
    assert floor.products >= 0
    assert floor.ratio == pytest.approx(floor.forward / (floor.call + floor.products), abs=0.01)


def test_profile_counts_every_node_once(model: bytes) -> None:
    spent = profile(model, 8)
    assert {operator: spent[operator][0] for operator in PRODUCTS} == {
        "QAttention": 2,
        "QLinearMatMul": 2,
        "MatMulIntegerToFloat": 1,
    }
    micros = [microseconds for _, microseconds in spent.values()]
    assert micros == sorted(micros, reverse=True)


def test_command_prints_and_writes(model: bytes, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle", model=model)
    result = CliRunner().invoke(main, [str(bundle), "--out", str(tmp_path / "floor.json")], catch_exceptions=False)
    assert "QAttention" in result.stdout
    found = json.loads((tmp_path / "floor.json").read_text(encoding="utf-8"))
    assert [floor["length"] for floor in found["floors"]] == [10, 20, 100]
    assert found["machine"]["cpu"]


def test_bundle_without_an_onnxruntime_model_is_refused(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle", fp32=Model(tokenizer().size).onnx().SerializeToString())
    edit_manifest(bundle, backends={"fp32": "fp32.onnx"})
    with pytest.raises(ConfigError, match="--backend onnx"):
        CliRunner().invoke(main, [str(bundle)], catch_exceptions=False)
