"""Nothing is sent anywhere, and nothing is left in the home folder of whoever runs the program."""

import os
import subprocess
import sys
from pathlib import Path


def test_loading_onnxruntime_through_the_runtime_leaves_no_trace_at_home(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    environment = {key: value for key, value in os.environ.items() if key != "ORT_DISABLE_TELEMETRY"}
    code = "import runtime; from runtime.backends.onnx import OnnxBackend; print(OnnxBackend.name)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment | {"HOME": str(home), "USERPROFILE": str(home), "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "onnx\n"
    assert list(home.iterdir()) == []
