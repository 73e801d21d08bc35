"""From run folder to bundle: build the models, measure them, and publish what is still the same model."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from export.bundle import check_target, file_entries, golden_lines, golden_texts, with_manifest, write_bundle
from export.cascade import FittedCascade, fit_cascade
from export.confidence import Confidence, fit_confidence
from export.options import Options, check_utf_8
from export.parity import Comparison, check
from export.replacement import PACKAGE, Origin, check_successor, lost_parts
from export.signing import read_private_key, signed
from export.source import Source, read_source
from export.variants import Variant, build_variants
from runtime.bundles.manifest import GOLDEN, Manifest, Thresholds, TokenizerEntry
from runtime.bundles.reference import REFERENCE, Reference
from runtime.errors import ConfigError
from runtime.selftest import TOLERANCE
from runtime.tables.columns import USUAL

_TOOLS = (PACKAGE, "numpy", "torch", "onnx", "onnxruntime", "optimum-onnx", "openvino", "nncf")
_TOKENIZER = "tokenizer.json"
# Sums in another order round other activations to the next step: up to 0.004 of a logit, measured on AVX2 and SSE.
_ROUNDING = 0.01


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written, how it compares (one comparison for each variant, published or not), what it promises.

    ``manifest`` and ``reference`` are about the model alone; the ``cascade``, if there is one, is about both together.
    """

    path: Path
    variants: tuple[Variant, ...]
    comparisons: tuple[Comparison, ...]
    manifest: Manifest
    reference: Reference
    cascade: FittedCascade | None = None


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
        ConfigError: a package is missing, ``run`` is not UTF-8, ``target`` is something else than a bundle, or one
            that is not to be replaced, the key is none, or a cascade is asked of a student without n-grams.
        ParityError: a model decides otherwise than the student; nothing is written.
        BackendError: an engine cannot load the model.
    """
    check_utf_8("run folder", str(run))  # safetensors opens no others
    place = check_target(target)
    key = read_private_key(options.sign) if options.sign else None
    source = read_source(run)
    if options.cascade and not source.student.config.ngram_buckets:
        raise ConfigError(f"{run}: --cascade needs a student with n-grams, which are what answers; export without it")
    if not options.replace:
        check_successor(target, place, _origin(source), signed=key is not None)
    report(f"building the models of {run}, measuring them on {len(source.test.texts)} test texts")
    variants = build_variants(source, options)
    comparisons = [source.compare(variant.name, variant.backend) for variant in variants]
    check(comparisons, options.limits)
    # The fp32 graph is measured in any case: where INT8 fails, it tells whether the graph is to blame.
    published = [variant for variant in variants if variant.key != "fp32" or options.keep_fp32]
    files = {name: content for variant in published for name, content in variant.files.items()}
    files[_TOKENIZER] = (run / _TOKENIZER).read_bytes()
    files[GOLDEN], tolerance = _golden(source, published, comparisons)
    confidence = _confidence(source, published[0], options.precision)
    files[REFERENCE] = confidence.reference.to_bytes()
    cascade = _cascade(source, published[0], confidence, options, report) if options.cascade else None
    files |= cascade.files if cascade else {}
    manifest = _manifest(source, published, files, comparisons, tolerance, confidence, options)
    if cascade:
        manifest = replace(manifest, metrics={**manifest.metrics, "cascade": cascade.metrics})
    contents = with_manifest(files, manifest)
    _publish(target, place, signed(contents, key) if key else contents, report)
    return Exported(target, tuple(variants), tuple(comparisons), manifest, confidence.reference, cascade)


def _publish(target: Path, place: Path, contents: dict[str, bytes], report: Callable[[str], None]) -> None:
    lost = lost_parts(place, contents)
    write_bundle(place, contents)
    if lost is not None:
        lacking = f", which had {' and '.join(lost)}; the new one has not" if lost else ""
        report(f"replaced: {target}{lacking}")


def _golden(
    source: Source, published: Sequence[Variant], comparisons: Sequence[Comparison]
) -> tuple[bytes, dict[str, float]]:
    """Return golden texts with the logits of the first model, and how far those of each model may be from them.

    Texts on which the models differ are left out: a self-test should fail because of the device, not because of
    a text between two classes. A device may move a logit as far as quantisation moved any: parity has measured that
    much, and nothing beyond.
    """
    texts = golden_texts(source.dev, source.test, max_len=source.tokenizer.max_len)
    logits = [source.backend_logits(variant.backend, texts) for variant in published]
    agreed = (np.ptp([found.argmax(1) for found in logits], axis=0) == 0).nonzero()[0].tolist()
    quantised = {found.variant: found.largest_difference for found in comparisons}
    tolerance = {
        variant.key: float(np.abs(found - logits[0])[agreed].max()) + max(_ROUNDING, quantised[variant.name])
        for variant, found in zip(published, logits, strict=True)
    }
    return golden_lines([texts[row] for row in agreed], logits[0][agreed], source.names), tolerance


def _manifest(
    source: Source,
    published: Sequence[Variant],
    files: dict[str, bytes],
    comparisons: Sequence[Comparison],
    tolerance: dict[str, float],
    confidence: Confidence,
    options: Options,
) -> Manifest:
    origin = _origin(source)
    served = next(found for found in comparisons if found.variant == published[0].name)
    return Manifest(
        name=options.name or _name_of(source.run.path),
        created=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        labels=origin.labels,
        tokenizer=TokenizerEntry(source.tokenizer.kind, _TOKENIZER),
        max_len=source.tokenizer.max_len,
        temperature=confidence.temperature,
        thresholds=Thresholds(default=confidence.threshold),
        max_unknown=confidence.max_unknown,
        backends={variant.key: next(iter(variant.files)) for variant in published},
        files=file_entries(files),
        metrics={"test": {"texts": served.texts, "accuracy": served.accuracy, "macro_f1": served.macro_f1}},
        parity={
            "limits": asdict(options.limits),
            TOLERANCE: tolerance,
            "variants": [found.to_json() for found in comparisons],
        },
        data_fingerprint=origin.data_fingerprint,
        recipe_sha256=origin.recipe_sha256,
        toolchain=_toolchain(),
        target=options.target,
        text_column=_text_column(source),
    )


def _origin(source: Source) -> Origin:
    fingerprint = str(source.run.environment().get("data_fingerprint", ""))
    return Origin(source.names, fingerprint, source.run.recipe().sha256, _toolchain().get(PACKAGE, ""))


def _text_column(source: Source) -> str:
    column = source.run.recipe().data.text_column
    return "" if column == USUAL else column


def _name_of(run: Path) -> str:
    # Known by another name, as `.`, the folder can be read though its own is no UTF-8.
    return os.fsencode(run.resolve().name).decode("utf-8", "replace")


def _confidence(source: Source, variant: Variant, precision: float) -> Confidence:
    texts = source.dev.texts
    unknown = np.array([source.tokenizer.encode(text).unknown for text in texts])
    logits = source.backend_logits(variant.backend, texts)
    return fit_confidence(logits, source.dev.labels, unknown, precision)


def _cascade(
    source: Source, variant: Variant, confidence: Confidence, options: Options, report: Callable[[str], None]
) -> FittedCascade | None:
    report("fitting the cascade")
    found = fit_cascade(source, variant.backend, confidence.temperature, confidence.max_unknown, options.precision)
    if found is None:
        report("no cascade: the head cannot answer a tenth of the development texts without losing right answers")
        return None
    # The parity of the models says nothing of what the head answers in their place.
    drop, limit = found.metrics["test"]["f1_drop"], options.limits.max_f1_drop
    if drop > limit:
        lost = f"head and model lose {100 * drop:.2f} points of macro-F1 on test to the student"
        report(f"no cascade: {lost}, more than the {100 * limit:.2f} of --max-f1-drop")
        return None
    return found


def _toolchain() -> dict[str, str]:
    found = {}
    for tool in _TOOLS:
        try:
            found[tool] = version(tool)
        except PackageNotFoundError:
            continue
    return found
