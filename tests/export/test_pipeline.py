"""From run folder to bundle, in this process."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from export.options import Limits, Options
from export.pipeline import Exported, export_run
from export.signing import write_keys
from export.source import Source, read_source
from runtime import Classifier
from runtime.bundles.bundle import Bundle
from runtime.errors import ConfigError, DataError, ParityError
from runtime.selftest import read_golden
from tests.export.conftest import LAYERS, NAMES, SIZES, SPLITS, write_brittle_run, write_run
from tests.runtime.processes import run_python

JSON_FILES = {"reference.json", "tokenizer.json"}


@pytest.fixture(scope="module")
def bundle(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """Export INT8 with the fp32 model beside it."""
    return export_run(run_folder, tmp_path_factory.mktemp("out") / "bundle", Options(int8=True, keep_fp32=True))


def test_the_runtime_reads_the_bundle_and_decides_as_the_student(bundle: Exported, source: Source) -> None:
    with Classifier(bundle.path) as classifier:
        labels = [prediction.label for prediction in classifier.classify_many(source.test.texts)]
        assert classifier.selftest().label_agreement == 1.0
    assert labels == [NAMES[row] for row in source.student_logits(source.test).argmax(1)]


def test_the_manifest_lists_every_file_with_its_hash(bundle: Exported) -> None:
    manifest = json.loads((bundle.path / "manifest.json").read_text())
    on_disk = {path.name for path in bundle.path.iterdir()} - {"manifest.json"}
    assert set(manifest["files"]) == on_disk == {"model.onnx", "fp32.onnx", "golden.jsonl", *JSON_FILES}
    for name, entry in manifest["files"].items():
        content = (bundle.path / name).read_bytes()
        assert entry == {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}


def test_the_manifest_says_what_was_measured_and_where_it_comes_from(bundle: Exported, run_folder: Path) -> None:
    manifest = Bundle.open(bundle.path).manifest
    assert manifest.labels == NAMES
    assert (manifest.name, manifest.target, manifest.max_len) == ("acids", "generic", 24)
    assert dict(manifest.backends) == {"onnx": "model.onnx", "fp32": "fp32.onnx"}
    assert manifest.data_fingerprint == "f" * 64
    assert len(manifest.recipe_sha256) == 64
    assert {"onnx", "onnxruntime", "torch"} <= set(manifest.toolchain)
    assert [found["variant"] for found in manifest.parity["variants"]] == ["ONNX INT8", "ONNX fp32"]
    assert manifest.metrics["test"]["texts"] == len(SPLITS["test"])
    assert str(run_folder.parent) not in (bundle.path / "manifest.json").read_text()


@pytest.mark.parametrize(("column", "told"), [("text", ""), ("品名,规格", "品名,规格")])
def test_the_manifest_names_the_text_columns_of_the_training_data(tmp_path: Path, column: str, told: str) -> None:
    run = write_run(tmp_path / "run", *SIZES, f"data.text_column={column}")
    export_run(run.path, tmp_path / "bundle", Options(int8=False))
    assert Bundle.open(tmp_path / "bundle").info.text_column == told


def test_golden_texts_carry_the_logits_of_the_int8_model(bundle: Exported, source: Source) -> None:
    golden = read_golden(Bundle.open(bundle.path))
    assert len(golden) >= 64
    assert {row.label for row in golden} == set(NAMES)
    expected = source.backend_logits(bundle.variants[0].backend, [row.text for row in golden])
    assert expected.tolist() == [row.logits for row in golden]


def test_a_device_may_move_a_logit_as_far_as_quantisation_did(bundle: Exported) -> None:
    quantised = {found.variant: found.largest_difference for found in bundle.comparisons}
    tolerance = bundle.manifest.parity["tolerance"]
    assert tolerance["onnx"] == max(0.01, quantised["ONNX INT8"])
    golden = read_golden(Bundle.open(bundle.path))
    with Classifier(bundle.path, backend="fp32", selftest="load") as classifier:
        found = classifier.stats().selftest
        logits = np.array([classifier.classify(row.text).logits for row in golden])
    assert found is not None
    assert found.ok
    assert found.tolerance == tolerance["fp32"]
    assert tolerance["fp32"] == pytest.approx(np.abs(logits - [row.logits for row in golden]).max() + 0.01, abs=1e-4)


def test_temperature_and_threshold_are_those_of_the_quantised_model(bundle: Exported) -> None:
    assert 0.2 <= bundle.manifest.temperature <= 10.0
    # The little student is right on every dev text, so nothing needs to be refused.
    assert bundle.manifest.thresholds.default == 0.0


def test_two_exports_have_the_same_model(bundle: Exported, run_folder: Path, tmp_path: Path) -> None:
    again = export_run(run_folder, tmp_path / "again", Options(int8=True, keep_fp32=True))
    assert again.manifest.files == bundle.manifest.files


def test_without_int8_the_bundle_holds_the_fp32_graph(run_folder: Path, tmp_path: Path) -> None:
    exported = export_run(run_folder, tmp_path / "bundle.gmb", Options(int8=False, name="plain"))
    assert [found.variant for found in exported.comparisons] == ["ONNX fp32"]
    assert exported.comparisons[0].largest_difference < 1e-4
    assert dict(Bundle.open(exported.path).manifest.backends) == {"onnx": "model.onnx"}
    assert exported.manifest.name == "plain"


def test_an_export_says_what_it_replaced_and_what_is_lost_by_it(run_folder: Path, tmp_path: Path) -> None:
    write_keys(tmp_path / "key")
    told: list[str] = []
    full = Options(int8=True, keep_fp32=True, sign=tmp_path / "key")
    for options in (full, full, Options(int8=False, replace=True)):
        export_run(run_folder, tmp_path / "bundle", options, told.append)
    assert [line for line in told if not line.startswith("building")] == [
        f"replaced: {tmp_path}/bundle",
        f"replaced: {tmp_path}/bundle, which had a signature and an fp32 model to fall back on; the new one has not",
    ]


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """Return a bundle in service."""
    path = tmp_path / "bundle"
    export_run(write_run(tmp_path / "run", *SIZES).path, path, Options(int8=False))
    return path


@pytest.mark.parametrize(
    ("file", "found", "other", "says"),
    [
        ("environment.json", "f" * 64, "e" * 64, "data"),
        ("recipe.toml", "seed = 0", "seed = 1", "settings in its recipe"),
        ("labels.json", "树脂", "塑料", "classes"),
    ],
)
def test_the_bundle_of_another_run_is_replaced_only_if_that_is_meant(
    served: Path, tmp_path: Path, file: str, found: str, other: str, says: str
) -> None:
    run = tmp_path / "run"
    for path in (run / file, *(run / "predictions").iterdir()):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(found, other), encoding="utf-8")
    before = (served / "manifest.json").read_bytes()
    ways = "name another place with --out, or replace it all the same with --replace"
    with pytest.raises(ConfigError, match=rf"bundle holds 'run', the bundle of a run with other {says}; {ways}$"):
        export_run(run, served, Options(int8=False))
    assert (served / "manifest.json").read_bytes() == before
    export_run(run, served, Options(int8=False, replace=True))
    assert (served / "manifest.json").read_bytes() != before


def test_a_later_run_of_the_same_data_and_recipe_takes_the_place_of_the_first(served: Path, tmp_path: Path) -> None:
    export_run(write_run(tmp_path / "again", *SIZES).path, served, Options(int8=False))
    assert Bundle.open(served).manifest.name == "again"


def test_a_signed_bundle_is_not_replaced_by_one_that_is_not(served: Path, tmp_path: Path) -> None:
    key = tmp_path / "key"
    write_keys(key)
    export_run(tmp_path / "run", served, Options(int8=False, sign=key))
    with pytest.raises(ConfigError, match=r"is signed, and the new .*; sign it with --sign KEY, .*--replace$"):
        export_run(tmp_path / "run", served, Options(int8=False))
    export_run(tmp_path / "run", served, Options(int8=False, sign=key))
    assert (served / "signature").exists()


def test_a_run_folder_whose_name_is_no_utf_8_is_refused_by_it_and_exported_from_within(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / os.fsdecode(b"acids-\xff")
    try:
        shutil.copytree(run_folder, run)
    except OSError:
        pytest.skip("this file system has no such names")
    with pytest.raises(ConfigError, match=r"^run folder '.*acids-\\udcff' is not UTF-8; give it a name that is$"):
        export_run(run, tmp_path / "bundle", Options(int8=False))
    monkeypatch.chdir(run)
    exported = export_run(Path("."), tmp_path / "bundle", Options(int8=False))
    assert Bundle.open(exported.path).manifest.name == "acids-\ufffd"


def test_a_name_that_is_no_utf_8_is_refused_before_any_work() -> None:
    with pytest.raises(ConfigError, match=r"--name 'acids-\\udcff' is not UTF-8; give it a name that is"):
        Options(name=os.fsdecode(b"acids-\xff"))


def test_a_refused_model_is_not_published(run_folder: Path, tmp_path: Path) -> None:
    impossible = Options(int8=True, limits=Limits(min_agreement=1.1))
    with pytest.raises(ParityError, match="nothing was written"):
        export_run(run_folder, tmp_path / "bundle", impossible)
    assert list(tmp_path.iterdir()) == []


def test_a_refused_model_leaves_the_bundle_in_service_alone(run_folder: Path, tmp_path: Path) -> None:
    export_run(run_folder, tmp_path / "bundle", Options(int8=False))
    served = (tmp_path / "bundle" / "manifest.json").read_bytes()
    with pytest.raises(ParityError):
        export_run(run_folder, tmp_path / "bundle", Options(int8=False, limits=Limits(min_agreement=1.1)))
    assert (tmp_path / "bundle" / "manifest.json").read_bytes() == served


@pytest.mark.parametrize(
    ("brittle_layer", "kept"),
    [
        ("blocks.0.feed_forward_out", "blocks.0.feed_forward_out"),
        # The last layer is part of the head, which is not in INT8; what it takes in is.
        ("blocks.1.feed_forward_out", "blocks.1.feed_forward_in"),
    ],
)
def test_a_sensitive_layer_stays_in_float_where_int8_alone_is_refused(
    tmp_path: Path, brittle_layer: str, kept: str
) -> None:
    brittle = write_brittle_run(tmp_path / "run", brittle_layer).path
    exported = export_run(brittle, tmp_path / "bundle", Options(int8=True))
    assert exported.comparisons[0].variant == f"ONNX INT8, but {kept}"
    assert exported.comparisons[0].agreement >= 0.995
    allowed = export_run(brittle, tmp_path / "bundle", Options(int8=True, limits=Limits(0.0, 1.0)))
    assert allowed.comparisons[0].variant == "ONNX INT8"
    assert allowed.comparisons[0].agreement < 0.995


def test_a_model_that_would_have_to_stay_in_float_altogether_is_refused(tmp_path: Path) -> None:
    brittle = write_brittle_run(tmp_path / "run", *LAYERS)
    with pytest.raises(ParityError, match=r"^ONNX INT8: .* of 90 test texts"):
        export_run(brittle.path, tmp_path / "bundle", Options(int8=True))
    assert not (tmp_path / "bundle").exists()


@pytest.fixture
def broken(run_folder: Path, tmp_path: Path) -> Path:
    """Return a copy of the run folder, to be damaged."""
    return shutil.copytree(run_folder, tmp_path / "broken")


@pytest.mark.parametrize(
    "file",
    ["recipe.toml", "labels.json", "student/model.safetensors", "predictions/dev.jsonl", "predictions/test.jsonl"],
)
def test_a_run_folder_without_a_part_is_a_data_error(broken: Path, file: str, tmp_path: Path) -> None:
    (broken / file).unlink()
    with pytest.raises(DataError, match=Path(file).name):
        export_run(broken, tmp_path / "bundle", Options(int8=False))
    assert not (tmp_path / "bundle").exists()


def test_parts_of_different_runs_are_a_data_error(broken: Path) -> None:
    (broken / "labels.json").write_text(json.dumps([*NAMES, "more"]))
    with pytest.raises(DataError, match=r"not of one run|more"):
        read_source(broken)


@pytest.mark.parametrize("split", ["dev", "test"])
def test_an_empty_split_is_a_data_error(broken: Path, split: str) -> None:
    (broken / "predictions" / f"{split}.jsonl").write_text("")
    with pytest.raises(DataError, match=f"no {split} texts"):
        read_source(broken)


def test_a_class_that_the_student_never_learnt_is_a_data_error(broken: Path) -> None:
    path = broken / "predictions" / "test.jsonl"
    path.write_text(path.read_text().replace('"label": "酸"', '"label": "未知"', 1))
    with pytest.raises(DataError, match=r"'未知' is not in labels\.json"):
        read_source(broken)


def test_blank_texts_are_passed_over(broken: Path) -> None:
    path = broken / "predictions" / "test.jsonl"
    blank = {"text": " \u200b ", "label": "酸", "predicted": "酸", "score": 1.0, "logits": [0, 0, 1]}
    path.write_text(json.dumps(blank) + "\n" + path.read_text())
    assert len(read_source(broken).test.texts) == len(SPLITS["test"])


@pytest.mark.parametrize("int8", [False, True])
def test_a_student_with_nan_weights_is_not_exported(broken: Path, tmp_path: Path, int8: bool) -> None:
    path = broken / "student" / "model.safetensors"
    state = load_file(path)
    state["head.bias"] = torch.full_like(state["head.bias"], torch.nan)
    save_file(state, path)
    with pytest.raises(DataError, match=r"student gives NaN .* train again with a smaller learning rate"):
        export_run(broken, tmp_path / "bundle", Options(int8=int8))


def test_a_student_that_gives_nan_for_development_texts_alone_is_not_exported(broken: Path, tmp_path: Path) -> None:
    tests, weights = broken / "predictions" / "test.jsonl", broken / "student" / "model.safetensors"
    tests.write_text("".join(line for line in tests.read_text().splitlines(keepends=True) if "氢" not in line))
    state = load_file(weights)
    state["characters.weight"][read_source(broken).tokenizer.encode("氢").ids] = torch.nan
    save_file(state, weights)
    with pytest.raises(DataError, match="student gives NaN"):
        export_run(broken, tmp_path / "bundle", Options(int8=True))


def test_neither_export_nor_evaluation_loads_what_trains() -> None:
    # Graphs and language models take seconds to import; a student needs neither.
    code = "import sys, export.pipeline, distill.report.evaluation"
    assert run_python(code + "; print({'torch_geometric', 'transformers'} & set(sys.modules))").stdout == "set()\n"
