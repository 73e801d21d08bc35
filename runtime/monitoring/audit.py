"""A record of every decision, as JSON Lines in files that follow each other."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from io import FileIO, TextIOWrapper
from itertools import count
from logging import LogRecord, makeLogRecord
from logging.handlers import RotatingFileHandler
from pathlib import Path
from stat import S_ISREG
from types import TracebackType
from typing import Any

from runtime.bundles.bundle import BundleInfo
from runtime.errors import ConfigError
from runtime.fork import after_fork, leak
from runtime.lock import HeldError, take
from runtime.prediction import Prediction


class AuditLog:
    """Writes what classifiers decide; several of them, and any number of threads, may share one.

    A full file is renamed ``NAME.1``, the old ``NAME.1`` becomes ``NAME.2``, and so on. While one of them cannot be
    renamed, as on Windows when another program reads it, the newest file keeps growing. If another program moves or
    deletes that one, as logrotate does, a new one is begun. A failing disk stops no classification: records that could
    not be written are counted.

    Two logs cannot share files that are renamed. So a log whose path is in use, in this process or another, and every
    forked or unpickled copy of a log, writes to the first free one of ``audit.w1.jsonl``, ``audit.w2.jsonl`` and so on:
    there are as many as there ever were writers at one time. A log holds its file until it is closed or its process
    ends, by a lock on ``.audit.jsonl.lock`` or the like, an empty file that stays. On a file system without locks, a
    copy takes the number of its process, and nothing keeps other logs apart. A device is shared by all.

    Example:
        >>> audit = AuditLog("audit.jsonl", max_bytes=10_000_000, files=5)  # doctest: +SKIP
        >>> classifier = Classifier("bundle/", audit=audit)  # doctest: +SKIP

    Args:
        path: the newest file, opened at the first record; its folder must exist.
        max_bytes: size above which no file grows, apart from the cases above.
        files: how many full files are kept, at least 1.
        texts: whether the texts are recorded as well; they may be confidential.

    Raises:
        ConfigError: a number is too small, or the folder does not exist.
    """

    def __init__(
        self, path: str | os.PathLike[str], max_bytes: int = 10_000_000, files: int = 5, texts: bool = True
    ) -> None:
        if max_bytes < 1 or files < 1:
            raise ConfigError(f"an audit log needs max_bytes and files of at least 1, not {max_bytes} and {files}")
        self._path = Path(os.path.abspath(path))
        if not self._path.parent.is_dir():
            raise ConfigError(f"cannot write an audit log to {self._path.parent}: there is no such folder; make it")
        self._settings = {"max_bytes": max_bytes, "files": files, "texts": texts}
        self._handler = _CountingHandler(self._path, max_bytes, files)

    @property
    def failures(self) -> int:
        """Records that this process could not write; a file that could not be closed counts as one."""
        return self._handler.failures

    def write(self, bundle: BundleInfo, texts: Sequence[str], predictions: Iterable[Prediction]) -> None:
        """Record what ``bundle`` decided about ``texts``."""
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        about = {"time": now, "bundle": bundle.name, "sha256": bundle.sha256}
        for text, prediction in zip(texts, predictions, strict=True):
            row = about | ({"text": text} if self._settings["texts"] else {}) | prediction.to_dict()
            self._handler.handle(makeLogRecord({"msg": json.dumps(row, ensure_ascii=False)}))

    def close(self) -> None:
        """Close the file, so that another log may take it; the next record opens it again, or the next free one."""
        self._handler.close()

    def __enter__(self) -> AuditLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self._path, **self._settings}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]  # a pickle makes a new log of the same settings
        self._handler.begin_own_file()


class _CountingHandler(RotatingFileHandler):
    """Overwrites no file, and counts records that it cannot write, where logging would print to the host's stderr."""

    failures = 0
    # When the program ends, logging flushes before it closes, and does not close where that fails: on a full disk
    # Python 3.13 would then complain on the host's stderr.
    flushOnClose = False

    def __init__(self, path: Path, max_bytes: int, files: int) -> None:
        # Of a lone surrogate, backslashreplace makes the escape that JSON has for it.
        super().__init__(path, "a", max_bytes, files, encoding="utf-8", delay=True, errors="backslashreplace")
        self._path = path
        self._first = 0
        self._held: FileIO | None = None
        after_fork(self, _CountingHandler.begin_own_file)

    def begin_own_file(self) -> None:
        """In a copy: let go of what the original opened, and begin a numbered file at the next record."""
        stream, held, self.stream, self._held = self.stream, self._held, None, None
        if stream is not None:
            # A thread of the parent may have been writing: its lock is never released here, and what it has not yet
            # written is the parent's to write. Logging closes the stream when the program ends, so it may not see it.
            leak(stream)
        if held is not None:
            held.close()
        self._first = 1
        self.failures = 0

    def shouldRollover(self, record: LogRecord) -> bool:
        """Say whether the file would grow too large, in bytes; logging counts characters."""
        if self._held is not None and _is_elsewhere(self._held):
            self.close()  # by now another log may hold a new lock of that name
        if self.stream is not None and _is_elsewhere(self.stream):
            self._close_file()
        if _is_device(self._path):
            self.baseFilename = str(self._path)
            return False  # no other file can take its place
        if self.stream is None and self._held is None:
            self._choose_file()
        if self.stream is None:
            self.stream = self._open()
        size = len(record.getMessage().encode("utf-8", "backslashreplace")) + 1
        return self.stream.seek(0, os.SEEK_END) + size >= self.maxBytes

    def doRollover(self) -> None:
        """Rename the files, if all of them can be: one that stayed in place would be overwritten by the next."""
        self._close_file()  # Windows renames no open file
        older = (f"{self.baseFilename}.{number}" for number in range(1, self.backupCount + 1))
        if all(map(_can_be_renamed, [self.baseFilename, *older])):
            super().doRollover()

    def handleError(self, record: LogRecord) -> None:
        """Count a record that cannot be written; logging calls this method by its name."""
        self.failures += 1

    def close(self) -> None:
        """Close the file and let go of it; what cannot be written then is counted as well."""
        self.acquire()
        try:
            self._close_file()
            if self._held is not None:
                self._held.close()
                self._held = None
        finally:
            self.release()

    def _choose_file(self) -> None:
        """Take the first file that no other log holds."""
        for number in count(self._first):
            path = _numbered(self._path, number)
            try:
                self._held = take(_lock_of(path))
            except HeldError:
                continue
            except OSError:  # no locks here, or nothing can be written: then the failures will be counted
                path = _numbered(self._path, os.getpid() if number else 0)
            self.baseFilename = str(path)
            return

    def _close_file(self) -> None:
        try:
            super().close()
        except OSError:
            self.failures += 1

    def _open(self) -> TextIOWrapper:
        stream = super()._open()
        if _is_cut_off(self.baseFilename):
            stream.write("\n")  # or the next record would be lost with the one that was cut off
        return stream


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.stem}.w{number}{path.suffix}") if number else path


def _lock_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.lock")  # hidden from a search for audit.jsonl*


def _is_device(path: Path) -> bool:
    """Return whether a path exists and is not a regular file; a folder counts too, and cannot be written to either."""
    try:
        return not S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False


def _is_elsewhere(stream: TextIOWrapper | FileIO) -> bool:
    """Return whether an open file no longer has its name: it was moved or deleted, which Windows does not allow."""
    try:
        return os.name != "nt" and not os.path.samestat(os.stat(stream.name), os.fstat(stream.fileno()))
    except FileNotFoundError:
        return True
    except OSError:
        return False  # as where this process lost the right to look; it may write on


def _is_cut_off(name: str) -> bool:
    """Return whether a file ends within a line, as a full disk or a power cut leaves it."""
    try:
        if not os.path.isfile(name):
            return False
        with open(name, "rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read() != b"\n"
    except OSError:
        return False  # as where it is empty, or may be written and not read


def _can_be_renamed(name: str) -> bool:
    try:
        os.rename(name, name)  # changes nothing, but needs the same rights as a real rename
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
