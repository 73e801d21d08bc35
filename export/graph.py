"""The student as an ONNX graph, written node by node from its weights.

One walk over the network, :func:`build`, drives any of three emitters, so the variants are the same graph
and differ only in how a linear layer and the attention are spelled:

* :class:`FloatEmitter`: fp32, onnxruntime's fused attention, otherwise step by step what the student computes;
* :class:`StandardEmitter`: fp32, operators of the ONNX standard only, which OpenVINO and NNCF read;
* :class:`export.quantize.Int8Emitter`: INT8.

The graph has no mask, no padding, no positions and no token types: a call takes texts of equal length. Every
node costs some time whatever it computes, so there are few: the first normalisation is part of the table of
embeddings, and all of the n-grams after their mean part of theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from distill.models.student import Student
from runtime.cascade import BIGRAM_FACTOR

OPSET = 17
IR_VERSION = 8
"""Old enough for every onnxruntime that the runtime allows."""
CONTRIB = "com.microsoft"
HEAD_PRODUCT = "head.product"
"""The node of :class:`StandardEmitter` that multiplies by the head."""
_OUTPUT = "logits"
_BEHIND_FIRST = {"starts": 1, "ends": np.iinfo(np.int64).max, "axes": 1}
"""Inputs of a Slice that leaves the first character of each text out."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Linear:
    """A linear layer: ``name`` as in the student's state, weight ``[in, out]``, bias ``[out]`` if there is one."""

    name: str
    weight: Floats
    bias: Floats | None


@dataclass(frozen=True, slots=True)
class Norm:
    """A normalisation by the root mean square over the last axis: scale ``[d]``."""

    name: str
    scale: Floats
    epsilon: float


@dataclass(frozen=True, slots=True)
class Block:
    """The layers of one Transformer block; the columns of ``qkv`` are query | key | value.

    The ``norm`` of the first block is part of the embeddings.
    """

    norm: Norm
    qkv: Linear
    feed_forward_in: Linear
    feed_forward_out: Linear


@dataclass(frozen=True, slots=True)
class Network:
    """All that the graph needs to know of a student.

    What comes before the first product depends on the character alone, or on it and the one behind it, so it is a
    table, or the sum of two (compare Graef 2024, "Transformer tricks: Precomputing the first layer", arXiv:2402.13388).

    Attributes:
        characters: embedding table ``[vocabulary, d]``, normalised.
        bigrams: of hashed bigrams ``[buckets, d]``, added to those of the characters; ``None`` where there are none.
        blocks: in order.
        head: from the mean over the text to the classes; its part of the logits.
        heads: attention heads; they divide ``d``.
        ngrams: the part of the logits of each row of :func:`runtime.cascade.table_rows`, ``[buckets, C]``, the bias of
            ``head`` included, which then has none; ``None`` for a student without n-grams.
    """

    characters: Floats
    bigrams: Floats | None
    blocks: tuple[Block, ...]
    head: Linear
    heads: int
    ngrams: Floats | None

    @classmethod
    def of(cls, student: Student) -> Network:
        """Return the weights of ``student``, in part its own memory."""
        modules = dict(student.named_modules())
        head, ngrams = _linear(modules, "head"), None
        if student.config.ngram_buckets:
            head, ngrams = _in_halves(head, ngram_logits(student))
        return cls(
            characters=_normalised(student, modules["blocks.0.norm"]),
            bigrams=_array(student.bigrams.weight) if student.config.bigram_buckets else None,
            blocks=tuple(_block(modules, f"blocks.{index}.") for index in range(student.config.layers)),
            head=head,
            heads=student.config.heads,
            ngrams=ngrams,
        )

    @property
    def buckets(self) -> int:
        """Rows of the largest table of hashed bigrams; 0 where there is none."""
        return max(0 if table is None else len(table) for table in (self.bigrams, self.ngrams))

    def gone_on(self, table: Floats) -> Floats:
        """Return a hashed table, repeated from its start until it covers every row that the graph looks up.

        For the largest table the graph takes no remainder of the sums that number its rows, which saves a node.
        """
        past = len(self.characters) - 1 if len(table) == self.buckets else 0
        rows = max(len(table) + past, len(self.characters))
        return np.resize(table, (rows, table.shape[1]))

    def quantisable(self) -> tuple[str, ...]:
        """Return the names of the linear layers in the blocks, in order; the last is part of the head, and not here."""
        layers = [layer.name for b in self.blocks for layer in (b.qkv, b.feed_forward_in, b.feed_forward_out)]
        return tuple(layers[:-1])


class FloatEmitter:
    """Writes nodes in fp32; each method returns the name of the tensor that its last node gives."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._hashes = ""

    def node(self, operator: str, inputs: list[str], name: str, domain: str = "", **attributes: object) -> str:
        """Add a node of one output, which bears the node's name."""
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, domain=domain, **attributes))
        return name

    def constant(self, name: str, value: npt.NDArray[Any] | np.generic) -> str:
        """Add an initializer."""
        self.constants.append(numpy_helper.from_array(np.asarray(value, order="C"), name))
        return name

    def bias(self, layer: Linear) -> str:
        """Add the bias; an empty name, which stands for an input left out, for a layer without one."""
        return "" if layer.bias is None else self.constant(f"{layer.name}.bias", layer.bias)

    def embed(self, network: Network) -> str:
        """Look up the normalised embeddings of the characters, and add those of the bigrams: ``[B, L, d]``."""
        characters = self.look_up("characters", network.characters, "ids")
        if network.bigrams is None:
            return characters
        rows = self.bigram_rows(len(network.bigrams), network)
        bigrams = self.look_up("bigrams", network.gone_on(network.bigrams), rows)
        return self.node("Add", [characters, bigrams], "embedded")

    def normalise(self, hidden: str, norm: Norm) -> str:
        """Divide by the root mean square over the last axis, and scale.

        Spelled in operators of the standard, in the order of which onnxruntime makes one kernel.
        """
        name, root = norm.name, self.root_mean_square(hidden, norm)
        divided = self.node("Div", [hidden, root], f"{name}.divided")
        return self.node("Mul", [divided, self.constant(f"{name}.scale", norm.scale)], name)

    def root_mean_square(self, hidden: str, norm: Norm) -> str:
        """Take it over the last axis, which stays with length 1."""
        name = norm.name
        squares = self.node("Pow", [hidden, self.constant(f"{name}.two", np.float32(2))], f"{name}.squares")
        mean = self.node("ReduceMean", [squares], f"{name}.mean", axes=[-1])
        epsilon = self.constant(f"{name}.epsilon", np.float32(norm.epsilon))
        return self.node("Sqrt", [self.node("Add", [mean, epsilon], f"{name}.shifted")], f"{name}.root")

    def linear(self, hidden: str, layer: Linear) -> str:
        """Multiply by the layer's weight and add its bias."""
        weight = self.constant(f"{layer.name}.weight", layer.weight)
        product = self.node("MatMul", [hidden, weight], f"{layer.name}.product")
        return product if layer.bias is None else self.node("Add", [product, self.bias(layer)], layer.name)

    def feed_forward(self, hidden: str, inner: Linear, outer: Linear) -> str:
        """Apply ``inner``, set what is negative to 0, apply ``outer``."""
        return self.linear(self.node("Relu", [self.linear(hidden, inner)], f"{outer.name}.input"), outer)

    def attention(self, hidden: str, qkv: Linear, heads: int) -> str:
        """Let every character attend to all: ``[B, L, d]``."""
        inputs = [
            hidden,
            self.constant(f"{qkv.name}.weight", qkv.weight),
            self.bias(qkv),
        ]
        return self.node("Attention", inputs, qkv.name, CONTRIB, num_heads=heads)

    def mean(self, hidden: str, name: str) -> str:
        """Average over the text: ``[B, n]`` of ``[B, L, n]``."""
        return self.node("ReduceMean", [hidden], name, axes=[1], keepdims=0)

    def classify(self, hidden: str, last: Block, head: Linear, ngrams: str, name: str) -> str:
        """Apply the last feed-forward to states ``[B, L, d]`` and ``head`` to their mean: logits ``[B, C]``.

        Args:
            hidden: the states, after the attention of the last block.
            last: that block.
            head: stays in float.
            ngrams: logits ``[B, C]`` to add; empty where the head has a bias.
            name: of the result.
        """
        mean = self.mean(self.feed_forward(hidden, last.feed_forward_in, last.feed_forward_out), "mean")
        return self.project(mean, head, ngrams, name)

    def classify_mean_first(self, hidden: str, last: Block, head: Linear, ngrams: str, name: str) -> str:
        """Do as :meth:`classify`; all behind the rectifier is linear, so the mean may come first."""
        inner, outer = last.feed_forward_in, last.feed_forward_out
        rectified = self.node("Relu", [self.linear(hidden, inner)], f"{outer.name}.input")
        return self.project(self.mean(rectified, "mean"), behind(outer, head), ngrams, name)

    def project(self, mean: str, head: Linear, ngrams: str, name: str) -> str:
        """Apply ``head`` to ``[B, n]``, and add the logits ``[B, C]`` of n-grams, or its bias."""
        return self.node("Gemm", [mean, self.constant("head.weight", head.weight), ngrams or self.bias(head)], name)

    def average_ngrams(self, table: Floats, network: Network) -> str:
        """Average the rows of the characters and bigrams of a text: ``[B, C]``."""
        rows = self.node("Concat", ["ids", self.bigram_rows(len(table), network)], "ngrams.rows", axis=1)
        return self.mean(self.look_up("ngrams", network.gone_on(table), rows), "ngrams.logits")

    def bigram_rows(self, buckets: int, network: Network) -> str:
        """Hash each character and the one behind it: rows ``[B, L]`` of a table of that many buckets, repeated."""
        if not self._hashes:
            self._hashes = self._hash_bigrams(network)
        if buckets == network.buckets:
            return self._hashes
        divisor = self.constant("bigrams.fewer", np.int32(buckets))
        return self.node("Mod", [self._hashes, divisor], "bigrams.remainders")

    def _hash_bigrams(self, network: Network) -> str:
        # Every id moves to the place before it, and the last place gets PAD_ID. One Pad with a negative width would do,
        # a microsecond faster; but onnxruntime before 1.24 then reads a text of one character out of foreign memory.
        behind_first = [self.constant(f"behind.{name}", np.array([at])) for name, at in _BEHIND_FIRST.items()]
        behind = self.node("Slice", ["ids", *behind_first], "behind")
        following = self.node("Pad", [behind, self.constant("following.pads", np.array([0, 0, 0, 1]))], "following")
        # Looked up: OpenVINO multiplies and takes remainders of integers in single precision, exact below 2^24 alone,
        # which sums are.
        left = (np.arange(len(network.characters)) * BIGRAM_FACTOR % network.buckets).astype(np.int32)
        first = self.node("Gather", [self.constant("bigrams.left", left), "ids"], "bigrams.first")
        return self.node("Add", [first, following], "bigrams.hashes")

    def look_up(self, name: str, table: Floats, rows: str) -> str:
        """Take rows of a large table, of which a text needs a few."""
        return self.node("Gather", [self.constant(f"{name}.table", table), rows], name)


class StandardEmitter(FloatEmitter):
    """Spells the attention out in operators of the ONNX standard, and the normalisation as OpenVINO needs it."""

    def normalise(self, hidden: str, norm: Norm) -> str:
        """Scale, and divide by the root mean square over the last axis.

        In the other order OpenVINO (2026.4) makes one kernel of it, which in a quantised model gives equal rows of a
        batch different logits, with four times the error.
        """
        scaled = self.node("Mul", [hidden, self.constant(f"{norm.name}.scale", norm.scale)], f"{norm.name}.scaled")
        return self.node("Div", [scaled, self.root_mean_square(hidden, norm)], norm.name)

    def attention(self, hidden: str, qkv: Linear, heads: int) -> str:
        """Let every character attend to all: ``[B, L, d]``."""
        name, width = qkv.name, qkv.weight.shape[0]
        query, key, value = self._parts(self.linear(hidden, qkv), name, heads, width // heads)
        scale = self.constant(f"{name}.scale", np.float32((width // heads) ** -0.5))
        scaled = self.node("Mul", [query, scale], f"{name}.scaled")
        turned = self.node("Transpose", [key], f"{name}.turned", perm=[0, 1, 3, 2])
        scores = self.node("MatMul", [scaled, turned], f"{name}.scores")
        weights = self.node("Softmax", [scores], f"{name}.weights", axis=-1)
        mixed = self.node("MatMul", [weights, value], f"{name}.mixed")
        joined = self.node("Transpose", [mixed], f"{name}.joined", perm=[0, 2, 1, 3])
        shape = self.constant(f"{name}.joined_shape", np.array([0, 0, width]))
        return self.node("Reshape", [joined, shape], f"{name}.context")

    def _parts(self, hidden: str, name: str, heads: int, size: int) -> list[str]:
        """Return query, key and value, each ``[B, heads, L, size]``."""
        shape = self.constant(f"{name}.split_shape", np.array([0, 0, 3, heads, size]))
        split = self.node("Reshape", [hidden, shape], f"{name}.split")
        stacked = self.node("Transpose", [split], f"{name}.stacked", perm=[2, 0, 3, 1, 4])
        indices = (self.constant(f"{name}.index{part}", np.int64(part)) for part in range(3))
        return [
            self.node("Gather", [stacked, index], f"{name}.part{part}", axis=0) for part, index in enumerate(indices)
        ]

    def classify(self, hidden: str, last: Block, head: Linear, ngrams: str, name: str) -> str:
        """Apply the last feed-forward and ``head``, the mean first.

        Of a product and the mean behind it OpenVINO (2026.4) makes one kernel, which in a quantised model gives a text
        other logits in company than alone.
        """
        return self.classify_mean_first(hidden, last, head, ngrams, name)

    def project(self, mean: str, head: Linear, ngrams: str, name: str) -> str:
        """Apply ``head`` to ``[B, n]``, and add the logits ``[B, C]`` of n-grams, or its bias."""
        product = self.node("MatMul", [mean, self.constant("head.weight", head.weight)], HEAD_PRODUCT)
        return self.node("Add", [product, ngrams or self.bias(head)], name)


def behind(first: Linear, second: Linear) -> Linear:
    """Return, as one layer, ``second`` behind ``first``, which has no bias."""
    assert first.bias is None
    return Linear(second.name, first.weight @ second.weight, second.bias)


def build(network: Network, emitter: FloatEmitter) -> bytes:
    """Write ``network`` with ``emitter``; return the ONNX file, the same bytes for the same weights.

    Input ``ids``, int32 ``[batch, length]``; output ``logits``, float32 ``[batch, classes]``.
    """
    hidden = _attend(emitter.embed(network), network.blocks[0], network.heads, emitter)
    for block, following in pairwise(network.blocks):
        fed = emitter.feed_forward(hidden, block.feed_forward_in, block.feed_forward_out)
        hidden = emitter.node("Add", [hidden, fed], f"{block.feed_forward_out.name}.added")
        hidden = _attend(emitter.normalise(hidden, following.norm), following, network.heads, emitter)
    ngrams = "" if network.ngrams is None else emitter.average_ngrams(network.ngrams, network)
    emitter.classify(hidden, network.blocks[-1], network.head, ngrams, _OUTPUT)
    return _model(emitter, network.head.weight.shape[1])


def _attend(hidden: str, block: Block, heads: int, emitter: FloatEmitter) -> str:
    return emitter.node("Add", [hidden, emitter.attention(hidden, block.qkv, heads)], f"{block.qkv.name}.added")


def _model(emitter: FloatEmitter, classes: int) -> bytes:
    ids = helper.make_tensor_value_info("ids", TensorProto.INT32, ["batch", "length"])
    logits = helper.make_tensor_value_info(_OUTPUT, TensorProto.FLOAT, ["batch", classes])
    graph = helper.make_graph(emitter.nodes, "student", [ids], [logits], emitter.constants)
    opsets = [helper.make_opsetid("", OPSET)]
    if any(node.domain == CONTRIB for node in emitter.nodes):
        opsets.append(helper.make_opsetid(CONTRIB, 1))
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="gm-export")
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def ngram_logits(student: Student) -> Floats:
    """Return the logits ``[buckets, C]`` that each row of the n-grams stands for: all after their mean is linear."""
    with torch.no_grad():
        logits: Tensor = student.ngrams.head(student.ngrams.rows.weight)
    return _array(logits)


def _block(modules: dict[str, nn.Module], prefix: str) -> Block:
    return Block(
        norm=_norm(modules, f"{prefix}norm"),
        qkv=_linear(modules, f"{prefix}qkv"),
        feed_forward_in=_linear(modules, f"{prefix}feed_forward_in"),
        feed_forward_out=_linear(modules, f"{prefix}feed_forward_out"),
    )


def _linear(modules: dict[str, nn.Module], name: str) -> Linear:
    module = modules[name]
    assert isinstance(module, nn.Linear)
    bias = None if module.bias is None else _array(module.bias)
    return Linear(name, _array(module.weight).T, bias)


def _in_halves(head: Linear, ngrams: Floats) -> tuple[Linear, Floats]:
    """Return head and n-grams whose logits add up to the mean of both.

    The bias of the head goes to the n-grams: the mean of rows that all carry it carries it too.
    """
    half = np.float32(0.5)
    assert head.bias is not None
    return Linear(head.name, half * head.weight, None), half * (ngrams + head.bias)


def _normalised(student: Student, norm: nn.Module) -> Floats:
    with torch.no_grad():
        normalised: Tensor = norm(student.characters.weight)
    return _array(normalised)


def _norm(modules: dict[str, nn.Module], name: str) -> Norm:
    module = modules[name]
    assert isinstance(module, nn.RMSNorm)
    assert module.eps is not None
    return Norm(name, _array(module.weight), module.eps)


def _array(parameter: Tensor) -> Floats:
    array: Floats = parameter.detach().float().numpy()
    return array
