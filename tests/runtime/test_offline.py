"""Nothing is sent anywhere, and nothing is left in the home folder of whoever runs the program."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

# Ends the process as soon as Python code asks for a connection or a host name.
_GUARD = """
import os, sys
def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        os._exit(99)
sys.addaudithook(refuse)
"""


def _run(code: str, home: Path) -> subprocess.CompletedProcess[str]:
    home.mkdir()
    environment = {key: value for key, value in os.environ.items() if key != "ORT_DISABLE_TELEMETRY"}
    environment |= {"HOME": str(home), "USERPROFILE": str(home), "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)


def test_loading_onnxruntime_through_the_runtime_leaves_no_trace_at_home(tmp_path: Path) -> None:
    home = tmp_path / "home"
    done = _run("import runtime; from runtime.backends.onnx import OnnxBackend; print(OnnxBackend.__name__)", home)
    assert (done.stdout, done.stderr, done.returncode) == ("OnnxBackend\n", "", 0)
    assert list(home.iterdir()) == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts the threads in /proc")
def test_onnxruntime_starts_no_thread_of_its_own(shared_bundle: Path, tmp_path: Path) -> None:
    code = f"""
import os, numpy
before = len(os.listdir("/proc/self/task"))
from runtime import Classifier
Classifier({str(shared_bundle)!r}).classify("乙醇")
print(len(os.listdir("/proc/self/task")) - before)
"""
    assert _run(code, tmp_path / "home").stdout == "0\n"


def test_openvino_asks_for_no_connection_and_leaves_no_trace_at_home(shared_bundle: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    code = f"""{_GUARD}
from runtime import Classifier
print(Classifier({str(shared_bundle)!r}, backend="openvino").classify("乙醇").label)
"""
    done = _run(code, home)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip()
    assert list(home.iterdir()) == []
