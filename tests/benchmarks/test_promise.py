"""Promises against test sets: the interval by known values, the table by hand."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.promise import Outcome, interval, main, outcomes, summary
from benchmarks.promise import Tested as Held
from distill.runs.run_folder import RunFolder
from distill.training.predict import prediction_rows
from runtime import Classifier
from tests.runtime.small_bundles import LABELS, SEEN, TEXTS, write_bundle


@pytest.mark.parametrize(
    ("wrong", "texts", "low", "high"),
    # By scipy.stats.beta.ppf.
    [(0, 10, 0.0, 0.308497), (1, 10, 0.002529, 0.445016), (10, 10, 0.691503, 1.0), (5, 500, 0.003255, 0.023181)],
)
def test_the_interval_is_that_of_clopper_and_pearson(wrong: int, texts: int, low: float, high: float) -> None:
    np.testing.assert_allclose(interval(wrong, texts), (low, high), atol=1e-6)


def test_no_text_says_nothing() -> None:
    assert interval(0, 0) == (0.0, 1.0)


def test_outcomes_count_what_each_threshold_accepts() -> None:
    scores = [0.95] * 60 + [0.6] * 40 + [0.1] * 100
    right = [True] * 59 + [False] + [False] * 40 + [True] * 100
    strict, loose = outcomes(SEEN, scores, right)
    assert (strict.max_error, strict.accepted, strict.wrong, strict.coverage) == (0.05, 60, 1, 0.3)
    assert strict.within
    assert not strict.broken
    assert (loose.max_error, loose.accepted, loose.wrong, loose.error) == (0.2, 100, 41, 0.41)
    assert not loose.within
    assert loose.broken


def held(*promised: tuple[float, int, int]) -> Held:
    """Return outcomes of promises given as error, accepted texts and wrong ones."""
    found = []
    for max_error, accepted, wrong in promised:
        error, (low, high) = wrong / accepted, interval(wrong, accepted)
        shares = (accepted / 500, error, (low, high))
        found.append(Outcome(max_error, accepted, wrong, *shares, error <= max_error, low > max_error))
    return Held("set", "f", 500, 500, 0.3, found)


def test_an_error_above_the_promise_is_told_whether_or_not_chance_explains_it() -> None:
    close, far = (0.3, 356, 109), (0.05, 200, 30)
    assert [(one.within, one.broken) for one in held(close, far).outcomes] == [(False, False), (False, True)]
    assert summary([held((0.2, 234, 46), close), held(far)]) == (
        "Of 3 promises that accept different texts, 1 have an error on test at or below what was promised and 2 above "
        "it; 1 so far above that the whole 95 % interval is."
    )


def test_of_promises_that_accept_the_same_texts_the_strictest_counts() -> None:
    told = summary([held((0.15, 100, 18), (0.2, 100, 18), (0.3, 100, 18))])
    assert told.startswith("Of 1 promises that accept different texts, 0 have an error")


def test_the_command_tests_a_bundle_on_the_test_set_of_its_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_bundle(tmp_path / "bundle")
    run = RunFolder(tmp_path / "run")
    predictions = Classifier(bundle).classify_many(TEXTS)
    truth = [prediction.label for prediction in predictions[:-1]] + [LABELS[0]]
    logits = np.stack([prediction.logits for prediction in predictions])
    run.save_predictions("test", prediction_rows(TEXTS, truth, logits, LABELS))
    out = tmp_path / "promise.json"
    main(["--pair", str(run.path), str(bundle), "--out", str(out)], standalone_mode=False)
    (tested,) = json.loads(out.read_text())["bundles"]
    assert tested["test_texts"] == len(TEXTS)
    assert [outcome["max_error"] for outcome in tested["outcomes"]] == [0.05, 0.2]
    assert tested["outcomes"][0]["accepted"] == sum(prediction.score >= 0.9 for prediction in predictions)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[:2] == ["test", "0.05"]
    assert "at or below what was promised" in lines[-1]
