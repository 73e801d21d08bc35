"""The fresh process whose cold start and memory are measured. Imports nothing that a contender would not."""

from __future__ import annotations

import os
import sys
from itertools import cycle, islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.contenders.contender import Contender


def serve(contender: Contender, first: str) -> None:
    """Print the label of ``first``, label each line of standard input, then print the peak RSS in bytes."""
    print(contender.label(first), flush=True)
    for line in sys.stdin:
        contender.label(line.rstrip("\n"))
    print(peak_rss(), flush=True)


def hold(contender: Contender, first: int, further: int) -> None:
    """Label the lines of standard input in turn; print the resident memory in bytes after ``first`` and ``further``."""
    texts = cycle(line.rstrip("\n") for line in sys.stdin.readlines())
    for calls in (first, further):
        for text in islice(texts, calls):
            contender.label(text)
        print(resident(), flush=True)


def resident() -> int:
    """Return the resident set of this process in bytes; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm", encoding="ascii") as status:
            return int(status.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def peak_rss() -> int:
    """Return the largest resident set of this process so far, in bytes; 0 where the system does not tell.

    Linux keeps ``ru_maxrss`` across ``exec``: a small process started by a large one reports its parent's
    peak. ``VmHWM`` belongs to the process alone, so it is read where it exists.
    """
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return _ru_maxrss()


def _ru_maxrss() -> int:
    try:
        import resource
    except ImportError:  # Windows
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
