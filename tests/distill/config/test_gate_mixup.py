"""The keys of Gate-Mixup, and the messages for what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from distill.config.gate_mixup import read_gate_mixup
from runtime.errors import ConfigError


def test_method_may_be_named_and_nothing_changes(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text('recipe = "gate_mixup"\n[training]\nseed = 3\n', encoding="utf-8")
    assert read_gate_mixup(path).sha256 == read_gate_mixup(None, ["training.seed=3"]).sha256
    path.write_text('recipe = "lm_layers"\n', encoding="utf-8")
    with pytest.raises(ConfigError, match="unknown key recipe"):
        read_gate_mixup(path)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.sead=1", "training.sead"),
        ("trainning.seed=1", "trainning"),
        ("training.seed=-1", "training.seed"),
        ("training.seed=many", "training.seed"),
        ("gate_mixup.threshold=1.5", "gate_mixup.threshold"),
        ("gate_mixup.indicator=luck", "gate_mixup.indicator"),
        ("imbalance.class_weights=fair", "imbalance.class_weights"),
        ("imbalance.logit_adjustment=-0.5", "imbalance.logit_adjustment"),
        ("student.heads=3", r"heads \(3\) must divide width"),
        ("graph.nodes=[]", "graph.nodes"),
        ("seed=1", "section.key=value"),
        ("training.seed", "section.key=value"),
        ("training.=1", "section.key=value"),
    ],
)
def test_wrong_override_is_named(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        read_gate_mixup(None, [override])
    assert "\n" not in str(caught.value)


def test_unknown_key_of_gate_mixup_names_the_command_that_writes_them_all() -> None:
    with pytest.raises(ConfigError, match="'gm-distill init' writes a recipe with every key"):
        read_gate_mixup(None, ["training.sead=1"])
