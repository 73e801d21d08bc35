"""Signs of foreign texts, by hand and on a small bundle."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.unknown import main, measure, random_texts, signs
from distill.runs.run_folder import RunFolder
from distill.training.predict import prediction_rows
from runtime import Classifier
from tests.runtime.small_bundles import TEXTS, write_bundle


def test_a_sign_that_parts_the_two_misses_none() -> None:
    found = measure(np.array([0.8, 0.9, 1.0]), np.array([0.1, 0.2]))
    assert (found.auroc, found.missed) == (1.0, 0.0)


def test_a_sign_that_says_nothing_misses_nearly_all() -> None:
    values = np.linspace(0, 1, 1000)
    found = measure(values, values)
    assert found.auroc == pytest.approx(0.5)
    assert found.missed == pytest.approx(0.95, abs=0.01)


def test_energy_is_the_log_of_the_sum_of_the_exponentials(tmp_path: Path) -> None:
    predictions = Classifier(write_bundle(tmp_path / "bundle")).classify_many([*TEXTS, ""])
    found = signs(predictions)
    assert found["energy"] == pytest.approx([np.log(np.exp(one.logits).sum()) for one in predictions[:-1]], rel=1e-5)
    assert found["unknown"].tolist() == [0.0] * len(TEXTS)


def test_random_texts_are_the_same_every_time() -> None:
    assert random_texts() == random_texts()
    assert {len(texts) for texts in random_texts().values()} == {400}


def test_the_command_compares_each_kind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = write_bundle(tmp_path / "bundle")
    predictions = Classifier(bundle).classify_many(TEXTS)
    run = RunFolder(tmp_path / "run")
    labels = [prediction.label for prediction in predictions]
    logits = np.stack([prediction.logits for prediction in predictions])
    run.save_predictions("test", prediction_rows(TEXTS, labels, logits, Classifier(bundle).labels))
    (tmp_path / "more.tsv").write_text("text\nЖЖЖЖ\nЯЯЯЯ\n", encoding="utf-8")
    out = tmp_path / "unknown.json"
    others = ["--other", "cyrillic", str(tmp_path / "more.tsv")]
    main(["--pair", str(run.path), str(bundle), *others, "--out", str(out)], standalone_mode=False)
    (found,) = json.loads(out.read_text())["bundles"]
    assert found["own_refused"] == 0.0
    by_kind = {foreign["kind"]: foreign for foreign in found["foreign"]}
    assert (by_kind["cyrillic"]["refused"], by_kind["cyrillic"]["accepted"]) == (1.0, 0.0)
    assert by_kind["cyrillic"]["signs"]["unknown"] == {"auroc": 1.0, "missed": 0.0}
    assert len(capsys.readouterr().out.splitlines()) == 1 + len(by_kind)
