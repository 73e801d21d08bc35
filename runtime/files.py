"""Writing files so that a reader sees the old content or the new, never half of it, whatever stops the writer."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.errors import ConfigError, DataError

# Windows flushes only what is open for writing; elsewhere a copy of a read-only file is flushed as it is.
_FLUSHED_AS = "r+b" if os.name == "nt" else "rb"
# Nobody else is to read half-written files. But on Windows, Python since 3.10.15, 3.11.10 and 3.12.4 restricts a folder
# of mode 0o700, as tempfile makes it, to its owner; files made in it inherit that, and keep it when they are renamed.
_HOLDER_MODE = 0o777 if os.name == "nt" else 0o700
# Errors that more space would cure.
_FULL = {errno.ENOSPC, errno.EDQUOT}


@contextmanager
def atomic_path(target: Path, workplace: Path | None = None) -> Iterator[Path]:
    """Yield a temporary path beside ``target``; rename it onto ``target`` if the block succeeds.

    With ``workplace``, a folder on the same file system, the temporary path lies in there, and stays there if the
    process is killed.

    The block may create a file or a folder there; what it wrote is flushed to the disk before the rename. Whatever it
    left is removed when it fails. A file that replaces another gets its permissions; on Windows, as any new one does,
    those of its folder. A folder replaces a folder with all that is in it; a file never replaces a folder, nor a folder
    a file. No file system renames a folder onto one that is not empty: for a moment neither is there, and a reader
    that comes just then must try again. A file has no such moment.

    Raises:
        DataError: the file system refuses (disk full, no permission).
    """
    # Imported here: what only reads, as the classifier does, saves their time and memory.
    import shutil

    place = workplace or target.parent
    holder = place / f"{_holder_prefix(target)}{os.urandom(4).hex()}"
    temporary, aside = holder / target.name, holder / f"{target.name}.replaced"
    try:
        for folder in (target.parent, place):
            folder.mkdir(parents=True, exist_ok=True)
        holder.mkdir(_HOLDER_MODE)  # within `try`: from here on it is removed, whatever signal ends the program
        yield temporary
        _flush(temporary)
        if os.name != "nt" and temporary.is_file() and target.is_file():
            shutil.copymode(target, temporary)
        _replace(temporary, target, aside)
    except OSError as error:
        raise _cannot_write(target, error, aside) from error
    finally:
        # What stepped aside and could not be put back is all that is left of the old folder.
        if not os.path.exists(aside) or os.path.exists(target):
            shutil.rmtree(holder, ignore_errors=True)


def check_folder(option: str, path: Path) -> None:
    """Refuse a file, named by ``option``, whose folder does not exist.

    Raises:
        ConfigError: the folder does not exist.
    """
    folder = path.absolute().parent
    if not folder.is_dir():
        raise ConfigError(f"{option} {path}: there is no folder {folder}; make it")


def is_one_of(path: Path, files: Iterable[Path]) -> bool:
    """Return whether ``path`` names one of ``files``, links followed; a path that does not exist is none of them."""
    return os.path.exists(path) and any(os.path.exists(file) and os.path.samefile(path, file) for file in files)


def left_behind(target: Path) -> list[Path]:
    """Return the temporary folders that killed writers of ``target`` left beside it."""
    return [path for path in target.parent.iterdir() if path.name.startswith(_holder_prefix(target))]


def write_text(target: Path, text: str) -> None:
    """Write ``text`` as UTF-8, atomically, flushed to the disk before the rename."""
    write_bytes(target, text.encode("utf-8"))


def write_bytes(target: Path, content: bytes) -> None:
    """Write ``content`` atomically, flushed to the disk before the rename."""
    with atomic_path(target) as temporary:
        temporary.write_bytes(content)


def write_json(target: Path, value: object) -> None:
    """Write ``value`` as indented UTF-8 JSON, atomically; NaN and infinities are refused."""
    write_text(target, json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def _holder_prefix(target: Path) -> str:
    return f".{target.name}."


def _flush(written: Path) -> None:
    """Flush a file, or all files of a folder, to disk: else a power cut may keep the rename and lose the content."""
    for path in [written] if written.is_file() else written.rglob("*"):
        if path.is_file() and not path.is_symlink():
            with path.open(_FLUSHED_AS) as stream:
                os.fsync(stream.fileno())


def _replace(temporary: Path, target: Path, aside: Path) -> None:
    # A folder cannot be renamed onto a folder that is not empty: the old one steps aside first. Only for
    # another folder: a file must never take the place of everything in a folder.
    if not (temporary.is_dir() and target.is_dir()) or target.is_symlink():
        temporary.replace(target)
        return
    try:
        target.rename(aside)
        temporary.rename(target)
    except BaseException:  # Ctrl-C too
        if aside.exists() and not target.exists():
            aside.rename(target)
        raise


def _cannot_write(target: Path, error: OSError, aside: Path | None = None) -> DataError:
    reason = error.strerror or str(error)
    if aside and os.path.exists(aside) and not os.path.exists(target):
        return DataError(f"cannot write {target}: {reason}; what was there is now {aside}, rename it back")
    remedy = "free some space" if error.errno in _FULL else "check the path and its permissions"
    return DataError(f"cannot write {target}: {reason}; {remedy}, or choose another place with --out")
