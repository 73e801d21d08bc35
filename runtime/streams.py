"""Opening outputs: stdout, devices and pipes directly; a file so that it appears only once it is complete."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from runtime.errors import DataError
from runtime.files import atomic_path

TABLE_ENCODING = "utf-8-sig"
"""With a byte order mark Excel shows a table as what it is; other programs skip the mark."""
_STDOUT = 1


@contextmanager
def open_output(path: Path | None, encoding: str) -> Iterator[TextIO]:
    """Yield the stream to write to: stdout, or a file that appears under ``path`` once it is complete.

    Devices, pipes, and stdout under any name are written to directly. If ``path`` is a link, the file that it points to
    is replaced, not the link.
    """
    if path is None:
        yield _stdout(encoding)
        return
    in_place = _opened_in_place(path, encoding)
    if in_place is not None:
        with in_place:
            yield in_place
        return
    with atomic_path(behind_link(path)) as temporary, new_file(temporary, encoding) as stream:
        yield stream


def behind_link(path: Path) -> Path:
    """Return the file that a link points to, so that it is replaced and not the link; any other path unchanged."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def _stdout(encoding: str) -> TextIO:
    """Return stdout; where it is no terminal, a table is written to it as UTF-8, without a byte order mark."""
    if sys.stdout is None:
        raise DataError("stdout is closed; write to a file with --out")
    if isinstance(sys.stdout, io.TextIOWrapper) and not sys.stdout.isatty() and encoding == TABLE_ENCODING:
        # The default encoding of Windows lacks the ³ of m³, and its text mode would change line ends within a cell.
        sys.stdout.reconfigure(encoding="utf-8", newline="")
    return sys.stdout


def _opened_in_place(path: Path, encoding: str) -> TextIO | None:
    """Open a path that must be written to directly, not replaced by a file; return ``None`` for any other."""
    if not path.exists():
        return None
    if is_stdout(path):
        # Opened anew, a file behind /dev/stdout would lose what others have written there.
        return new_file(os.dup(_STDOUT), encoding)
    return None if path.is_file() else new_file(path, encoding)


def is_stdout(path: Path) -> bool:
    """Return whether a path is another name for stdout."""
    try:
        return os.path.samestat(path.stat(), os.fstat(_STDOUT))
    except OSError:
        return False  # Stdout is closed.


def new_file(path: Path | int, encoding: str) -> TextIO:
    """Open a path or a file descriptor for writing; characters that the encoding lacks are escaped."""
    return open(path, "w", encoding=encoding, errors="backslashreplace", newline="")
