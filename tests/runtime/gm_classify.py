"""gm-classify in a process of its own, as a user starts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path


def start(arguments: tuple[str | Path, ...], encoding: str = "utf-8") -> subprocess.Popen[bytes]:
    """Start gm-classify on a machine with such an encoding."""
    code = "from runtime.cli import main; main()"
    environment = os.environ | {"PYTHONIOENCODING": encoding, "COLUMNS": "100"}
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )


def run(*arguments: str | Path, stdin: bytes = b"") -> tuple[int, str, str]:
    """Run gm-classify and return exit code, stdout and stderr."""
    with start(arguments) as process:
        out, err = process.communicate(stdin)
    return process.returncode, out.decode(), err.decode()


def answers(*arguments: str | Path, stdin: bytes = b"") -> list[dict[str, object]]:
    """Return what it answers, as JSON objects."""
    code, out, err = run(*arguments, "--jsonl", stdin=stdin)
    assert (code, err) == (0, "")
    return [json.loads(line) for line in out.splitlines()]
