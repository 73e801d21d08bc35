"""In what precision a language model computes."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch

from distill.lm.precision import computes_in, cpu_has_bfloat16, lm_precision

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"avx512_bf16": True, "amx_bf16": False}, True),
        ({"avx512_bf16": False, "amx_bf16": True}, True),
        ({"avx512_f": True, "avx512_bf16": False, "amx_bf16": False}, False),
        ({"bf16": True, "architecture": "aarch64"}, False),  # not measured there
    ],
)
def test_a_cpu_is_asked_for_the_instructions(
    capabilities: Mapping[str, object], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert cpu_has_bfloat16() is expected


def test_an_older_torch_that_cannot_tell_computes_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert computes_in(CPU) == "float32"


@pytest.mark.parametrize("has", [True, False])
def test_auto_is_bfloat16_where_the_device_has_it(has: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("distill.lm.precision.cpu_has_bfloat16", lambda: has)
    assert computes_in(CPU) == ("bfloat16" if has else "float32")
    assert computes_in(GPU) == "bfloat16"


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_precision_that_is_named_holds_on_every_cpu(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for has in (True, False):
        monkeypatch.setattr("distill.lm.precision.cpu_has_bfloat16", lambda has=has: has)
        assert computes_in(CPU, precision) == precision


def test_products_are_taken_in_that_precision() -> None:
    square = torch.eye(4)
    for precision, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        with lm_precision(CPU, precision):
            assert (square @ square).dtype == dtype
