"""Small real bundles for tests: an ONNX graph with fixed weights, written by the onnx package."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from runtime.bundles.manifest import GOLDEN, MANIFEST, UNLISTED, FileEntry, Manifest, Thresholds, TokenizerEntry
from runtime.bundles.reference import REFERENCE, Promise, Reference
from runtime.cascade import CASCADE, TABLE, CascadeEntry, table_bytes
from runtime.text import normalise
from runtime.tokenizer import CharTokenizer

BACKENDS = ("onnx", "openvino")
LABELS = ("acid", "base", "polymer", "solvent")
TEXTS = (
    "sulphuric acid 98 % drum",
    "氢氧化钠 片碱 99%",
    "聚丙烯酰胺 阴离子 絮凝剂",
    "acetone, technical grade",
    "ＨＣｌ 31％ 盐酸",
    "乙醇",
    "polyvinyl alcohol 1788",
    "甲苯 180kg 桶装",
)
MAX_LEN = 24
# What a development set of eight texts would look like to these models: of each label, and of each score, some.
SEEN = Reference(
    texts=8,
    promises=(Promise(0.01, None, 0.0), Promise(0.05, 0.9, 0.5), Promise(0.2, 0.5, 0.75)),
    labels=(0.25, 0.25, 0.25, 0.25),
    edges=(0.5, 0.9),
    scores=(0.25, 0.25, 0.5),
)
_WIDTH = 8


class Model:
    """Embedding → mean over the text → linear, the same in ONNX and in numpy."""

    def __init__(self, vocabulary: int, seed: int = 0) -> None:
        random = np.random.default_rng(seed)
        self.embedding = random.normal(size=(vocabulary, _WIDTH)).astype(np.float32)
        self.weight = random.normal(size=(_WIDTH, len(LABELS))).astype(np.float32) * 3
        self.bias = random.normal(size=len(LABELS)).astype(np.float32)

    def logits(self, ids: npt.NDArray[np.int32]) -> npt.NDArray[np.float32]:
        """Return logits ``[C]`` of ids ``[L]``, computed by numpy."""
        logits: npt.NDArray[np.float32] = self.embedding[ids].mean(0) @ self.weight + self.bias
        return logits

    def onnx(self, classes: int | str = len(LABELS)) -> onnx.ModelProto:
        """Return the graph; ``classes`` is the declared width of its output."""
        constants = {"embedding": self.embedding, "weight": self.weight, "bias": self.bias}
        graph = helper.make_graph(
            [
                helper.make_node("Gather", ["embedding", "ids"], ["hidden"]),
                helper.make_node("ReduceMean", ["hidden"], ["mean"], axes=[1], keepdims=0),
                helper.make_node("MatMul", ["mean", "weight"], ["product"]),
                helper.make_node("Add", ["product", "bias"], ["logits"]),
            ],
            "classifier",
            [helper.make_tensor_value_info("ids", TensorProto.INT32, ["batch", "length"])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", classes])],
            [numpy_helper.from_array(value, name) for name, value in constants.items()],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def tokenizer() -> CharTokenizer:
    """Return the tokeniser of all test bundles."""
    return CharTokenizer.from_texts(TEXTS, MAX_LEN)


def write_bundle(
    folder: Path,
    *,
    seed: int = 0,
    labels: tuple[str, ...] = LABELS,
    thresholds: Thresholds = Thresholds(),  # noqa: B008 - frozen
    max_unknown: float = 0.5,
    temperature: float = 1.0,
    model: bytes = b"",
    openvino: bool = False,
    fp32: bytes = b"",
    reference: Reference | None = SEEN,
) -> Path:
    """Write a complete bundle with the model of ``seed``, or ``model``, and return its folder."""
    folder.mkdir()
    characters = tokenizer()
    network = Model(characters.size, seed)
    characters.save(folder / "tokenizer.json")
    (folder / "model.onnx").write_bytes(model or network.onnx().SerializeToString())
    if reference:
        (folder / REFERENCE).write_bytes(reference.to_bytes())
    if openvino:
        _write_openvino(folder)
    if fp32:
        (folder / "fp32.onnx").write_bytes(fp32)
    _write_golden(folder / GOLDEN, characters, network, labels)
    backends = {"onnx": "model.onnx"} | ({"openvino": "openvino/model.xml"} if openvino else {})
    backends |= {"fp32": "fp32.onnx"} if fp32 else {}
    manifest = Manifest(
        name="test",
        created="2026-01-01T00:00:00Z",
        labels=labels,
        tokenizer=TokenizerEntry("chars", "tokenizer.json"),
        max_len=MAX_LEN,
        temperature=temperature,
        thresholds=thresholds,
        max_unknown=max_unknown,
        backends=backends,
        files=file_entries(folder),
        metrics={"accuracy": 0.875},
        toolchain={"onnx": onnx.__version__},
    )
    (folder / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
    return folder


def file_entries(folder: Path) -> dict[str, FileEntry]:
    """Return the manifest's entries for what lies in ``folder``."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    named = ((path.relative_to(folder).as_posix(), path.read_bytes()) for path in files)
    return {
        name: FileEntry(hashlib.sha256(content).hexdigest(), len(content))
        for name, content in named
        if name not in UNLISTED
    }


def edit_manifest(folder: Path, **keys: object) -> None:
    """Replace top-level keys of a bundle's manifest; ``files`` is brought up to date first."""
    path = folder / MANIFEST
    stored = json.loads(path.read_text(encoding="utf-8"))
    stored["files"] = {
        name: {"sha256": entry.sha256, "size": entry.size} for name, entry in file_entries(folder).items()
    }
    path.write_text(json.dumps(stored | keys), encoding="utf-8")


def only_openvino(folder: Path) -> Path:
    """Take the ONNX model away from a bundle that has one for OpenVINO, and return its folder."""
    (folder / "model.onnx").unlink()
    edit_manifest(folder, backends={"openvino": "openvino/model.xml"})
    return folder


def pack(folder: Path, path: Path, compression: int = ZIP_STORED) -> Path:
    """Zip a bundle folder into one file."""
    with ZipFile(path, "w", compression) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))
    return path


def _write_openvino(folder: Path) -> None:
    import openvino

    model = openvino.Core().read_model(folder / "model.onnx")
    openvino.save_model(model, folder / "openvino" / "model.xml", compress_to_fp16=False)


def _write_golden(path: Path, characters: CharTokenizer, network: Model, labels: tuple[str, ...]) -> None:
    lines = []
    for text in TEXTS * 8:
        assert normalise(text)
        logits = network.logits(characters.encode(text).ids)
        row = {"text": text, "label": labels[int(logits.argmax())], "logits": logits.tolist()}
        lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    path.write_text("".join(lines), encoding="utf-8")


def add_cascade(folder: Path, table: npt.NDArray[np.float32] | None = None, **keys: object) -> npt.NDArray[np.float16]:
    """Give a bundle a cascade with 16 buckets, whose values ``keys`` replaces, and return its table of logits."""
    if table is None:
        table = np.random.default_rng(3).normal(size=(16, len(LABELS))).astype(np.float32) * 3
    entry = CascadeEntry(buckets=16, threshold=0.5, temperature=2.0, accepted_from=0.6, reference=SEEN)
    (folder / TABLE).write_bytes(table_bytes(table))
    (folder / CASCADE).write_text(json.dumps(json.loads(entry.to_bytes()) | keys))
    edit_manifest(folder)
    return table.astype(np.float16)
