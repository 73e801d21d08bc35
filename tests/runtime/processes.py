"""Running Python code in a process of its own."""

import subprocess
import sys


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    """Run ``code`` and return the finished process; nothing may appear on its stderr."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr == ""
    return done
