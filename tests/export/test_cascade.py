"""The student's n-grams as the head of a cascade, and a threshold that costs nothing."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from distill.runs.run_folder import RunFolder
from distill.training.metrics import accuracy, macro_f1
from export.cascade import FittedCascade, fit_cascade, fit_sure
from export.cli import cli
from export.graph import ngram_logits
from export.options import Options
from export.pipeline import Exported, export_run
from export.source import Source, read_source
from runtime import Classifier
from runtime.backends import Backend
from runtime.bundles.bundle import Bundle
from runtime.bundles.reference import Promise
from runtime.cascade import CASCADE, TABLE, CascadeEntry, Head
from runtime.errors import ConfigError
from tests.export.conftest import NAMES, SIZES, write_run


@pytest.fixture(scope="module")
def exported(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """Export it with a cascade."""
    return export_run(run_folder, tmp_path_factory.mktemp("out") / "bundle", Options(int8=True, cascade=True))


def test_the_bundle_answers_as_was_measured(exported: Exported, run_folder: Path) -> None:
    source, metrics = read_source(run_folder), exported.manifest.metrics["cascade"]
    for data in (source.dev, source.test):
        with Classifier(exported.path) as classifier:
            found = classifier.classify_many(data.texts)
        split = "dev" if data is source.dev else "test"
        assert np.mean([p.by_head for p in found]) == pytest.approx(metrics["answered_by_head"][split])
    predicted = np.array([NAMES.index(p.label) for p in found])
    assert metrics["test"]["accuracy"] == accuracy(source.test.labels, predicted)
    assert metrics["test"]["macro_f1"] == macro_f1(source.test.labels, predicted, len(NAMES))
    assert metrics["answered_by_head"]["dev"] >= 0.1
    student = source.reference.argmax(1)
    assert metrics["test"]["agreement"] == np.mean(predicted == student)
    dropped = macro_f1(source.test.labels, student, len(NAMES)) - metrics["test"]["macro_f1"]
    assert metrics["test"]["f1_drop"] == pytest.approx(dropped)


def test_no_right_answer_is_lost_on_the_development_set(exported: Exported, run_folder: Path) -> None:
    source = read_source(run_folder)
    right = []
    for cascade in (True, False):
        with Classifier(exported.path, cascade=cascade) as classifier:
            labels = [prediction.label for prediction in classifier.classify_many(source.dev.texts)]
        right.append(sum(NAMES[row] == label for row, label in zip(source.dev.labels, labels, strict=True)))
    assert right[0] >= right[1]


def test_what_the_manifest_says_of_the_model_does_not_depend_on_the_cascade(
    exported: Exported, run_folder: Path, tmp_path: Path
) -> None:
    """A reader that passes the cascade over is right: promises, thresholds and temperature are the model's."""
    plain = export_run(run_folder, tmp_path / "bundle", Options(int8=True))
    with_cascade, without = exported.manifest, plain.manifest
    assert set(with_cascade.files) - set(without.files) == {CASCADE, TABLE}
    assert {name: with_cascade.files[name] for name in without.files} == without.files
    assert (with_cascade.temperature, with_cascade.thresholds) == (without.temperature, without.thresholds)
    assert with_cascade.metrics["test"] == without.metrics["test"]
    assert plain.cascade is None


def test_the_reference_of_the_cascade_is_of_head_and_model_together(exported: Exported, run_folder: Path) -> None:
    entry = CascadeEntry.from_bytes(Bundle.open(exported.path).read(CASCADE), CASCADE)
    source = read_source(run_folder)
    with Classifier(exported.path) as classifier:
        found = classifier.classify_many(source.dev.texts)
    shares = [np.mean([prediction.label == name for prediction in found]) for name in NAMES]
    assert entry.reference.labels == pytest.approx(shares)
    inner = np.searchsorted(entry.reference.edges, [p.score for p in found], side="right")
    counted = np.bincount(inner, minlength=len(entry.reference.edges) + 1) / len(found)
    assert entry.reference.scores == pytest.approx(counted, abs=2 / len(found))


def test_two_exports_have_the_same_head(exported: Exported, run_folder: Path, tmp_path: Path) -> None:
    again = export_run(run_folder, tmp_path / "again", Options(int8=True, cascade=True))
    assert again.manifest.files == exported.manifest.files


def test_the_command_says_how_much_the_head_answers(run_folder: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["--int8", str(run_folder), "--cascade", "--out", str(tmp_path / "bundle")])
    assert done.exit_code == 0, done.stderr
    assert "fitting the cascade" in done.stderr
    assert "its head answers alone, " in done.stdout
    assert re.search(r"\d% labelled as by the student$", done.stdout, re.MULTILINE)


def test_the_command_prints_what_a_classifier_with_the_cascade_accepts(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    promises = (Promise(0.1, None, 0.0), Promise(0.2, 0.5, 0.42))

    def fitted(source: Source, backend: Backend, *settings: float) -> FittedCascade:
        found = fit_cascade(source, backend, *settings)
        assert found is not None
        reference = replace(found.entry.reference, promises=promises)
        return replace(found, entry=replace(found.entry, temperature=3.5, accepted_from=0.123, reference=reference))

    monkeypatch.setattr("export.pipeline.fit_cascade", fitted)
    done = CliRunner().invoke(cli, ["--int8", str(run_folder), "--cascade", "--out", str(tmp_path / "bundle")])
    assert "temperature 3.5, accepted from a score of 0.123\n" in done.stdout
    assert "of 30 development texts: 0.2 accepts 42%\n" in done.stdout
    Classifier(tmp_path / "bundle", max_error=0.2).close()
    with pytest.raises(ConfigError, match=r"an error of 0\.1 cannot be promised"):
        Classifier(tmp_path / "bundle", max_error=0.1)


def test_the_head_is_the_ngrams_of_the_student(run_folder: Path) -> None:
    source = read_source(run_folder)
    head = Head(ngram_logits(source.student))
    for ids in source.dev_ids()[:20]:
        with torch.inference_mode():
            _, by_ngrams = source.student.answers(source.student.encode(torch.from_numpy(ids).long()[None]))
        assert head.logits(ids) == pytest.approx(by_ngrams[0].numpy(), abs=1e-5)


def test_a_head_that_costs_right_answers_is_left_out(run_folder: Path, tmp_path: Path) -> None:
    """Its n-grams say the opposite of what they have learnt, and the Transformer is loud enough to be right."""
    copied = RunFolder(shutil.copytree(run_folder, tmp_path / "run"))
    student = copied.student()
    with torch.no_grad():
        student.ngrams.head.weight.mul_(-1.0)
        student.head.weight.mul_(100.0)
    copied.save_student(student)
    said: list[str] = []
    plain = export_run(copied.path, tmp_path / "bundle", Options(int8=True, cascade=True), said.append)
    assert said[-1].startswith("no cascade: ")
    assert plain.cascade is None
    assert CASCADE not in plain.manifest.files
    assert "cascade" not in plain.manifest.metrics


def test_a_cascade_that_loses_too_much_macro_f1_is_left_out(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fitted(source: Source, backend: Backend, *settings: float) -> FittedCascade:
        found = fit_cascade(source, backend, *settings)
        assert found is not None
        test = {**found.metrics["test"], "f1_drop": 0.0123}
        return replace(found, metrics={**found.metrics, "test": test})

    monkeypatch.setattr("export.pipeline.fit_cascade", fitted)
    said: list[str] = []
    plain = export_run(run_folder, tmp_path / "bundle", Options(int8=True, cascade=True), said.append)
    assert said[-1] == (
        "no cascade: head and model lose 1.23 points of macro-F1 on test to the student, "
        "more than the 0.50 of --max-f1-drop"
    )
    assert plain.cascade is None
    assert CASCADE not in plain.manifest.files


def test_a_student_without_ngrams_has_no_head(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", *SIZES, "student.ngram_buckets=0")
    with pytest.raises(ConfigError, match=r"--cascade needs a student with n-grams.*; export without it$"):
        export_run(run.path, tmp_path / "bundle", Options(int8=True, cascade=True))
    assert not (tmp_path / "bundle").exists()


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
