"""Processes that train together: how long they wait for each other."""

from __future__ import annotations

import os
import subprocess
import sys

PROGRAM = """
import torch
from distill.lm.processes import _accelerator
accelerator = _accelerator("cpu")
print(torch.distributed.group.WORLD._get_backend(torch.device("cpu")).options._timeout)
"""


def test_they_wait_as_long_as_the_first_one_may_need_to_encode_many_texts() -> None:
    place = {"WORLD_SIZE": "1", "RANK": "0", "LOCAL_RANK": "0"}
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(33_000 + os.getpid() % 4000)}
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], env={**os.environ, **place, **address}, capture_output=True, text=True
    )
    assert ended.stdout == "1 day, 0:00:00\n", ended.stderr
