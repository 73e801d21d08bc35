"""Which engine opens a bundle, and what is said when it cannot."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.backends import lost_in_fork, open_backend, openvino_starts
from runtime.bundles.bundle import Bundle
from runtime.errors import BackendError, ConfigError
from tests.runtime.small_bundles import only_openvino, write_bundle


def test_auto_is_onnxruntime(bundle: Path) -> None:
    assert open_backend(Bundle.open(bundle), "auto", 1).name == "onnx"


def test_auto_is_openvino_where_the_bundle_is_for_that_alone(tmp_path: Path) -> None:
    pytest.importorskip("openvino", reason="the openvino extra is not installed")
    bundle = Bundle.open(only_openvino(write_bundle(tmp_path / "bundle", openvino=True)))
    assert open_backend(bundle, "auto", 1).name == "openvino"
    with pytest.raises(BackendError, match="no onnx model, only: openvino; export it with --backend onnx"):
        open_backend(bundle, "onnx", 1)


def test_an_unknown_engine_is_refused(bundle: Path) -> None:
    with pytest.raises(ConfigError, match="unknown backend 'tensorrt'; use auto, onnx, openvino"):
        open_backend(Bundle.open(bundle), "tensorrt", 1)


@pytest.mark.parametrize("threads", [0, -1, 1.0, True, "2"])
def test_a_number_of_threads_must_be_one(bundle: Path, threads: int) -> None:
    with pytest.raises(ConfigError, match="threads must be a whole number"):
        open_backend(Bundle.open(bundle), "onnx", threads)


def test_an_engine_without_its_model_says_what_there_is(bundle: Path) -> None:
    with pytest.raises(BackendError, match="no openvino model, only: onnx; export it with --backend openvino"):
        open_backend(Bundle.open(bundle), "openvino", 1)


def test_only_openvino_is_lost_and_only_in_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.backends._openvino_process", None)
    assert not lost_in_fork("openvino")
    openvino_starts()
    assert not lost_in_fork("openvino")
    child = os.getpid() + 1
    monkeypatch.setattr(os, "getpid", lambda: child)
    assert lost_in_fork("openvino")
    assert not lost_in_fork("onnx")
    openvino_starts()  # a child that tries does not make it whole
    assert lost_in_fork("openvino")


def test_a_missing_package_names_the_extra(shared_bundle: Path) -> None:
    code = f"""
import sys
sys.modules["openvino"] = None  # as if it were not installed
from runtime import Classifier, ConfigError
try:
    Classifier({str(shared_bundle)!r}, backend="openvino")
except ConfigError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 'pip install "gm-edge[openvino]"' in done.stdout


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not bind processes to processors")
def test_more_threads_than_allowed_processors_are_not_started(bundle: Path) -> None:
    code = f"""
import os
os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
import numpy
before = len(os.listdir("/proc/self/task"))
from runtime import Classifier
Classifier({str(bundle)!r}, threads=64).classify("乙醇")
print(len(os.listdir("/proc/self/task")) - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("0\n", "")
