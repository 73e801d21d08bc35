"""From run folder to bundle: build the models, measure them, and publish what is still the same model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import numpy.typing as npt

from distill.models.student import Student
from distill.predict import student_logits
from distill.run_folder import PredictionRow, RunFolder
from export.bundle import check_target, file_entries, golden_lines, golden_texts, with_manifest, write_bundle
from export.confidence import fit_temperature, fit_threshold
from export.graph import FloatEmitter, Network, StandardEmitter, build
from export.parity import Comparison, LabelledTexts, Limits, check, compare
from export.quantize import Int8Emitter, calibrate, scheme
from runtime.backends import Backend
from runtime.confidence import softmax
from runtime.errors import DataError
from runtime.manifest import GOLDEN, Manifest, Thresholds, TokenizerEntry
from runtime.text import normalise
from runtime.tokenizer import CharTokenizer, Ids

Logits = npt.NDArray[np.float32]

_TOOLS = ("gm-edge", "numpy", "torch", "onnx", "onnxruntime", "optimum-onnx", "openvino", "nncf")
_MODEL, _FP32, _IR, _TOKENIZER = "model.onnx", "fp32.onnx", "openvino/model.xml", "tokenizer.json"
# A text of which half is foreign to the vocabulary is not of the kind that the model was trained on.
_MAX_UNKNOWN = 0.5


@dataclass(frozen=True, slots=True)
class Options:
    """What to export.

    Attributes:
        int8: quantise; otherwise the bundle holds fp32 models.
        target: one of :data:`export.quantize.TARGETS`.
        onnx: write ``model.onnx``.
        openvino: write the OpenVINO model.
        keep_fp32: put the fp32 model beside the INT8 one.
        name: of the bundle; empty: that of the run folder.
        precision: share of accepted development texts that must be right; 0 accepts every text.
        limits: of parity.
    """

    int8: bool = True
    target: str = "generic"
    onnx: bool = True
    openvino: bool = False
    keep_fp32: bool = False
    name: str = ""
    precision: float = 0.95
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True)
class Source:
    """All that is taken from a run folder."""

    run: RunFolder
    student: Student
    tokenizer: CharTokenizer
    names: tuple[str, ...]
    dev: tuple[PredictionRow, ...]
    test: tuple[PredictionRow, ...]


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


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written, and how it compares; the first comparison is that of the fp32 ONNX graph."""

    path: Path
    variants: tuple[Variant, ...]
    comparisons: tuple[Comparison, ...]
    manifest: Manifest


def export_run(
    run: Path, target: Path, options: Options, report: Callable[[str], None] = lambda _line: None
) -> Exported:
    """Export the student of a run folder and write the bundle.

    Args:
        run: the run folder.
        target: the bundle to write: a folder, or a file when it ends in ``.gmb``.
        options: what to export.
        report: is told what is being done.

    Raises:
        DataError: the run folder is not complete, or the bundle cannot be written.
        ConfigError: a package is missing, or ``target`` is something else than a bundle.
        ParityError: a model decides otherwise than the student; nothing is written.
        BackendError: an engine cannot load the model.
    """
    check_target(target)
    source = read_source(run)
    report(f"building the models of {run}")
    variants = build_variants(source, options)
    report(f"measuring on {len(source.test)} test texts")
    comparisons = measure(source, variants)
    check(comparisons, options.limits)
    # The fp32 graph is measured in any case: where INT8 fails, it tells whether the graph is to blame.
    published = [variant for variant in variants if variant.key != "fp32" or options.keep_fp32]
    files = {name: content for variant in published for name, content in variant.files.items()}
    files[_TOKENIZER] = (run / _TOKENIZER).read_bytes()
    files[GOLDEN] = _golden(source, published[0])
    manifest = _manifest(source, published, files, comparisons, options)
    write_bundle(target, with_manifest(files, manifest))
    return Exported(target, tuple(variants), tuple(comparisons), manifest)


def read_source(path: Path) -> Source:
    """Read what export needs of a run folder.

    Raises:
        DataError: a part is missing, broken or empty, or the parts do not fit each other.
    """
    run = RunFolder(path)
    run.recipe()
    names, tokenizer, student = run.labels(), run.tokenizer(), run.student()
    dev, test = (_usable(run, split, names) for split in ("dev", "test"))
    if (student.head.out_features, student.characters.num_embeddings) != (len(names), tokenizer.size):
        raise DataError(f"{path}: student, labels.json and tokenizer.json are not of one run; train again")
    return Source(run, student, tokenizer, names, dev, test)


def build_variants(source: Source, options: Options) -> list[Variant]:
    """Return the models of ``source`` in every form asked for; the first is the one that serves by default."""
    network = Network.of(source.student)
    calibration = [source.tokenizer.encode(row.text).ids for row in source.dev]
    fp32 = build(network, FloatEmitter())
    variants = []
    if options.onnx and options.int8:
        emitter = Int8Emitter(calibrate(source.student, calibration), scheme(options.target))
        variants.append(_onnx_variant("ONNX INT8", "onnx", _MODEL, build(network, emitter)))
    if options.openvino:
        variants.append(_ir_variant(build(network, StandardEmitter()), calibration, options))
    if options.onnx and not options.int8:
        variants.insert(0, _onnx_variant("ONNX fp32", "onnx", _MODEL, fp32))
    else:
        variants.append(_onnx_variant("ONNX fp32", "fp32", _FP32, fp32))
    return variants


def measure(source: Source, variants: Sequence[Variant]) -> list[Comparison]:
    """Hold every variant against the trained student on the test set."""
    data = _labelled(source.test, source.names)
    reference = student_logits(source.student, source.tokenizer, data.texts)
    return [
        compare(variant.name, data, reference, logits_of(variant.backend, source.tokenizer, data.texts))
        for variant in variants
    ]


def logits_of(backend: Backend, tokenizer: CharTokenizer, texts: Sequence[str]) -> Logits:
    """Return the logits ``[n, C]`` of texts that are not blank, one call a text, as a device makes them."""
    ids: list[Ids] = [tokenizer.encode(text).ids for text in texts]
    return np.concatenate([backend.run(row[np.newaxis]) for row in ids])


def _onnx_variant(name: str, key: str, file: str, model: bytes) -> Variant:
    from runtime.backends.onnx import OnnxBackend

    return Variant(name, key, {file: model}, OnnxBackend(model, 1, file))


def _ir_variant(model: bytes, calibration: Sequence[Ids], options: Options) -> Variant:
    from export.openvino import convert, convert_int8

    if options.int8:
        ir = convert_int8(model, calibration, scheme(options.target).reduce_range)
    else:
        ir = convert(model)
    from runtime.backends.openvino import OpenVinoBackend

    name = "OpenVINO INT8" if options.int8 else "OpenVINO fp32"
    files = {_IR: ir.xml, _IR.removesuffix(".xml") + ".bin": ir.weights}
    return Variant(name, "openvino", files, OpenVinoBackend(ir.xml, ir.weights, 1, _IR))


def _golden(source: Source, variant: Variant) -> bytes:
    texts = golden_texts((*source.dev, *source.test), source.tokenizer.max_len)
    return golden_lines(texts, logits_of(variant.backend, source.tokenizer, texts), source.names)


def _manifest(
    source: Source,
    published: Sequence[Variant],
    files: dict[str, bytes],
    comparisons: Sequence[Comparison],
    options: Options,
) -> Manifest:
    served = next(found for found in comparisons if found.variant == published[0].name)
    temperature, threshold = _fit_confidence(source, published[0], options.precision)
    return Manifest(
        name=options.name or source.run.path.resolve().name,
        created=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        labels=source.names,
        tokenizer=TokenizerEntry(source.tokenizer.kind, _TOKENIZER),
        max_len=source.tokenizer.max_len,
        temperature=temperature,
        thresholds=Thresholds(default=threshold),
        max_unknown=_MAX_UNKNOWN,
        backends={variant.key: next(iter(variant.files)) for variant in published},
        files=file_entries(files),
        metrics={"test": {"texts": served.texts, "accuracy": served.accuracy, "macro_f1": served.macro_f1}},
        parity={"limits": asdict(options.limits), "variants": [found.to_json() for found in comparisons]},
        data_fingerprint=str(source.run.environment().get("data_fingerprint", "")),
        recipe_sha256=source.run.recipe().sha256,
        toolchain=_toolchain(),
        target=options.target,
    )


def _fit_confidence(source: Source, variant: Variant, precision: float) -> tuple[float, float]:
    data = _labelled(source.dev, source.names)
    logits = logits_of(variant.backend, source.tokenizer, data.texts)
    temperature = fit_temperature(logits, data.labels)
    scores = softmax(logits, temperature).max(1)
    return temperature, fit_threshold(scores, logits.argmax(1) == data.labels, precision)


def _usable(run: RunFolder, split: str, names: Sequence[str]) -> tuple[PredictionRow, ...]:
    rows = tuple(row for row in run.predictions(split) if normalise(row.text))
    if not rows:
        raise DataError(f"{run.path / 'predictions'} has no {split} texts to measure on; train with a {split} set")
    strange = {row.label for row in rows} - set(names)
    if strange:
        raise DataError(f"{run.path / 'predictions'}: {split} class {min(strange)!r} is not in labels.json; train again")
    return rows


def _labelled(rows: Sequence[PredictionRow], names: tuple[str, ...]) -> LabelledTexts:
    index = {name: position for position, name in enumerate(names)}
    labels = np.array([index[row.label] for row in rows], dtype=np.int64)
    return LabelledTexts(tuple(row.text for row in rows), labels, names)


def _toolchain() -> dict[str, str]:
    found = {}
    for tool in _TOOLS:
        try:
            found[tool] = version(tool)
        except PackageNotFoundError:
            continue
    return found
