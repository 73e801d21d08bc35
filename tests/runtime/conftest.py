"""Bundles that the tests of the runtime share. Tests that damage one take their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime import Classifier
from tests.runtime.small_bundles import pack, write_bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle folder of this test's own."""
    return write_bundle(tmp_path / "bundle")


@pytest.fixture(scope="session")
def shared_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle folder with ONNX and OpenVINO models that no test changes."""
    pytest.importorskip("openvino", reason="the openvino extra is not installed")
    return write_bundle(tmp_path_factory.mktemp("shared") / "bundle", openvino=True)


@pytest.fixture(scope="session")
def packed(shared_bundle: Path) -> Path:
    """The same bundle as one file."""
    return pack(shared_bundle, shared_bundle.with_suffix(".gmb"))


@pytest.fixture(scope="session")
def classifier(shared_bundle: Path) -> Iterator[Classifier]:
    """A classifier on onnxruntime that no test reloads or closes."""
    with Classifier(shared_bundle) as opened:
        yield opened
