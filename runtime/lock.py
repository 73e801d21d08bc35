"""One process at a time: a lock that the system takes back when its holder ends, however it ends."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO


class HeldError(Exception):
    """Another process holds the lock."""


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock on the file ``path``, which is made where it is missing, and stays.

    Where a file system knows no locks or cannot be written to, the block runs without one: whoever has something
    to write there will say so.

    Raises:
        HeldError: another process holds it.
    """
    with _opened(path) or nullcontext() as stream:
        if stream is not None:
            _lock(stream)
        yield


def _opened(path: Path) -> BinaryIO | None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("ab")
    except OSError:
        return None


if sys.platform == "win32":
    import errno
    import msvcrt

    def _lock(stream: BinaryIO) -> None:
        try:
            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EDEADLK):
                raise HeldError from error

else:
    import fcntl

    def _lock(stream: BinaryIO) -> None:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise HeldError from error
        except OSError:
            pass  # A file system without locks.
