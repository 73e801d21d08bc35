"""Writing files so that a reader sees the old content or the new, never half of it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.errors import DataError


@contextmanager
def atomic_path(target: Path, workplace: Path | None = None) -> Iterator[Path]:
    """Yield a temporary path beside ``target``; rename it onto ``target`` if the block succeeds.

    With ``workplace``, a folder on the same file system, the temporary path is in there; a process that is killed
    leaves it there.

    The block may create a file or a folder there. Whatever it left is removed when it fails. A folder
    replaces a folder with all that is in it; a file never replaces a folder, nor a folder a file.

    Raises:
        DataError: the file system refuses (disk full, no permission).
    """
    # Imported here: what only reads, as the classifier does, saves their time and memory.
    import shutil
    import tempfile

    try:
        place = workplace or target.parent
        for folder in (target.parent, place):
            folder.mkdir(parents=True, exist_ok=True)
        holder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=place))
    except OSError as error:
        raise _cannot_write(target, error) from error
    try:
        temporary = holder / target.name
        yield temporary
        _replace(temporary, target, holder)
    except OSError as error:
        raise _cannot_write(target, error) from error
    finally:
        shutil.rmtree(holder, ignore_errors=True)


def write_text(target: Path, text: str) -> None:
    """Write ``text`` as UTF-8, atomically, flushed to the disk before the rename."""
    write_bytes(target, text.encode("utf-8"))


def write_bytes(target: Path, content: bytes) -> None:
    """Write ``content`` atomically, flushed to the disk before the rename."""
    with atomic_path(target) as temporary, temporary.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def write_json(target: Path, value: object) -> None:
    """Write ``value`` as indented UTF-8 JSON, atomically; NaN and infinities are refused."""
    write_text(target, json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def _replace(temporary: Path, target: Path, holder: Path) -> None:
    # A folder cannot be renamed onto a folder that is not empty: the old one steps aside first. Only for
    # another folder: a file must never take the place of everything in a folder.
    if not (temporary.is_dir() and target.is_dir()) or target.is_symlink():
        temporary.replace(target)
        return
    aside = holder / "replaced"
    target.rename(aside)
    try:
        temporary.rename(target)
    except OSError:
        aside.rename(target)
        raise


def _cannot_write(target: Path, error: OSError) -> DataError:
    reason = error.strerror or str(error)
    return DataError(f"cannot write {target}: {reason}; free some space or choose another place with --out")
