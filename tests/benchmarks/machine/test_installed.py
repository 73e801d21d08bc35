"""Installed size: which distributions count, and that each counts once."""

from __future__ import annotations

from importlib.metadata import distribution
from pathlib import Path

from benchmarks.machine.installed import closure, installed_bytes


def test_click_needs_itself_alone() -> None:
    files = [Path(str(file.locate())) for file in distribution("click").files or ()]
    assert set(closure(["click>=8"])) == {"click"}
    assert installed_bytes(["click"]) == sum(path.stat().st_size for path in files if path.is_file()) > 100_000


def test_the_closure_follows_dependencies_of_dependencies() -> None:
    jinja = closure(["jinja2"])
    assert set(jinja) == {"jinja2", "markupsafe"}


def test_the_base_install_holds_neither_torch_nor_openvino() -> None:
    base = set(closure(["gm-edge"]))
    assert {"gm-edge", "click", "numpy", "onnxruntime"} <= base
    assert not base & {"torch", "transformers", "openvino", "jieba"}


def test_an_extra_adds_what_it_names() -> None:
    added = set(closure(["gm-edge[openvino]"])) - set(closure(["gm-edge"]))
    assert "openvino" in added


def test_shared_dependencies_count_once() -> None:
    assert installed_bytes(["click", "gm-edge"]) == installed_bytes(["gm-edge"])


def test_what_is_not_installed_weighs_nothing() -> None:
    assert installed_bytes(["no-such-distribution-anywhere"]) == 0
