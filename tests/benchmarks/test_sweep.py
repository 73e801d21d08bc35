"""The sweep: one key at a time, scored on dev, held against the recipe as it ships."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.quality.methods import FULL, trained
from benchmarks.quality.scores import Score, Scores
from benchmarks.quality.sweep_report import UNCHANGED, better, markdown, small_class_f1, sweep_table
from benchmarks.sweep import KEYS, Variation, command, late_scores, score_on_dev, variations
from distill.config.gate_mixup import read_gate_mixup
from distill.runs.run_folder import RunFolder
from runtime.errors import ConfigError
from tests.distill.tiny import TINY, write_tiny_data
from tests.threads import one_thread

__all__ = ["one_thread"]


def test_every_variation_is_a_recipe_of_its_own() -> None:
    unchanged, *others = variations(list(KEYS))
    assert read_gate_mixup(None, unchanged.settings) == read_gate_mixup(None)
    recipes = [read_gate_mixup(None, other.settings) for other in others]
    assert all(recipe != read_gate_mixup(None) for recipe in recipes)
    assert len({recipe.sha256 for recipe in recipes}) == len(others) == sum(map(len, KEYS.values()))


def test_each_variation_is_trained_once_and_scored_on_dev(tmp_path: Path) -> None:
    data = write_tiny_data(tmp_path / "data")
    settings = [word for setting in TINY for word in ("--set", setting)]
    folders = ["--work", str(tmp_path / "work"), "--out", str(tmp_path)]
    arguments = ["--data", f"tiny={data}", "--key", "gate_mixup.residual", *settings, *folders]
    for _ in range(2):
        told = CliRunner().invoke(command, arguments, catch_exceptions=False)
        assert told.exit_code == 0, told.output
    assert "..." not in told.stderr
    assert CliRunner().invoke(command, ["--out", str(tmp_path)], catch_exceptions=False).stdout == told.stdout
    scores = Scores(tmp_path / "sweep.json").all
    assert [score.row for score in scores] == [UNCHANGED, "gate_mixup.residual=sum"]
    assert scores[1].settings.endswith("gate_mixup.residual=sum")
    report = (tmp_path / "sweep.md").read_text(encoding="utf-8")
    assert told.stdout == report + "\n"
    assert "Variations: 1; higher in macro-F1 with p < 0.05: none." in report
    other = CliRunner().invoke(command, [*arguments, "--set", "training.rounds=1"])
    assert isinstance(other.exception, ConfigError)
    assert "choose another --out" in str(other.exception)


def test_what_is_no_set_is_refused_and_test_scores_are_not_told(tmp_path: Path) -> None:
    told = CliRunner().invoke(command, ["--data", "/somewhere", "--out", str(tmp_path)])
    assert told.exit_code == 2
    assert "give a set as NAME=PATH" in told.output
    data = write_tiny_data(tmp_path / "data")
    settings = [word for setting in TINY for word in ("--set", setting)]
    folders = ["--work", str(tmp_path / "work"), "--out", str(tmp_path)]
    arguments = ["--data", f"tiny={data}", "--key", "gate_mixup.residual", *settings, *folders]
    told = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert "nothing changed" in told.stderr
    assert "trained" not in told.stderr


def test_the_score_is_of_dev_late_in_the_rounds(tmp_path: Path) -> None:
    data = write_tiny_data(tmp_path / "data")
    (data / "test.tsv").write_text("text\tlabel\n水\t酸\n", encoding="utf-8")
    run = trained(FULL, str(data), 0, tmp_path / "work", (*TINY, "training.rounds=5"))
    rounds = [event["dev"]["student"] for event in run.metrics() if event["event"] == "round"]
    assert len(rounds) == 5
    assert late_scores(run)["accuracy"] == pytest.approx((rounds[3]["accuracy"] + rounds[4]["accuracy"]) / 2)
    found = score_on_dev("tiny", 0, Variation(UNCHANGED, ()), run)
    assert found.macro_f1 == pytest.approx((rounds[3]["macro_f1"] + rounds[4]["macro_f1"]) / 2)
    assert found.class_texts == {"树脂": 6, "碱": 6, "酸": 6}
    assert set(found.class_f1) == set(run.labels())


def test_one_round_is_late(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    scored = {"accuracy": 0.5, "macro_f1": 0.25}
    run.save_metrics([{"event": "epoch", "dev": {}}, {"event": "round", "dev": {"student": scored}}])
    assert late_scores(run) == scored


def scored(row: str, seed: int, macro_f1: float, **f1: float) -> Score:
    texts = {name: number for number, name in enumerate(f1, start=1)}
    return Score("set", row, seed, macro_f1, macro_f1, "f", class_f1=f1, class_texts=texts)


def test_the_small_classes_are_the_quarter_with_the_fewest_texts() -> None:
    assert small_class_f1(scored("row", 0, 0.5, a=0.1, b=0.2, c=0.9, d=0.9)) == pytest.approx(0.1)
    assert small_class_f1(scored("row", 0, 0.5, a=0.1, b=0.2, c=0.9, d=0.9, e=1.0)) == pytest.approx(0.15)


def test_the_table_holds_each_row_against_what_ships(tmp_path: Path) -> None:
    scores = Scores(tmp_path / "sweep.json")
    for seed, (before, other, worse) in enumerate([(0.70, 0.72, 0.60), (0.71, 0.74, 0.61), (0.69, 0.72, 0.62)]):
        scores.add(scored(UNCHANGED, seed, before, a=0.4, b=0.8))
        scores.add(scored("key=1", seed, other, a=0.5, b=0.8))
        scores.add(scored("key=2", seed, worse, a=0.3, b=0.8))
    lines = sweep_table(scores).splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[0] == [UNCHANGED, "70.0 / 70.0", "", "", "40.0", "3"]
    assert cells[1][:2] == ["key=1", "72.7 / 72.7"]
    assert cells[1][3].startswith("+2.67 (p = 0.0")
    assert [row[4] for row in cells[1:]] == ["+10.0", "-10.0"]
    assert better(scores) == ["key=1"]
    assert "Variations: 2; higher in macro-F1 with p < 0.05: `key=1`." in markdown(scores)


def test_one_run_is_no_evidence(tmp_path: Path) -> None:
    scores = Scores(tmp_path / "sweep.json")
    scores.add(scored(UNCHANGED, 0, 0.5, a=0.5))
    scores.add(scored("key=1", 0, 0.9, a=0.9))
    assert better(scores) == []
    assert "+40.00 |" in markdown(scores)
    assert "p = " not in sweep_table(scores)
