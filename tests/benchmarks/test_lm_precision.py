"""What bfloat16 saves: both precisions are timed in turns, and the ratio is that of the medians."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from torch import Tensor

from benchmarks.lm_precision import _in_turns, command
from distill.training.trainee import Trainee
from tests.distill.tiny import write_tiny_data
from tests.distill.tiny_lm import write_tiny_lm
from tests.threads import one_thread

__all__ = ["one_thread"]


def test_both_precisions_are_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps, step = list[float](), Trainee.step

    def counted(trainee: Trainee, loss: Tensor) -> None:
        head = dict(trainee.module.named_parameters())["head.weight"]
        before = head.detach().clone()
        step(trainee, loss)
        steps.append(float((head.detach() - before).abs().max()))

    monkeypatch.setattr(Trainee, "step", counted)
    lm = write_tiny_lm(tmp_path / "lm", write_tiny_data(tmp_path / "data"))
    arguments = ["--lm", str(lm), "--texts", "2", "--tokens", "3", "--rounds", "2", "--out", str(tmp_path)]
    told = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert told.exit_code == 0, told.output
    kept = json.loads((tmp_path / "lm_precision.json").read_text(encoding="utf-8"))
    assert kept["batch"] == [2, 3]
    for what, seconds in kept["seconds"].items():
        assert f"{seconds['float32'] / seconds['bfloat16']:.2f}" in told.output, what
    assert len(steps) == 4  # as the trainer steps, twice in each precision
    assert max(steps) > 0  # the first step of a warm-up has rate 0


def test_turns_alternate_and_the_first_round_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    turns, clock = list[str](), iter([0.0, 90.0, 0.0, 80.0, 0.0, 4.0, 0.0, 1.0, 0.0, 6.0, 0.0, 3.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    assert _in_turns(turns.append, 3) == {"float32": 5.0, "bfloat16": 2.0}
    assert turns == ["float32", "bfloat16"] * 3
