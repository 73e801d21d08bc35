"""The journal of a run: events, time and state that survive a stop."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from distill.runs.events import Event
from distill.runs.journal import Journal
from distill.runs.run_folder import RunFolder
from runtime.errors import ConfigError

FIRST: Event = {"event": "epoch", "epoch": 1}
FINAL: Event = {"event": "final"}


def journal(folder: Path, fingerprint: str = "data", told: list[Event] | None = None) -> Journal:
    return Journal(RunFolder(folder), fingerprint, (told if told is not None else []).append)


def test_what_was_kept_is_there_after_a_stop(tmp_path: Path) -> None:
    told: list[Event] = []
    before = journal(tmp_path, told=told)
    before.keep(FIRST, {"weights": torch.ones(2)}, {"done": 1})
    after = journal(tmp_path)
    kept = after.resume()
    assert kept is not None
    tensors, state = kept
    assert tensors["weights"].tolist() == [1.0, 1.0]
    assert state["done"] == 1
    assert after.events == told == RunFolder(tmp_path).metrics() == [FIRST]


def test_time_goes_on_from_that_of_the_interrupted_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 107.0, 1000.0, 1001.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    journal(tmp_path).keep(FIRST, {}, {})
    after = journal(tmp_path)
    after.resume()
    assert after.seconds == 8.0


def test_nothing_kept_is_nothing_to_resume(tmp_path: Path) -> None:
    assert journal(tmp_path).resume() is None


def test_other_data_are_refused(tmp_path: Path) -> None:
    journal(tmp_path).keep(FIRST, {}, {})
    with pytest.raises(ConfigError, match="data changed"):
        journal(tmp_path, "other data")


def test_a_finished_run_has_its_last_event_and_no_checkpoint(tmp_path: Path) -> None:
    told: list[Event] = []
    run = journal(tmp_path, told=told)
    run.keep(FIRST, {}, {})
    run.finish(FINAL, {"seed": 0})
    assert RunFolder(tmp_path).metrics() == told == [FIRST, FINAL]
    assert RunFolder(tmp_path).environment() == {"seed": 0}
    assert not RunFolder(tmp_path).checkpoint.exists()
