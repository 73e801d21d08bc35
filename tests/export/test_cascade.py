"""A head trained on the run's data, and a threshold that costs nothing."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from distill.corpus import read_corpus
from distill.lm.recipe import LayersRecipe
from distill.metrics import accuracy, macro_f1
from distill.recipe import BaseRecipe, DataConfig, read_recipe
from distill.run_folder import RunFolder
from export.cascade import fit_sure
from export.cli import cli
from export.head import choose_buckets, train_table
from export.options import Options
from export.pipeline import Exported, export_run
from export.source import read_source, read_training
from runtime import Classifier
from runtime.bundle import Bundle
from runtime.cascade import CASCADE, TABLE, CascadeEntry, Head
from runtime.errors import DataError
from tests.export.conftest import NAMES, ROWS, SIZES, SPLITS


@pytest.fixture(scope="module")
def run(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the run folder and give it data that lies on the disk."""
    folder = tmp_path_factory.mktemp("cascade")
    data = folder / "data"
    data.mkdir()
    further = [(f"{text}{more}", label) for text, label in ROWS for more in ("。", " 新", " 25kg")]
    for split, rows in {"train": further, "dev": SPLITS["dev"], "test": SPLITS["test"]}.items():
        lines = "".join(f"{text}\t{label}\n" for text, label in rows)
        (data / f"{split}.tsv").write_text(f"text\tlabel\n{lines}", encoding="utf-8")
    copied = shutil.copytree(run_folder, folder / "run")
    recipe = read_recipe(None, (*SIZES, f"data.path={json.dumps(str(data))}"))
    _point_at(RunFolder(copied), recipe, recipe.data)
    return copied


def _point_at(run: RunFolder, recipe: BaseRecipe, data: DataConfig) -> None:
    run.save_recipe(recipe)
    run.save_environment({"data_fingerprint": read_corpus(data, 0).fingerprint})


@pytest.fixture(scope="module")
def exported(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """Export it with a cascade."""
    return export_run(run, tmp_path_factory.mktemp("out") / "bundle", Options(cascade=True))


def test_the_bundle_answers_as_was_measured(exported: Exported, run: Path) -> None:
    source, metrics = read_source(run), exported.manifest.metrics["cascade"]
    for data in (source.dev, source.test):
        with Classifier(exported.path) as classifier:
            found = classifier.classify_many(data.texts)
        split = "dev" if data is source.dev else "test"
        assert np.mean([p.by_head for p in found]) == pytest.approx(metrics["answered_by_head"][split])
    predicted = np.array([NAMES.index(p.label) for p in found])
    assert metrics["test"]["accuracy"] == accuracy(source.test.labels, predicted)
    assert metrics["test"]["macro_f1"] == macro_f1(source.test.labels, predicted, len(NAMES))
    assert metrics["answered_by_head"]["dev"] >= 0.1


def test_no_right_answer_is_lost_on_the_development_set(exported: Exported, run: Path) -> None:
    source = read_source(run)
    right = []
    for cascade in (True, False):
        with Classifier(exported.path, cascade=cascade) as classifier:
            labels = [prediction.label for prediction in classifier.classify_many(source.dev.texts)]
        right.append(sum(NAMES[row] == label for row, label in zip(source.dev.labels, labels, strict=True)))
    assert right[0] >= right[1]


def test_what_the_manifest_says_of_the_model_does_not_depend_on_the_cascade(
    exported: Exported, run: Path, tmp_path: Path
) -> None:
    """A reader that passes the cascade over is right: promises, thresholds and temperature are the model's."""
    plain = export_run(run, tmp_path / "bundle", Options())
    with_cascade, without = exported.manifest, plain.manifest
    assert set(with_cascade.files) - set(without.files) == {CASCADE, TABLE}
    assert {name: with_cascade.files[name] for name in without.files} == without.files
    assert (with_cascade.temperature, with_cascade.thresholds) == (without.temperature, without.thresholds)
    assert with_cascade.metrics["test"] == without.metrics["test"]
    assert plain.cascade is None


def test_the_reference_of_the_cascade_is_of_head_and_model_together(exported: Exported, run: Path) -> None:
    entry = CascadeEntry.from_bytes(Bundle.open(exported.path).read(CASCADE), CASCADE)
    source = read_source(run)
    with Classifier(exported.path) as classifier:
        found = classifier.classify_many(source.dev.texts)
    shares = [np.mean([prediction.label == name for prediction in found]) for name in NAMES]
    assert entry.reference.labels == pytest.approx(shares)
    inner = np.searchsorted(entry.reference.edges, [p.score for p in found], side="right")
    counted = np.bincount(inner, minlength=len(entry.reference.edges) + 1) / len(found)
    assert entry.reference.scores == pytest.approx(counted, abs=2 / len(found))


def test_two_exports_have_the_same_head(exported: Exported, run: Path, tmp_path: Path) -> None:
    again = export_run(run, tmp_path / "again", Options(cascade=True))
    assert again.manifest.files == exported.manifest.files


def test_the_command_says_how_much_the_head_answers(run: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["--int8", str(run), "--cascade", "--out", str(tmp_path / "bundle")])
    assert done.exit_code == 0, done.stderr
    assert "training the head of the cascade" in done.stderr
    assert "its head answers alone, " in done.stdout


def test_a_run_of_the_other_recipe_has_its_data_read_alike(run: Path, tmp_path: Path) -> None:
    copied = RunFolder(shutil.copytree(run, tmp_path / "run"))
    plain = copied.recipe()
    layers = LayersRecipe.model_validate({"recipe": "lm_layers", "data": plain.data.model_dump()})
    _point_at(copied, layers, plain.data)
    assert read_training(read_source(copied.path)).texts == read_training(read_source(run)).texts


def test_data_that_has_changed_is_one_line(run: Path, tmp_path: Path) -> None:
    copied = RunFolder(shutil.copytree(run, tmp_path / "run"))
    copied.save_environment({"data_fingerprint": "0" * 64})
    with pytest.raises(DataError, match=r"is not the data that the run was trained on.*without --cascade$") as caught:
        export_run(copied.path, tmp_path / "bundle", Options(cascade=True))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "bundle").exists()


def test_data_that_is_gone_is_one_line(run: Path, tmp_path: Path) -> None:
    copied = RunFolder(shutil.copytree(run, tmp_path / "run"))
    copied.save_recipe(read_recipe(None, (*SIZES, "data.path=nowhere.tsv")))
    with pytest.raises(DataError, match=r"nowhere\.tsv.*without --cascade$"):
        export_run(copied.path, tmp_path / "bundle", Options(cascade=True))


def test_a_head_that_costs_right_answers_is_left_out(run: Path, tmp_path: Path) -> None:
    """It learns from texts that share no character with those it is tried on."""
    folder, copied = tmp_path / "data", RunFolder(shutil.copytree(run, tmp_path / "run"))
    folder.mkdir()
    for split, texts in {"train": ("uvw", "xyz", "rst"), "dev": ("u",), "test": ("x",)}.items():
        lines = "".join(f"{text}\t{label}\n" for text, label in zip(texts, NAMES, strict=False))
        (folder / f"{split}.tsv").write_text(f"text\tlabel\n{lines}", encoding="utf-8")
    recipe = read_recipe(None, (*SIZES, f"data.path={json.dumps(str(folder))}"))
    _point_at(copied, recipe, recipe.data)
    said: list[str] = []
    plain = export_run(copied.path, tmp_path / "bundle", Options(cascade=True), said.append)
    assert said[-1].startswith("no cascade: ")
    assert plain.cascade is None
    assert CASCADE not in plain.manifest.files
    assert "cascade" not in plain.manifest.metrics


@pytest.mark.parametrize(
    ("scores", "gain", "expected"),
    [
        ([0.2, 0.5, 0.8], [0, 0, 0], 0.0),
        ([0.2, 0.5, 0.8], [-1, 0, 0], 0.21),
        ([0.2, 0.5, 0.8], [-1, 0, 1], 0.0),
        # Nothing is lost from 0.41 to 0.45, but above: a few lucky points are not enough.
        ([0.4, 0.45, 0.5, 0.8], [-1, 1, -1, 0], 0.51),
        # One mistake among the surest does not outweigh what is gained from 0.5 on.
        ([0.2, 0.5, 1.0], [0, 1, -1], 0.0),
        ([0.2, 0.5, 1.0], [-1, 1, -1], 0.21),
        ([0.2, 0.5, 1.0], [0, 0, -1], None),
        ([-1.0, -1.0, -1.0], [1, 1, 1], None),
    ],
)
def test_the_threshold_is_the_lowest_at_and_above_which_nothing_is_lost(
    scores: list[float], gain: list[int], expected: float | None
) -> None:
    assert fit_sure(np.array(scores), np.array(gain)) == expected


def test_a_head_that_may_answer_less_than_a_tenth_is_not_worth_it() -> None:
    scores = np.append(np.full(91, 0.3), np.full(9, 0.9))
    gain = np.append(np.full(91, -1), np.full(9, 0))
    assert fit_sure(scores, gain) is None
    scores[:1], gain[:1] = 0.9, 0
    assert fit_sure(scores, gain) == 0.31


@pytest.mark.parametrize(
    ("vocabulary", "classes", "buckets"), [(2000, 16, 1 << 16), (2000, 30, 1 << 15), (5000, 500, 1 << 10)]
)
def test_a_table_is_as_large_as_memory_allows(vocabulary: int, classes: int, buckets: int) -> None:
    assert choose_buckets(vocabulary, classes) == buckets


def test_a_head_learns_what_only_the_order_of_characters_tells() -> None:
    ids = [np.array(text, np.int32) for text in ([2, 3, 4], [4, 3, 2], [3, 4, 2], [2, 4, 3])]
    labels = np.array([0, 1, 0, 1])
    table = train_table(ids, labels, np.eye(2, dtype=np.float32)[labels], 5, 64)
    head = Head(table, 5)
    assert [int(head.logits(text).argmax()) for text in ids] == labels.tolist()
    assert np.ptp(table[0]) == pytest.approx(np.ptp(table[1]))  # neither occurs, both hold the bias alone
