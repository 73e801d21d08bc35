"""INT8: which bits a target may use, the scales, and the emitter that writes them into the graph.

Weights are symmetric int8 with one scale for each output column; activations are uint8 with one scale and zero
point for each layer, fixed from the range seen on development texts. Fixed, because a scale taken from
the running batch gives a text other logits in company than alone (by 0.05 here), and costs a pass over the data.
Embedding tables are stored as fp16, which changed no label of 4,698, and widened once, when the model is loaded;
normalisation, softmax, residual sums and head stay in float.

What was tried and left out, because it changed neither agreement nor error: clipping weights where the
squared error is least, and folding the scale of a normalisation into the layer behind it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from onnx import TensorProto
from torch import Tensor, nn

from distill.models.student import Student
from export.graph import CONTRIB, FloatEmitter, Floats, Linear
from runtime.errors import ConfigError
from runtime.tokenizer import Ids

TARGETS = ("generic", "avx2", "avx512_vnni", "arm64")
"""Instruction sets to export for; ``generic`` is right on all of them."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """How weights are quantised for a target.

    Attributes:
        per_channel: one scale for each output column, or one for the matrix.
        reduce_range: 7 bits instead of 8. Without VNNI, x86 adds two uint8 x int8 products in 16 bits and
            saturates: 2 x 255 x 127 does not fit, 2 x 255 x 64 does.
    """

    per_channel: bool
    reduce_range: bool

    @property
    def largest(self) -> int:
        """Largest absolute value of a quantised weight."""
        return 64 if self.reduce_range else 127


@dataclass(frozen=True, slots=True)
class Range:
    """Least and largest value that the input of a layer takes."""

    low: float
    high: float

    def scale(self) -> tuple[np.float32, np.uint8]:
        """Return step and zero point that map the range, widened to hold 0, onto 0..255."""
        low, high = min(self.low, 0.0), max(self.high, 0.0)
        step = (high - low) / 255 or 1.0
        return np.float32(step), np.uint8(round(-low / step))


def scheme(target: str) -> Scheme:
    """Return the scheme for one of :data:`TARGETS`, after optimum's presets.

    Raises:
        ConfigError: optimum is not installed.
    """
    if target == "generic":
        schemes = [scheme(name) for name in TARGETS if name != "generic"]
        return Scheme(all(s.per_channel for s in schemes), any(s.reduce_range for s in schemes))
    preset = _preset(target)
    return Scheme(preset.per_channel, preset.reduce_range)


def quantise_weight(weight: Floats, scheme: Scheme) -> tuple[npt.NDArray[np.int8], Floats]:
    """Return ``weight`` ``[in, out]`` as int8, and its scales: ``[out]``, or a scalar."""
    peak = np.abs(weight).max(axis=0 if scheme.per_channel else None)
    scale = np.where(peak > 0, peak / scheme.largest, 1.0).astype(np.float32)
    return np.rint(weight / scale).astype(np.int8), scale


def calibrate(student: Student, texts: Sequence[Ids]) -> dict[str, Range]:
    """Return the range of the input of every linear layer of ``student``, over ``texts``."""
    ranges: dict[str, Range] = {}

    def watch(name: str, layer: nn.Linear) -> torch.utils.hooks.RemovableHandle:
        def widen(_: nn.Module, inputs: tuple[Tensor]) -> None:
            low, high = (value.item() for value in inputs[0].aminmax())
            seen = ranges.get(name, Range(low, high))
            ranges[name] = Range(min(seen.low, low), max(seen.high, high))

        return layer.register_forward_pre_hook(widen)

    hooks = [watch(name, module) for name, module in student.named_modules() if isinstance(module, nn.Linear)]
    try:
        with torch.inference_mode():
            for ids in texts:
                student(torch.from_numpy(ids.astype(np.int64))[None])
    finally:
        for hook in hooks:
            hook.remove()
    return ranges


class Int8Emitter(FloatEmitter):
    """Writes the linear layers of the blocks and the projections of the attention in INT8.

    Args:
        ranges: of the input of each layer, by its name.
        scheme: for the weights.
        keep_float: names of layers to leave in float.
    """

    def __init__(self, ranges: Mapping[str, Range], scheme: Scheme, keep_float: Collection[str] = ()) -> None:
        super().__init__()
        self._ranges = ranges
        self._scheme = scheme
        self._keep_float = keep_float

    def table(self, name: str, values: Floats) -> str:
        """Add an embedding table in fp16; onnxruntime folds the cast away when it loads the model."""
        stored = self.constant(f"{name}.fp16", values.astype(np.float16))
        return self.node("Cast", [stored], name, to=TensorProto.FLOAT)

    def linear(self, hidden: str, layer: Linear) -> str:
        """Quantise the input, multiply in integers, and scale back with the bias added."""
        if layer.name in self._keep_float:
            return super().linear(hidden, layer)
        quantised, step, zero = self._quantise(hidden, layer.name)
        weight, scale, bias = self._weight(layer)
        inputs = [quantised, weight, step, scale, zero, "", bias]
        return self.node("MatMulIntegerToFloat", inputs, layer.name, CONTRIB)

    def rectified_linear(self, hidden: str, layer: Linear) -> str:
        """Apply the layer to what is not negative.

        The range of such an input begins at 0, and so does its uint8 form: quantising is the rectifier.
        """
        if layer.name in self._keep_float:
            return super().rectified_linear(hidden, layer)
        return self.linear(hidden, layer)

    def attention(self, hidden: str, qkv: Linear, heads: int) -> str:
        """Project in integers; scores and their softmax are float."""
        if qkv.name in self._keep_float:
            return super().attention(hidden, qkv, heads)
        quantised, step, zero = self._quantise(hidden, qkv.name)
        weight, scale, bias = self._weight(qkv)
        inputs = [quantised, weight, bias, step, scale, "", zero]
        return self.node("QAttention", inputs, qkv.name, CONTRIB, num_heads=heads)

    def _quantise(self, hidden: str, name: str) -> tuple[str, str, str]:
        step, zero = self._ranges[name].scale()
        names = self.constant(f"{name}.step", step), self.constant(f"{name}.zero", zero)
        return self.node("QuantizeLinear", [hidden, *names], f"{name}.quantised"), *names

    def _weight(self, layer: Linear) -> tuple[str, str, str]:
        weight, scale = quantise_weight(layer.weight, self._scheme)
        return (
            self.constant(f"{layer.name}.weight", weight),
            self.constant(f"{layer.name}.scale", scale),
            self.constant(f"{layer.name}.bias", layer.bias),
        )


def _preset(target: str) -> Any:  # noqa: ANN401 - optimum is not typed
    try:
        # Imported here: it brings transformers, and takes seconds.
        from optimum.onnxruntime.configuration import AutoQuantizationConfig
    except ImportError as error:
        raise ConfigError("--int8 needs optimum; run: pip install 'gm-edge[export]'") from error
    # The preset leaves it to its user whether AVX2 may saturate: here it may not.
    options = {"reduce_range": True} if target == "avx2" else {}
    return getattr(AutoQuantizationConfig, target)(is_static=True, per_channel=True, **options)
