"""Running Python code in a process of its own."""

import subprocess
import sys

# Python 3.12 and later warn of a fork where threads run, which is what some tests are about.
_FORK_IS_MEANT = "ignore:This process:DeprecationWarning"


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    """Run ``code`` and return the finished process; nothing may appear on its stderr."""
    done = subprocess.run(
        [sys.executable, "-W", _FORK_IS_MEANT, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stderr == ""
    return done
