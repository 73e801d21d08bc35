"""What a person reads while a run trains."""

from __future__ import annotations

import logging
import sys
from typing import Any

import pytest

from distill.commands.progress import epochs, mutual_learning, progress
from distill.config.gate_mixup import TrainingConfig

SETTINGS = TrainingConfig(initial_epochs=2, rounds=3)
DEV = {"student": {"macro_f1": 0.5}, "teacher": {"macro_f1": 0.625}}
STAGE = {"total": 0.75, "pass_rate": 0.9}
EPOCH = {"event": "epoch", "epoch": 1, "loss": {"student": 1.5, "teacher": 2.0}, "dev": DEV}
ROUND = {"event": "round", "round": 1, "stage_one": STAGE, "stage_two": STAGE, "dev": DEV}
FINAL = {"event": "final", "dev": DEV}


def shown(*events: dict[str, Any]) -> None:
    with progress(*mutual_learning(SETTINGS)) as report:
        for event in events:
            report(event)


def test_one_plain_line_for_each_event_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    shown(EPOCH, ROUND, FINAL)
    printed = capsys.readouterr()
    epoch, round_, final = printed.err.splitlines()
    assert epoch == "epoch 1/2  loss 1.500 (teacher 2.000)  dev macro-F1 0.500 (teacher 0.625)  0 s left"
    assert "loss 0.750 (teacher 0.750)  gate passed 90% (teacher's lessons), 90% (student's)" in round_
    assert round_.endswith("at most 0 s left")
    assert final == "best student: dev macro-F1 0.500"
    assert printed.out == ""


def test_round_in_which_the_student_does_not_teach(capsys: pytest.CaptureFixture[str]) -> None:
    shown({**ROUND, "stage_two": {"total": 0.5}})
    assert "loss 0.750 (teacher 0.500)  gate passed 90%  dev" in capsys.readouterr().err


def test_reading_of_a_language_model_is_told_before_the_first_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    shown({"event": "language_model", "texts": 20, "of": 90}, EPOCH)
    assert capsys.readouterr().err.splitlines()[0] == "the language model has read 20 of 90 texts"


def test_reading_of_a_language_model_is_no_part_of_the_time_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 600.0, 660.0])  # begun, read, an epoch later
    monkeypatch.setattr("distill.commands.progress.time.monotonic", lambda: next(clock))
    shown({"event": "language_model", "texts": 90, "of": 90}, EPOCH)
    assert capsys.readouterr().err.splitlines()[1].endswith("  4 min left")  # an epoch and three rounds to go


def test_bar_on_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    shown(EPOCH, ROUND, FINAL)
    bar = capsys.readouterr().err
    assert "training" in bar
    assert "60%" in bar  # two epochs of two, one round of three
    assert "round 1/3" in bar


@pytest.mark.parametrize("terminal", [False, True])
def test_what_is_logged_is_a_line_of_its_own_and_only_meanwhile(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    log = logging.getLogger("distill.data.corpus")
    with progress(*mutual_learning(SETTINGS)) as report:
        log.info("%s", "8 train texts, 99 % left out")
        report(EPOCH)
    printed = capsys.readouterr().err
    lines = printed.replace("\r\x1b[K", "\n").split("\n")
    assert "8 train texts, 99 % left out" in lines
    log.info("nobody listens")
    assert capsys.readouterr().err == ""


def test_time_left_is_counted_from_where_a_resumed_run_goes_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = iter([0.0, 60.0, 120.0])
    monkeypatch.setattr("distill.commands.progress.time.monotonic", lambda: next(seconds))
    shown({**EPOCH, "epoch": 2}, ROUND)
    epoch, round_ = capsys.readouterr().err.splitlines()
    assert epoch.endswith("3 min left")  # a minute each, three rounds to go
    assert round_.endswith("at most 2 min left")


def test_run_of_one_network_names_its_losses_and_may_stop_early(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(*epochs(4)) as report:
        report({"event": "teacher", "texts": 30, "of": 60})
        report({"event": "epoch", "epoch": 1, "loss": {"total": 1.5, "hidden": 0.25}, "dev": {"macro_f1": 0.5}})
        report({"event": "final", "dev": {"teacher": {"macro_f1": 0.75}, "student": {"macro_f1": 0.5}}})
    teacher, epoch, final = capsys.readouterr().err.splitlines()
    assert teacher == "the teacher has read 30 of 60 texts"
    assert epoch == "epoch 1/4  loss total 1.500  hidden 0.250  dev macro-F1 0.500  at most 0 s left"
    assert final == "best on dev, macro-F1: teacher 0.750, student 0.500"
