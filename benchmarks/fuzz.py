"""Attack what reads bundles, and what reads texts, with inputs that nobody would think of.

``python -m benchmarks.fuzz BUNDLE [--texts 200000] [--mutants 30000] [--out FILE.json]``; exits with 1 when
anything was found. Bundles: mutants of files, chosen by coverage, are refused with an error of ours or accepted
and harmless. Texts: random strings never raise and get the same answer twice.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from inspect import getfile
from pathlib import Path
from random import Random
from time import process_time
from zipfile import ZipFile

import click
import onnx
from onnx import TensorProto, helper

from benchmarks.attacks.guided import Target, fuzz
from benchmarks.attacks.strange_texts import strange_texts
from benchmarks.machine.facts import machine_facts
from export.bundle import file_entries, with_manifest, write_bundle
from runtime import Classifier, Prediction
from runtime.backends.screening import check_onnx
from runtime.bundles.bundle import Bundle
from runtime.bundles.manifest import MANIFEST, Manifest, Thresholds
from runtime.bundles.storage import Storage
from runtime.command import run_command
from runtime.errors import GMError
from runtime.files import write_json
from runtime.tokenizer import CharTokenizer

_GUIDES = tuple(getfile(part) for part in (Bundle, Manifest, Storage, CharTokenizer, check_onnx, ZipFile))
_CHUNK = 1000
_MOST_FINDS = 20


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--texts", default=200_000, show_default=True, help="Random strings to classify, each twice and in company."
)
@click.option("--mutants", default=30_000, show_default=True, help="Mutants of each kind of file.")
@click.option("--seed", default=0, show_default=True, help="Of all chance.")
@click.option("--out", type=click.Path(path_type=Path), help="JSON file for the outcome.")
def main(bundle: Path, texts: int, mutants: int, seed: int, out: Path | None) -> None:
    """Fuzz the readers of BUNDLE's files, and the classifier."""
    found: dict[str, dict[str, object]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, (target, first) in targets(Bundle.open(bundle), Path(folder)).items():
            started = process_time()
            outcome = fuzz(target, first, _GUIDES, mutants, Random(f"{seed} {name}")).to_json()
            found[name] = outcome | {"cpu_seconds": round(process_time() - started, 1)}
            print(f"{name}: {outcome['outcomes']}, {outcome['edges']} places reached", flush=True)
    found["texts"] = classify_strange_texts(bundle, texts, seed)
    print(f"texts: {found['texts']}")
    if out:
        write_json(out, {"machine": machine_facts(), "seed": seed, "found": found})
    finds = sum(len(part["finds"]) for part in found.values() if isinstance(part["finds"], list))
    if finds:
        raise GMError(f"{finds} finds; see {out or 'them by naming a file with --out'}")


def targets(bundle: Bundle, folder: Path) -> dict[str, tuple[Target, Sequence[bytes]]]:
    """Return what to fuzz, by name, with the inputs to start from; ``folder`` is for temporary files."""
    files = {name: bundle.read(name)[:2000] for name in bundle.manifest.files}
    small = replace(bundle.manifest, files=file_entries(files), labels=bundle.manifest.labels[:3])
    small = replace(small, thresholds=Thresholds(0.5, {small.labels[0]: 0.25}))
    contents = with_manifest(files, small)
    write_bundle(folder / "small.gmb", contents)
    archive = (folder / "small.gmb").read_bytes()
    tokenizer = bundle.read(bundle.manifest.tokenizer.file)
    return {
        "archives": (_archive_target(folder / "mutant.gmb", contents), [archive]),
        "manifests": (_manifest_target, [contents[MANIFEST]]),
        "tokenisers": (_tokenizer_target, [tokenizer]),
        "onnx models": (_onnx_target, [model.SerializeToString() for model in _models()]),
    }


def _archive_target(path: Path, contents: dict[str, bytes]) -> Target:
    def target(content: bytes) -> None:
        path.write_bytes(content)
        bundle = Bundle.open(path)
        # An archive guards its manifest with a CRC only: by chance a mutant keeps it, by intent anybody does.
        if bundle.manifest_bytes != contents[MANIFEST]:
            raise AssertionError("another manifest")
        if any(bundle.read(name) != contents[name] for name in bundle.manifest.files):
            raise AssertionError("another content")

    return target


def _manifest_target(content: bytes) -> None:
    manifest = Manifest.from_json(content, MANIFEST)
    try:
        again = Manifest.from_json(manifest.to_json(), MANIFEST)
    except GMError as error:
        raise AssertionError("cannot be read when written again") from error
    if again != manifest:
        raise AssertionError("reads differently when written again")


def _tokenizer_target(content: bytes) -> None:
    tokenizer = CharTokenizer.from_bytes(content, "tokenizer.json")
    ids = tokenizer.encode("acid 酸 \U0001f600" * 20).ids
    if not (len(ids) <= tokenizer.max_len and ids.min() > 0 and ids.max() < tokenizer.size):
        raise AssertionError("an id out of range")


def _onnx_target(content: bytes) -> None:
    check_onnx(content, "model.onnx")
    try:
        model = onnx.ModelProto.FromString(content)
    except Exception:  # the parser refuses it too; its error differs between releases of protobuf
        return
    if _reaches_out(model):
        raise AssertionError("passed, but reaches outside")


def _reaches_out(message: object) -> bool:
    """Tell, by the parser of the onnx package, whether any tensor or node is what check_onnx is to refuse."""
    if isinstance(message, onnx.TensorProto) and (message.external_data or message.data_location):
        return True
    if isinstance(message, onnx.NodeProto) and message.domain not in ("", "ai.onnx", "ai.onnx.ml", "com.microsoft"):
        return True
    return any(map(_reaches_out, _parts(message)))


def _parts(message: object) -> Iterator[object]:
    for _, value in getattr(message, "ListFields", list)():
        yield from value if hasattr(value, "__iter__") and not isinstance(value, str | bytes) else [value]


def _models() -> Iterator[onnx.ModelProto]:
    """Yield small models: one that may pass, and one for each place where weights outside may hide."""
    tensor = helper.make_tensor("t", TensorProto.FLOAT, [2], [0.0, 1.0])
    outside = onnx.TensorProto(name="o", data_type=1, dims=[2], data_location=TensorProto.EXTERNAL)
    outside.external_data.add(key="location", value="../x")
    for hidden in (tensor, outside):
        constant = helper.make_node("Constant", [], ["c"], value=hidden)
        branch = helper.make_graph([constant], "b", [], [], [hidden])
        choice = helper.make_node("If", ["i"], ["y"], then_branch=branch, else_branch=branch)
        for nodes, tensors in (([], [hidden]), ([constant], []), ([choice], [])):
            graph = helper.make_graph(nodes, "g", [], [], tensors)
            yield helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    foreign = helper.make_graph([helper.make_node("Run", [], ["y"], domain="evil")], "g", [], [])
    yield helper.make_model(foreign, opset_imports=[helper.make_opsetid("evil", 1)])


def classify_strange_texts(bundle: Path, count: int, seed: int) -> dict[str, object]:
    """Classify ``count`` strange texts alone, again, and in company.

    Returns:
        Number of texts, of texts by reason, labels that were another in company, what went wrong, CPU seconds.
    """
    started = process_time()
    finds: list[dict[str, str]] = []
    moved = 0
    with Classifier(bundle) as classifier:
        for texts in _chunks(strange_texts(count, Random(seed))):
            try:
                alone = [classifier.classify(text) for text in texts]
                finds += _differences(texts, alone, [classifier.classify(text) for text in texts])
                company = classifier.classify_many(texts)
            except Exception as error:  # no str may raise, whatever it is
                finds.append({"raised": repr(error), "input": repr(texts)})
                break
            moved += sum(one.label != other.label for one, other in zip(alone, company, strict=True))
            if len(finds) >= _MOST_FINDS:
                break
        reasons = classifier.stats().reasons
    return {
        "inputs": count,
        "reasons_of_three_answers_each": reasons,
        "other_label_in_company": moved,
        "finds": finds,
        "cpu_seconds": round(process_time() - started, 1),
    }


def _differences(
    texts: Sequence[str], ones: Sequence[Prediction], others: Sequence[Prediction]
) -> list[dict[str, str]]:
    return [
        {"raised": f"{one} and then {other}", "input": repr(text)}
        for text, one, other in zip(texts, ones, others, strict=True)
        if one != other or one.logits.tobytes() != other.logits.tobytes()
    ]


def _chunks(texts: Iterator[str]) -> Iterator[list[str]]:
    chunk: list[str] = []
    for text in texts:
        chunk.append(text)
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


if __name__ == "__main__":
    run_command(main, "python -m benchmarks.fuzz")
