"""The run folder that the benchmark makes when nothing was trained."""

from __future__ import annotations

from pathlib import Path

import torch

from benchmarks.contenders.untrained import VOCABULARY, write_untrained
from distill.config.sections import StudentConfig
from distill.runs.run_folder import RunFolder

TEXTS = ["98%浓硫酸", "丙酮 工业级", "氢氧化钠 片碱"]


def test_it_holds_all_that_an_export_reads(tmp_path: Path) -> None:
    write_untrained(tmp_path, TEXTS)
    run = RunFolder(tmp_path)
    assert run.student().config == StudentConfig()
    assert run.tokenizer().size == VOCABULARY + 2
    assert run.tokenizer().encode("".join(TEXTS)).unknown == 0
    assert len(run.labels()) == 16
    for split in ("dev", "test"):
        assert [row.text for row in run.predictions(split)] == TEXTS
        assert all(row.label == row.predicted for row in run.predictions(split))


def test_its_weights_are_the_same_every_time(tmp_path: Path) -> None:
    first, second = (write_untrained(tmp_path / name, TEXTS).student().state_dict() for name in "ab")
    assert all(torch.equal(weight, second[name]) for name, weight in first.items())
