"""How far the forward pass is from its integer products alone: ``python -m benchmarks.floor BUNDLE [--out FILE.json]``.

The floor is what no graph could go below on this machine: one call of onnxruntime, and each matrix product of the model
in 8 bits as a model of its own, less the call. Both are timed in turns with the whole model in one process. Where the
model takes much longer, the profile says which of its nodes do.
"""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import perf_counter_ns

import click
import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from benchmarks.machine.facts import machine_facts
from distill.layout import table
from runtime.bundles.bundle import Bundle
from runtime.command import run_command
from runtime.errors import ConfigError
from runtime.files import write_json

PRODUCTS = {"QAttention": 1, "QLinearMatMul": 3, "MatMulIntegerToFloat": 1}
"""Operators that multiply by a weight in 8 bits, and which input that is; attention's own product is left out."""
_LENGTHS = (10, 20, 100)
_ROUNDS, _CALLS, _PROFILED = 60, 20, 600

Call = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Floor:
    """Medians at one length, in microseconds.

    Attributes:
        length: characters of the text.
        forward: one call of the model.
        call: one call of a model that does next to nothing.
        products: all products together, calls not counted.
        ratio: of ``forward`` to ``call + products``.
    """

    length: int
    forward: float
    call: float
    products: float
    ratio: float


def weights(model: onnx.ModelProto) -> list[tuple[int, int]]:
    """Return the shapes ``[in, out]`` of all weights that 8-bit products of ``model`` use, in order."""
    shapes = {constant.name: tuple(constant.dims) for constant in model.graph.initializer}
    found = [shapes[node.input[PRODUCTS[node.op_type]]] for node in model.graph.node if node.op_type in PRODUCTS]
    return [(rows, columns) for rows, columns in found]


def measure(model: bytes, length: int) -> Floor:
    """Time ``model`` on texts of ``length`` characters, in turns with its products and an empty call."""
    shapes = weights(onnx.load_from_string(model))
    calls = [_call(model, {"ids": np.full((1, length), 2, np.int32)}), _call(_cast(), _bytes(length, 1))]
    calls += [_call(_product(shape), _bytes(length, shape[0])) for shape in shapes]
    forward, call, *products = _in_turns(calls)
    alone = sum(max(0.0, product - call) for product in products)
    return Floor(length, forward, call, round(alone, 2), round(forward / (call + alone), 2))


def profile(model: bytes, length: int) -> dict[str, tuple[int, float]]:
    """Return for each operator how many nodes run, and their microseconds in one call, the profiler's own included."""
    with tempfile.TemporaryDirectory() as folder:
        options = _options()
        options.enable_profiling, options.profile_file_prefix = True, str(Path(folder) / "profile")
        session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        for _ in range(_PROFILED):
            session.run(None, {"ids": np.full((1, length), 2, np.int32)})
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    nodes: dict[tuple[str, str], list[int]] = defaultdict(list)
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            nodes[event["args"]["op_name"], event["name"]].append(event["dur"])
    found: dict[str, tuple[int, float]] = {}
    for (operator, _), spent in nodes.items():
        count, total = found.get(operator, (0, 0.0))
        found[operator] = (count + 1, round(total + float(np.mean(sorted(spent)[: len(spent) // 2])), 2))
    return dict(sorted(found.items(), key=lambda item: -item[1][1]))


def _in_turns(calls: Sequence[Call]) -> list[float]:
    spent: list[list[int]] = [[] for _ in calls]
    for _ in range(_ROUNDS):
        for call, times in zip(calls, spent, strict=True):
            call()
            for _ in range(_CALLS):
                start = perf_counter_ns()
                call()
                times.append(perf_counter_ns() - start)
    return [round(median(times) / 1000, 2) for times in spent]


def _call(model: bytes, inputs: dict[str, npt.NDArray[np.generic]]) -> Call:
    session = ort.InferenceSession(model, _options(), providers=["CPUExecutionProvider"])
    return lambda: session.run(None, inputs)


def _options() -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return options


def _bytes(length: int, width: int) -> dict[str, npt.NDArray[np.generic]]:
    return {"rows": np.full((length, width), 3, np.uint8)}


def _product(shape: tuple[int, int]) -> bytes:
    weight = np.random.default_rng(0).integers(-64, 64, shape, dtype=np.int8)
    node = helper.make_node("MatMulInteger", ["rows", "weight"], ["product"])
    return _model(node, [numpy_helper.from_array(weight, "weight")], shape[0], TensorProto.INT32)


def _cast() -> bytes:
    return _model(helper.make_node("Cast", ["rows"], ["product"], to=TensorProto.FLOAT), [], 1, TensorProto.FLOAT)


def _model(node: onnx.NodeProto, constants: list[onnx.TensorProto], width: int, kind: int) -> bytes:
    rows = helper.make_tensor_value_info("rows", TensorProto.UINT8, ["length", width])
    product = helper.make_tensor_value_info("product", kind, None)
    graph = helper.make_graph([node], "product", [rows], [product], constants)
    content: bytes = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    ).SerializeToString()
    return content


def _served(bundle: Path) -> bytes:
    opened = Bundle.open(bundle)
    name = opened.manifest.backends.get("onnx")
    if name is None:
        raise ConfigError(f"{bundle}: has no onnxruntime model; export it with --backend onnx")
    return opened.read(name)


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="JSON to write.")
def main(bundle: Path, out: Path | None) -> None:
    """Compare the forward pass of BUNDLE with its integer products, and say where the rest goes."""
    model = _served(bundle)
    floors = [measure(model, length) for length in _LENGTHS]
    spent = profile(model, _LENGTHS[1])
    rows = [[str(value) for value in asdict(floor).values()] for floor in floors]
    click.echo(table(["characters", "forward us", "call us", "products us", "ratio"], rows))
    click.echo(f"\none call of {_LENGTHS[1]} characters, by operator, in microseconds with the profiler's share:")
    lines = [[operator, str(count), str(micros)] for operator, (count, micros) in spent.items()]
    click.echo(table(["operator", "nodes", "us"], lines))
    if out is not None:
        nodes = {operator: {"nodes": count, "us": micros} for operator, (count, micros) in spent.items()}
        found = {"machine": machine_facts(), "floors": [asdict(floor) for floor in floors], "profile": nodes}
        write_json(out, found)


if __name__ == "__main__":
    run_command(main, "python -m benchmarks.floor")
