"""The line-up: our backends on one bundle, and the peers that a user would otherwise pick."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.contenders.contender import Absent, Entry, not_installed
from benchmarks.contenders.peer_models import make
from benchmarks.contenders.sizes import SIZES
from benchmarks.machine.installed import OURS
from runtime.bundles.bundle import Bundle
from runtime.cascade import CASCADE
from runtime.errors import BackendError

OURS_INT8 = "gm-edge INT8, onnxruntime"
OURS_CASCADE = "gm-edge INT8, cascade"
OURS_FP32 = "gm-edge fp32, onnxruntime"
OURS_OPENVINO = "gm-edge INT8, OpenVINO"
OPTIMUM_INT8 = "optimum pipeline, INT8"
TORCH = "transformers pipeline, torch"
TOKENIZERS_FP32 = "tokenizers + onnxruntime, fp32"
TOKENIZERS_INT8 = "tokenizers + onnxruntime, INT8"
FASTTEXT = "fastText, character 3-grams"
FASTTEXT_WORDS = "fastText after jieba"
LINEAR_SVC = "TF-IDF + LinearSVC"
TEXT_CNN = "TextCNN, onnxruntime fp32"

_EXPORTER = "optimum-onnx[onnxruntime]"
_EXPORTS = ("torch", "onnx")
_RUNTIME = "benchmarks.contenders.ours:Runtime"
_OPTIONS = {"onnx": "--int8", "fp32": "--keep-fp32", "openvino": "--backend both"}


def ours(bundle: Bundle) -> tuple[list[Entry], list[Absent]]:
    """Return our entries for the backends and the cascade that the bundle has, and a line for each that it has not."""
    entries, absent = [], []
    for backend, name, needs in (
        ("onnx", OURS_INT8, (OURS,)),
        ("fp32", OURS_FP32, (OURS,)),
        ("openvino", OURS_OPENVINO, (f"{OURS}[openvino]", "openvino")),
    ):
        if backend not in bundle.manifest.backends:
            absent.append(Absent(name, f"not in the bundle: export it with {_OPTIONS[backend]}"))
        else:
            entries.append(Entry(name, _RUNTIME, (str(bundle.path), backend), needs))
    if CASCADE in bundle.manifest.files and "onnx" in bundle.manifest.backends:
        entries.insert(1, Entry(OURS_CASCADE, _RUNTIME, (str(bundle.path), "onnx", "cascade"), (OURS,)))
    else:
        absent.append(Absent(OURS_CASCADE, "not in the bundle: export it with --cascade"))
    return entries, absent


def peers(folder: Path, *, quick: bool) -> list[Entry]:
    """Return the entries of the peers, whose models are to lie in ``folder``."""
    onnx, stock, quantised = str(folder / "onnx"), "model.onnx", "model_quantized.onnx"
    light, optimum = ("tokenizers", "onnxruntime", "numpy"), (_EXPORTER, "transformers")
    tokenizers, words = "benchmarks.contenders.peers:TokenizersOnnx", ("fasttext-wheel", "jieba")
    entries = [
        Entry(TOKENIZERS_FP32, tokenizers, (onnx, stock), light, "onnx", (_EXPORTER,)),
        Entry(TOKENIZERS_INT8, tokenizers, (onnx, quantised), light, "onnx", (_EXPORTER,)),
        Entry(OPTIMUM_INT8, "benchmarks.contenders.peers:OptimumPipeline", (onnx, quantised), optimum, "onnx"),
    ]
    if quick:
        return entries
    return [
        *entries,
        Entry(
            TORCH,
            "benchmarks.contenders.peers:TorchPipeline",
            (str(folder / "bert"),),
            ("transformers", "torch"),
            "bert",
        ),
        Entry(
            FASTTEXT, "benchmarks.contenders.peers:FastText", (str(folder / "characters.bin"),), words[:1], "fasttext"
        ),
        Entry(
            FASTTEXT_WORDS,
            "benchmarks.contenders.peers:FastTextWords",
            (str(folder / "words.bin"),),
            words,
            "fasttext_words",
        ),
        Entry(
            LINEAR_SVC, "benchmarks.contenders.peers:LinearSVC", (str(folder / "svc.joblib"),), ("scikit-learn",), "svc"
        ),
        Entry(TEXT_CNN, "benchmarks.contenders.peers:TextCnn", (str(folder),), (OURS,), "textcnn", _EXPORTS),
    ]


def sizes(folder: Path) -> list[Entry]:
    """Return the entries of our students of other sizes, random weights, whose bundles are to lie in ``folder``."""
    return [
        Entry(size.contender, _RUNTIME, (str(folder / size.kind / "bundle"), "onnx"), (OURS,), size.kind, _EXPORTS)
        for size in SIZES
    ]


def ready(entries: Sequence[Entry], folder: Path) -> tuple[list[Entry], list[Absent]]:
    """Make the models of the peers that are installed; return who can start, and why the others cannot."""
    able, absent = [], []
    failures: dict[str, str] = {"": ""}
    for entry in entries:
        if entry.missing():
            absent.append(not_installed(entry))
            continue
        if entry.model not in failures:
            failures[entry.model] = _failure(entry.model, folder)
        if failures[entry.model]:
            absent.append(Absent(entry.name, failures[entry.model]))
        else:
            able.append(entry)
    return able, absent


def _failure(kind: str, folder: Path) -> str:
    try:
        make(kind, folder)
    except BackendError as error:
        return str(error)
    return ""
