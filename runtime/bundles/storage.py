"""Where the bytes of a bundle come from: a folder, or a zip file without compression.

Neither follows a link, unpacks anything to disk, or opens a name that its own listing does not have.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

from runtime.errors import BundleError, IntegrityError

if TYPE_CHECKING:
    from zipfile import ZipFile, ZipInfo


class Storage(Protocol):
    """Named byte streams of known size."""

    def sizes(self) -> dict[str, int]:
        """Return the size in bytes of every file, by its path with ``/`` between folders.

        Raises:
            BundleError: there is something that is neither file nor folder, such as a link.
        """
        ...

    def open(self, name: str) -> IO[bytes]:
        """Open the file that :meth:`sizes` lists under ``name``."""
        ...


@contextmanager
def open_storage(path: Path) -> Iterator[Storage]:
    """Open a bundle's folder or file for reading.

    Raises:
        BundleError: ``path`` is neither, or cannot be read.
        IntegrityError: the file is damaged.
    """
    try:
        if path.is_dir():
            yield _Folder(path)
        elif path.is_file():
            with _open_zip(path) as archive:
                yield _Archive(path, archive)
        else:
            raise BundleError(f"{path} does not exist; name a bundle folder or a .gmb file")
    except OSError as error:
        raise BundleError(f"cannot read bundle {path}: {error.strerror or error}; check its permissions") from error


class _Folder:
    def __init__(self, root: Path) -> None:
        self._root = root

    def sizes(self) -> dict[str, int]:
        sizes = {}
        waiting = [""]
        while waiting:
            prefix = waiting.pop()
            with os.scandir(self._root / prefix) as entries:
                for entry in entries:
                    mode = entry.stat(follow_symlinks=False).st_mode
                    if stat.S_ISDIR(mode):
                        waiting.append(f"{prefix}{entry.name}/")
                    elif stat.S_ISREG(mode):
                        sizes[prefix + entry.name] = entry.stat(follow_symlinks=False).st_size
                    else:
                        raise BundleError(f"{entry.path} is a link or a device; a bundle holds plain files only")
        return sizes

    def open(self, name: str) -> IO[bytes]:
        return (self._root / name).open("rb")


class _Archive:
    def __init__(self, path: Path, archive: ZipFile) -> None:
        self._path = path
        self._archive = archive

    def sizes(self) -> dict[str, int]:
        # Not `is_dir`, which fails for an entry without a name.
        entries = [entry for entry in self._archive.infolist() if not entry.filename.endswith("/")]
        sizes = {entry.filename: entry.file_size for entry in entries}
        if len(sizes) < len(entries):
            raise BundleError(f"{self._path} holds two entries of one name; export the bundle again")
        for entry in entries:
            self._check(entry)
        # Entries that share their bytes would make a small file take hours to check.
        if sum(sizes.values()) > self._path.stat().st_size:
            raise BundleError(f"{self._path} holds entries that are larger than itself; export the bundle again")
        return sizes

    def open(self, name: str) -> IO[bytes]:
        return self._archive.open(name)

    def _check(self, entry: ZipInfo) -> None:
        where = f"{self._path}: {entry.filename!r:.80}"
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):
            raise BundleError(f"{where} is a link or a device; a bundle holds plain files only")
        # Bit 0 marks encryption. Stored entries cannot swell: what is read is never larger than the file.
        if entry.compress_type or entry.flag_bits & 1 or entry.compress_size != entry.file_size:
            raise BundleError(f"{where} is compressed or encrypted; pack the bundle again with: zip -0")


@contextmanager
def _open_zip(path: Path) -> Iterator[ZipFile]:
    # Imported here: a bundle folder is opened without them.
    from struct import error as StructError
    from zipfile import BadZipFile, ZipFile

    try:
        with ZipFile(path) as archive:
            yield archive
    # What zipfile raises for a damaged file beside BadZipFile differs between releases of Python.
    except (BadZipFile, NotImplementedError, EOFError, OverflowError, StructError, ValueError) as error:
        raise IntegrityError(
            f"{path} is not a bundle file, or is damaged ({error}); copy or export it again"
        ) from error
