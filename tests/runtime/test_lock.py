"""A lock that one process holds, and that is free when it ends."""

import subprocess
import sys
from pathlib import Path

import pytest

from runtime.lock import HeldError, held

_HOLDER = """
import sys
from pathlib import Path
from runtime.lock import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_lock_is_held_once_and_then_free_again(tmp_path: Path) -> None:
    lock = tmp_path / "new" / "lock"
    for _ in range(2):
        with held(lock), pytest.raises(HeldError), held(lock):
            raise AssertionError("held twice")


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    command = [sys.executable, "-c", _HOLDER, str(lock)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(HeldError), held(lock):
            raise AssertionError("held twice")
        process.kill()
        process.wait()
        with held(lock):
            pass


def test_where_nothing_can_be_written_the_block_runs_without(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for _ in range(2):
        with held(tmp_path / "file" / "lock"), held(tmp_path / "file" / "lock"):
            pass
