"""A data set and a recipe small enough to train in a second or two."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest
from torch import Tensor

from distill.config.gate_mixup import GateMixupRecipe, read_gate_mixup
from distill.runs.events import Event
from distill.training.trainee import Trainee

_WORDS = {
    "酸": (["盐酸", "硫酸", "硝酸", "磷酸", "醋酸", "草酸"], ["试剂", "工业级", "电子级", "稀释", "30%"]),
    "碱": (["氢氧化钠", "氢氧化钾", "片碱", "氨水", "石灰", "纯碱"], ["颗粒", "工业级", "袋装", "食品级", "99%"]),
    "树脂": (["聚乙烯", "聚丙烯", "环氧树脂", "尼龙", "聚酯", "酚醛树脂"], ["颗粒", "粉料", "切片", "薄膜级", "袋装"]),
}


def write_tiny_data(folder: Path) -> Path:
    """Write 54 train, 18 dev and 18 test rows of three classes; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        f"{name} {kind}\t{label}" for label, (names, kinds) in _WORDS.items() for name, kind in product(names, kinds)
    ]
    parts = {"dev": rows[3::5], "test": rows[4::5], "train": [row for i, row in enumerate(rows) if i % 5 < 3]}
    for split, lines in parts.items():
        (folder / f"{split}.tsv").write_text("\n".join(["text\tlabel", *lines, ""]), encoding="utf-8")
    return folder


def make_rare(data: Path, label: str, rows: int) -> Path:
    """Leave ``label`` no more than ``rows`` rows of train; return the folder."""
    path = data / "train.tsv"
    lines = path.read_text(encoding="utf-8").splitlines()
    of_label = [line for line in lines if line.endswith(f"\t{label}")]
    kept = [line for line in lines if line not in of_label[rows:]]
    path.write_text("\n".join([*kept, ""]), encoding="utf-8")
    return data


def tiny_recipe(data: Path, *overrides: str) -> GateMixupRecipe:
    """Return a recipe of tiny networks: two epochs, two rounds, 14 steps each."""
    return read_gate_mixup(None, [f"data.path={json.dumps(str(data))}", *TINY, *overrides])


def steps_of(kind: type[Trainee], patch: pytest.MonkeyPatch) -> list[int]:
    """Return a list whose only number grows with each step that a network of this ``kind`` takes."""
    steps, step = [0], kind.step

    def counted(self: Trainee, loss: Tensor) -> None:
        steps[0] += 1
        step(self, loss)

    patch.setattr(kind, "step", counted)
    return steps


def stop_at(number: int, kind: str = "epoch") -> Callable[[Event], None]:
    """Return a callback that presses Ctrl-C when epoch (or round, as ``kind`` says) ``number`` is reported."""

    def stop(event: Event) -> None:
        if event.get(kind) == number:
            raise KeyboardInterrupt

    return stop


TINY = (
    "student.layers=1",
    "student.width=16",
    "student.heads=2",
    "student.feed_forward=32",
    "student.max_len=16",
    "teacher.layers=1",
    "teacher.width=24",
    "teacher.heads=2",
    "training.batch_size=8",
    "training.epoch_steps=1",
    "training.initial_epochs=2",
    "training.rounds=2",
    "training.student_lr=0.005",
    "training.teacher_lr=0.005",
)
