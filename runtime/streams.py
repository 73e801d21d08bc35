"""Opening what is written to: stdout, a device or a pipe as it is, a file so that it appears once it is complete."""

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

    A device or a pipe is written to as it is, and so is stdout, by whatever name. Behind a link, it is the file that
    the link names which is replaced.
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
    """Return the file that a link names, which is to be replaced in its stead; another path as it is."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def _stdout(encoding: str) -> TextIO:
    """Return stdout, where no person reads it in the encoding that files of answers have, without a byte order mark."""
    if sys.stdout is None:
        raise DataError("stdout is closed; write to a file with --out")
    if isinstance(sys.stdout, io.TextIOWrapper) and not sys.stdout.isatty() and encoding == TABLE_ENCODING:
        # Windows has another one, which lacks the ³ of m³, and would end the lines within a cell in its own way.
        sys.stdout.reconfigure(encoding="utf-8", newline="")
    return sys.stdout


def _opened_in_place(path: Path, encoding: str) -> TextIO | None:
    """Open what no file may take the place of."""
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
    """Open a file, or what is open as a number already, to write answers to it; every text can be written there."""
    return open(path, "w", encoding=encoding, errors="backslashreplace", newline="")
