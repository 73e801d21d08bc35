"""Which release this is, by all three commands."""

import subprocess
import sys
from importlib.metadata import version

import pytest


@pytest.mark.parametrize("module", ["distill.cli", "export.cli", "runtime.cli"])
def test_each_command_tells_its_release_at_once(module: str) -> None:
    code = (
        f"import sys; from {module} import main\n"
        "try: main()\n"
        "finally: assert not {'torch', 'onnx', 'onnxruntime', 'transformers'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, "--version"], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == (f"gm-edge {version('gm-edge')}\n", "")


def test_where_it_is_not_installed_that_is_said() -> None:
    code = (
        "import sys, importlib.metadata as metadata; from runtime.version import installed_version\n"
        "sys.path[:] = [path for path in sys.path if not list(metadata.distributions(name='gm-edge', path=[path]))]\n"
        "print(installed_version())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "of unknown version, run without being installed\n"
