"""INT8: which bits a target may use, the scales, and the emitter that writes them into the graph.

Weights are symmetric int8 with one scale for each output column, rounded so that errors cancel on the
development texts (GPTQ); with 7 bits that takes a fifth off the error of the logits and costs the device nothing.

Activations are uint8 with one scale and zero point for each layer, fixed from the range seen on development texts.
Fixed, because a scale taken from the running batch gives a text other logits in company than alone (by 0.05
here), and costs a pass over the data.

The embeddings of characters are stored as the uint8 that the first block multiplies, with one scale for the table: one
for each column would take a tenth off the error of the logits, but onnxruntime widens such columns number by number.
Those of bigrams, where there are any, are stored likewise, and the sum of both is rounded to the steps of what that
block takes in on development texts. Where that layer stays in float, both are fp16. The logits of n-grams are fp16,
which changed no label of 4,698, and are widened row by row, which takes no longer than once for all and keeps half of
them out of memory. Normalisation, softmax, residual sums, and the last feed-forward layer with the head, stay in float.

What was tried and left out. Changed nothing: clipping weights where the squared error is least, folding the scale
of a normalisation into the layer behind it. Gained a twelfth at most, and lost on rare texts when overdone:
moving range from activations into weights channel by channel.
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
from export.graph import CONTRIB, Block, FloatEmitter, Floats, Linear, Network, behind
from export.options import TARGETS
from runtime.extras import needs_extra
from runtime.tokenizer import Ids

Doubles = npt.NDArray[np.float64]

_CALIBRATION_TEXTS = 512


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
class Inputs:
    """What a linear layer takes in.

    Attributes:
        low: least value.
        high: largest value.
        gram: sum of the outer products of all input rows, float64 ``[in, in]``.
    """

    low: float
    high: float
    gram: Doubles

    @classmethod
    def of(cls, rows: Tensor) -> Inputs:
        """Return the summary of input rows ``[n, in]``."""
        low, high = (value.item() for value in rows.aminmax())
        return cls(low, high, (rows.T @ rows).double().numpy())

    def scale(self) -> tuple[np.float32, np.uint8]:
        """Return step and zero point for these values: :func:`uint8_grid`."""
        return uint8_grid(self.low, self.high)


def uint8_grid(low: float, high: float) -> tuple[np.float32, np.uint8]:
    """Return step and zero point that map ``low`` .. ``high``, and 0 if it lies outside, onto 0 .. 255."""
    low, high = min(low, 0.0), max(high, 0.0)
    step = (high - low) / 255 or 1.0
    return np.float32(step), np.uint8(round(-low / step))


def scheme(target: str) -> Scheme:
    """Return the scheme for one of :data:`export.options.TARGETS`, after optimum's presets.

    Raises:
        ConfigError: optimum is not installed.
    """
    if target == "generic":
        schemes = [scheme(name) for name in TARGETS if name != "generic"]
        return Scheme(all(s.per_channel for s in schemes), any(s.reduce_range for s in schemes))
    preset = _preset(target)
    return Scheme(preset.per_channel, preset.reduce_range)


def quantise_weight(weight: Floats, gram: Doubles, scheme: Scheme) -> tuple[npt.NDArray[np.int8], Floats]:
    """Return ``weight`` ``[in, out]`` as int8, and its scales: ``[out]``, or a scalar.

    Rows are rounded one by one, those with the strongest inputs first, and the error of each is made up for in
    the rows still to come (Frantar et al. 2022, "GPTQ", with a second-order term from the inputs).

    Args:
        weight: of a linear layer.
        gram: of its inputs, ``[in, in]``.
        scheme: number of bits and of scales.
    """
    peak = np.abs(weight).max(axis=0 if scheme.per_channel else None)
    scale = np.where(peak > 0, peak / scheme.largest, 1.0).astype(np.float32)
    order = np.argsort(-gram.diagonal(), kind="stable")
    factor = _inverse_factor(gram[np.ix_(order, order)])
    rows = weight[order].astype(np.float64)
    for row in range(len(rows)):
        exact = rows[row].copy()
        rows[row] = np.clip(np.rint(exact / scale), -scheme.largest, scheme.largest)
        error = (exact - rows[row] * scale) / factor[row, row]
        rows[row + 1 :] -= np.outer(factor[row, row + 1 :], error)
    return rows[np.argsort(order)].astype(np.int8), scale


def calibrate(student: Student, texts: Sequence[Ids]) -> dict[str, Inputs]:
    """Return what the input of every linear layer of ``student`` looks like over ``texts``, or 512 of them."""
    rows: dict[str, list[Tensor]] = {}

    def watch(name: str, layer: nn.Linear) -> torch.utils.hooks.RemovableHandle:
        def add(_: nn.Module, inputs: tuple[Tensor]) -> None:
            rows.setdefault(name, []).append(inputs[0].flatten(0, -2))

        return layer.register_forward_pre_hook(add)

    hooks = [watch(name, module) for name, module in student.named_modules() if isinstance(module, nn.Linear)]
    try:
        with torch.inference_mode():
            for ids in texts[:: -(-len(texts) // _CALIBRATION_TEXTS)]:
                student(torch.from_numpy(ids.astype(np.int64))[None])
    finally:
        for hook in hooks:
            hook.remove()
    return {name: Inputs.of(torch.cat(found)) for name, found in rows.items()}


class Int8Emitter(FloatEmitter):
    """Writes the layers of the blocks, and the embeddings that the first of them multiplies, in INT8.

    Args:
        inputs: of each layer, by its name.
        scheme: for the weights.
        keep_float: names of layers to leave in float.
    """

    def __init__(self, inputs: Mapping[str, Inputs], scheme: Scheme, keep_float: Collection[str] = ()) -> None:
        super().__init__()
        self._inputs = inputs
        self._scheme = scheme
        self._keep_float = keep_float
        self._embedded: dict[str, tuple[str, str, str]] = {}

    def embed(self, network: Network) -> str:
        """Look up the integers that the first block multiplies; what is added to its result is made from them."""
        if network.blocks[0].qkv.name in self._keep_float:
            return super().embed(network)
        taken = self._integers("characters", network.characters, "ids")
        if network.bigrams is not None:
            rows = self.bigram_rows(len(network.bigrams), network)
            bigrams = self._integers("bigrams", network.gone_on(network.bigrams), rows)
            grid = self._grid(network.blocks[0].qkv.name)
            taken = self.node("QLinearAdd", [*taken, *bigrams, *grid], "embedded.integers", CONTRIB), *grid
        hidden = self.node("DequantizeLinear", [*taken], "embedded")
        self._embedded[hidden] = taken
        return hidden

    def _integers(self, name: str, table: Floats, rows: str) -> tuple[str, str, str]:
        """Look up rows of a table of uint8; return them and their grid."""
        step, zero = uint8_grid(float(table.min()), float(table.max()))
        integers = np.clip(np.rint(table / step) + zero, 0, 255).astype(np.uint8)
        taken = self.node("Gather", [self.constant(f"{name}.table", integers), rows], f"{name}.integers")
        return taken, self.constant(f"{name}.step", step), self.constant(f"{name}.zero", zero)

    def look_up(self, name: str, table: Floats, rows: str) -> str:
        """Take rows of a table in fp16 and widen these alone: the table keeps half its size in memory, too."""
        taken = self.node("Gather", [self.constant(f"{name}.table", table.astype(np.float16)), rows], f"{name}.fp16")
        return self.node("Cast", [taken], name, to=TensorProto.FLOAT)

    def linear(self, hidden: str, layer: Linear) -> str:
        """Quantise the input, multiply in integers, and scale back with the bias added."""
        if layer.name in self._keep_float:
            return super().linear(hidden, layer)
        quantised, *grid = self._quantised(hidden, layer.name)
        return self._to_float(quantised, grid, layer)

    def feed_forward(self, hidden: str, inner: Linear, outer: Linear) -> str:
        """Apply ``inner``, set what is negative to 0, apply ``outer``.

        The range of what ``outer`` takes in begins at 0, and so does its uint8 form: quantising is the rectifier.
        Where both layers are in INT8, what lies between them never is anything else.
        """
        if outer.name in self._keep_float:
            return super().feed_forward(hidden, inner, outer)
        if inner.name in self._keep_float:
            return self.linear(self.linear(hidden, inner), outer)
        rectified, grid = self._rectified(hidden, inner, outer)
        return self._to_float(rectified, grid, outer)

    def classify(self, hidden: str, last: Block, head: Linear, ngrams: str, name: str) -> str:
        """Apply the last feed-forward and ``head``.

        All behind the rectifier is linear: what the last layer multiplies is averaged first, in integers, and that
        layer and the head are one matrix. The mean has the grid of what it is a mean of: a finer one, after the means
        of development texts, would cut off those of very short texts. The fp32 graph computes what the student does,
        step by step: where this one is in doubt, that one can be trusted.
        """
        inner, outer = last.feed_forward_in, last.feed_forward_out
        if inner.name in self._keep_float:
            return self.classify_mean_first(hidden, last, head, ngrams, name)
        rectified, grid = self._rectified(hidden, inner, outer)
        mean = self.node(
            "QLinearGlobalAveragePool",
            [rectified, *grid, *grid],
            f"{outer.name}.integers",
            CONTRIB,
            channels_last=1,
        )
        flat = self.node("Flatten", [mean], f"{outer.name}.flat")
        ready = self.node("DequantizeLinear", [flat, *grid], f"{outer.name}.mean")
        return self.project(ready, behind(outer, head), ngrams, name)

    def attention(self, hidden: str, qkv: Linear, heads: int) -> str:
        """Project in integers; scores and their softmax are float."""
        if qkv.name in self._keep_float:
            return super().attention(hidden, qkv, heads)
        quantised, step, zero = self._embedded.get(hidden) or self._quantised(hidden, qkv.name)
        weight, scale = self._weight(qkv)
        inputs = [quantised, weight, self.bias(qkv), step, scale, "", zero]
        return self.node("QAttention", inputs, qkv.name, CONTRIB, num_heads=heads)

    def _rectified(self, hidden: str, inner: Linear, outer: Linear) -> tuple[str, tuple[str, str]]:
        """Apply ``inner`` and set what is negative to 0; return integers and their grid."""
        quantised, step, zero = self._quantised(hidden, inner.name)
        grid = self._grid(outer.name)
        weight, scale = self._weight(inner)
        scales = inner.weight.shape[1:] if self._scheme.per_channel else ()
        weight_zero = self.constant(f"{inner.name}.weight_zero", np.zeros(scales, np.int8))
        inputs = [quantised, step, zero, weight, scale, weight_zero, *grid]
        return self.node("QLinearMatMul", inputs, inner.name), grid

    def _quantised(self, hidden: str, name: str) -> tuple[str, str, str]:
        grid = self._grid(name)
        return self.node("QuantizeLinear", [hidden, *grid], f"{name}.quantised"), *grid

    def _to_float(self, quantised: str, grid: Sequence[str], layer: Linear) -> str:
        step, zero = grid
        weight, scale = self._weight(layer)
        inputs = [quantised, weight, step, scale, zero, "", self.bias(layer)]
        return self.node("MatMulIntegerToFloat", inputs, layer.name, CONTRIB)

    def _grid(self, name: str) -> tuple[str, str]:
        """Add step and zero point of what the layer ``name`` takes in."""
        step, zero = self._inputs[name].scale()
        return self.constant(f"{name}.step", step), self.constant(f"{name}.zero", zero)

    def _weight(self, layer: Linear) -> tuple[str, str]:
        """Add the weight of a layer and its scales."""
        weight, scale = quantise_weight(layer.weight, self._inputs[layer.name].gram, self._scheme)
        return self.constant(f"{layer.name}.weight", weight), self.constant(f"{layer.name}.scale", scale)


def _inverse_factor(gram: Doubles) -> Doubles:
    """Return the upper Cholesky factor of the inverse of ``gram``, slightly dampened."""
    damping = 0.01 * gram.diagonal().mean() or 1.0
    inverse = np.linalg.inv(gram + damping * np.eye(len(gram)))
    return np.asarray(np.linalg.cholesky(inverse).T, dtype=np.float64)


def _preset(target: str) -> Any:  # noqa: ANN401 - optimum is not typed
    with needs_extra("--int8", "export"):
        # Imported here: it brings transformers, and takes seconds.
        from optimum.onnxruntime.configuration import AutoQuantizationConfig
    # The preset leaves it to its user whether AVX2 may saturate: here it may not.
    options = {"reduce_range": True} if target == "avx2" else {}
    return getattr(AutoQuantizationConfig, target)(is_static=True, **options)
