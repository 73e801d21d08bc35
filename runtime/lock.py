"""One process at a time: a lock that the system takes back when its holder ends, however it ends."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from io import FileIO
from pathlib import Path


class HeldError(Exception):
    """The lock is held already, by another process or elsewhere in this one."""


def take(path: Path) -> FileIO:
    """Return the file ``path``, which is made where it is missing, and is locked until it is closed.

    A forked child that closes its copy does not unlock it.

    Raises:
        HeldError: it is locked already.
        OSError: it cannot be written, or the file system has no locks.
    """
    stream = path.open("ab", buffering=0)
    try:
        _lock(stream)
    except BaseException:
        stream.close()
        raise
    return stream


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock on the file ``path``, which is made where it is missing, and stays.

    Where a file system has no locks or cannot be written to, the block runs without one: whoever writes there reports
    what is wrong.

    Raises:
        HeldError: another process holds it.
    """
    with _taken(path) or nullcontext():
        yield


def _taken(path: Path) -> FileIO | None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return take(path)
    except OSError:
        return None


if sys.platform == "win32":
    import errno
    import msvcrt

    def _lock(stream: FileIO) -> None:
        try:
            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EDEADLK):
                raise HeldError from error
            raise

else:
    import fcntl

    def _lock(stream: FileIO) -> None:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise HeldError from error
