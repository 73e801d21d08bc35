"""What a run told is read as it is, or refused with the name of the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from distill.report.history import Step, read_history
from runtime.errors import DataError
from tests.distill.report.runs import mutual_learning, one_network, write_run


def test_mutual_learning_scores_two_networks_at_each_epoch_and_round(tmp_path: Path) -> None:
    history = read_history(write_run(tmp_path), "student")
    assert history.steps == (
        Step("epoch", 1),
        Step("epoch", 2),
        Step("round", 1),
        Step("round", 2),
        Step("round", 3),
    )
    assert [one.accuracy for one in history.dev["student"]] == [0.5, 0.95, 0.8, 0.9, 0.9]
    assert history.gate == {
        "lessons of the teacher": pytest.approx((0.7, 0.8, 0.9)),
        "lessons of the student": pytest.approx((0.6, 0.7, 0.8)),
    }


def test_kept_is_the_first_best_round_even_if_an_epoch_was_better(tmp_path: Path) -> None:
    assert read_history(write_run(tmp_path), "student").kept("student") == 3


def test_a_network_that_learns_alone_gets_its_name_and_a_probe_competes(tmp_path: Path) -> None:
    events = one_network("teacher", probe=True)
    events[0]["dev"] = {"accuracy": 1.0, "macro_f1": 1.0}
    history = read_history(write_run(tmp_path, events=events), "teacher")
    assert history.steps == (Step("probe", 0), Step("epoch", 1), Step("epoch", 2))
    assert history.kept("teacher") == 0
    assert history.gate == {}


def test_a_stage_without_lessons_has_no_gate(tmp_path: Path) -> None:
    events = mutual_learning()
    for event in events:
        event.get("stage_two", {}).pop("pass_rate", None)
    assert [*read_history(write_run(tmp_path, events=events), "student").gate] == ["lessons of the teacher"]


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([], "does not tell of training"),
        (mutual_learning()[:-1], "does not tell of training and end with the final scores"),
        (mutual_learning()[-1:], "does not tell of training"),
        ([{"event": "epoch", "dev": {"accuracy": 7, "macro_f1": 0}}, mutual_learning()[-1]], "line 1 tells of no"),
        ([{"epoch": 1}, mutual_learning()[-1]], "line 1 tells of no training"),
        ([*one_network("student")[:1], *mutual_learning()[2:]], "its lines do not all score the student on dev"),
        ([{"event": "epoch", "dev": {}}, mutual_learning()[-1]], "its lines do not all score the student on dev"),
    ],
)
def test_damaged_metrics_are_named(tmp_path: Path, events: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(DataError, match=rf"metrics\.jsonl is damaged: .*{said}"):
        read_history(write_run(tmp_path, events=events), "student")
