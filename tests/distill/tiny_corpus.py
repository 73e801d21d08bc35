"""Unlabelled texts and a recipe small enough to pretrain on in a second."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

from distill.config.pretraining import PretrainRecipe
from distill.config.recipe import read_recipe_of

_NAMES = ["氢氧化钠", "氢氧化钾", "工业盐酸", "硫酸", "聚乙烯", "聚丙烯", "环氧树脂", "碳酸钙", "冰醋酸", "甲苯"]
_KINDS = ["颗粒", "溶液", "粉末", "袋装 25kg", "桶装", "分析纯", "工业级 99%", "食品级"]

TINY_LM = (
    "model.layers=1",
    "model.width=16",
    "model.heads=2",
    "model.feed_forward=32",
    "model.max_len=12",
    "model.min_count=1",
    "training.batch_size=8",
    "training.epochs=2.5",
    "training.report_every=6",
    "training.lr=0.005",
    "training.precision=float32",
)


def write_tiny_corpus(path: Path) -> Path:
    """Write 80 texts, one a line; return the path."""
    path.write_text("\n".join(name + kind for name, kind in product(_NAMES, _KINDS)), encoding="utf-8")
    return path


def tiny_pretraining(corpus: Path, *overrides: str) -> PretrainRecipe:
    """Return a recipe of a tiny model: 22 steps, four points of the curve."""
    return read_recipe_of(PretrainRecipe, None, [f"data.paths={json.dumps([str(corpus)])}", *TINY_LM, *overrides])
