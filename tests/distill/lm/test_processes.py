"""Processes that train together: how long they wait for each other."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

PROGRAM = """
import torch
from distill.lm.processes import _accelerator, _group_that_waits
_accelerator("cpu")
for group in _group_that_waits(), torch.distributed.group.WORLD:
    print(group._get_backend(torch.device("cpu")).options._timeout)
"""


def free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


def test_they_wait_for_the_first_one_to_encode_many_texts_and_no_longer_for_gradients() -> None:
    place = {"WORLD_SIZE": "1", "RANK": "0", "LOCAL_RANK": "0"}
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], env={**os.environ, **place, **address}, capture_output=True, text=True
    )
    patient, others = ended.stdout.splitlines() or [ended.stderr, ""]
    assert (patient, others.startswith("0:")) == ("1 day, 0:00:00", True)
