"""The forms in which a student is exported, each loaded into the engine that will run it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np

from export.graph import FloatEmitter, Network, StandardEmitter, build
from export.openvino import Ir, convert, convert_int8
from export.options import Limits, Options
from export.parity import passes
from export.quantize import Inputs, Int8Emitter, calibrate, scheme
from export.source import Source
from runtime.backends import Backend
from runtime.backends.onnx import OnnxBackend

MODEL_FILE = "model.onnx"
FP32_FILE = "fp32.onnx"
IR_FILE = "openvino/model.xml"


@dataclass(frozen=True, slots=True)
class Variant:
    """A model in one form.

    Attributes:
        name: as the report calls it.
        key: its backend in the manifest.
        files: content by path in the bundle.
        backend: the runtime's own engine with the model loaded: what is measured is what will run.
    """

    name: str
    key: str
    files: dict[str, bytes] = field(repr=False)
    backend: Backend = field(repr=False)

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(map(len, self.files.values()))


def build_variants(source: Source, options: Options) -> list[Variant]:
    """Return the models of ``source`` in every form asked for; the first is the one that serves by default."""
    network = Network.of(source.student)
    forms: list[_Form] = []
    if options.onnx:
        forms.append(_Onnx(source, network, options.target))
    if options.openvino:
        forms.append(_OpenVino(source, network, options.target))
    variants = [_quantised(source, form, options.limits) if options.int8 else form.fp32() for form in forms]
    if options.onnx and not options.int8:
        return variants
    return [*variants, onnx_variant("ONNX fp32", "fp32", FP32_FILE, build(network, FloatEmitter()))]


def onnx_variant(name: str, key: str, file: str, model: bytes) -> Variant:
    """Load an ONNX model.

    Raises:
        BackendError: onnxruntime cannot load it.
    """
    return Variant(name, key, {file: model}, OnnxBackend(model, 1, file))


class _Form(Protocol):
    """A file format of the model, in float and in INT8."""

    target: str

    def fp32(self) -> Variant: ...

    def int8(self, keep_float: Sequence[str] = ()) -> Variant: ...


class _Onnx:
    """Builds ``model.onnx``."""

    def __init__(self, source: Source, network: Network, target: str) -> None:
        self._source, self._network, self.target = source, network, target

    def fp32(self) -> Variant:
        return onnx_variant("ONNX fp32", "onnx", MODEL_FILE, build(self._network, FloatEmitter()))

    def int8(self, keep_float: Sequence[str] = ()) -> Variant:
        emitter = Int8Emitter(self._inputs, scheme(self.target), keep_float)
        return onnx_variant(_name("ONNX INT8", keep_float), "onnx", MODEL_FILE, build(self._network, emitter))

    @cached_property
    def _inputs(self) -> dict[str, Inputs]:
        return calibrate(self._source.student, self._source.dev_ids())


class _OpenVino:
    """Builds ``openvino/model.xml`` and ``model.bin``."""

    def __init__(self, source: Source, network: Network, target: str) -> None:
        self._source, self.target = source, target
        self._model = build(network, StandardEmitter())

    def fp32(self) -> Variant:
        return self._variant("OpenVINO fp32", convert(self._model))

    def int8(self, keep_float: Sequence[str] = ()) -> Variant:
        reduce_range = scheme(self.target).reduce_range
        ir = convert_int8(self._model, self._source.dev_ids(), reduce_range, keep_float)
        return self._variant(_name("OpenVINO INT8", keep_float), ir)

    def _variant(self, name: str, ir: Ir) -> Variant:
        # Imported here: importing it without OpenVINO is an error.
        from runtime.backends.openvino import OpenVinoBackend

        files = {IR_FILE: ir.xml, IR_FILE.removesuffix(".xml") + ".bin": ir.weights}
        return Variant(name, "openvino", files, OpenVinoBackend(ir.xml, ir.weights, 1, IR_FILE))


def _quantised(source: Source, form: _Form, limits: Limits) -> Variant:
    """Return the INT8 model, with as few layers left in float as the limits allow.

    On a small test set a single flip is beyond them. Where even half of the layers in float does not help, the
    model without any is returned, for the caller to refuse.
    """

    def good(variant: Variant) -> bool:
        return passes(source.compare(variant.name, variant.backend), limits)

    full = form.int8()
    if good(full):
        return full
    layers = _most_sensitive(source, form.target)
    relaxed = (form.int8(layers[:count]) for count in range(1, len(layers) // 2 + 1))
    return next((model for model in relaxed if good(model)), full)


def _most_sensitive(source: Source, target: str) -> list[str]:
    """Sort the quantised layers: first the one that, left in float, brings the dev logits closest to the student's."""
    network = Network.of(source.student)
    form = _Onnx(source, network, target)
    reference = source.student_logits(source.dev)

    def error(layer: str) -> float:
        logits = source.backend_logits(form.int8([layer]).backend, source.dev.texts)
        return float(np.square(logits - reference).mean())

    return sorted(network.quantisable(), key=error)


def _name(name: str, keep_float: Sequence[str]) -> str:
    return f"{name}, but {' '.join(keep_float)}" if keep_float else name
