"""A record of every decision, as JSON Lines in files that follow each other."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from io import TextIOWrapper
from logging import LogRecord, makeLogRecord
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import Any

from runtime.bundle import BundleInfo
from runtime.errors import ConfigError
from runtime.fork import after_fork, leak
from runtime.prediction import Prediction


class AuditLog:
    """Writes what classifiers decide; several of them, and any number of threads, may share one.

    A file that is full becomes ``NAME.1``, the one of that name ``NAME.2``, and so on. Where one cannot be renamed, as
    on Windows while another program reads it, the newest file grows on until all can. Where another program moves or
    deletes that, as logrotate does, a new one is begun. A disk that fails stops no classification: what could not be
    written is counted. Two processes cannot share files that are renamed, so a copy in another process, forked or
    unpickled, writes to files with the number of that process before the suffix: ``audit.4711.jsonl``.

    Example:
        >>> audit = AuditLog("audit.jsonl", max_bytes=10_000_000, files=5)  # doctest: +SKIP
        >>> classifier = Classifier("bundle/", audit=audit)  # doctest: +SKIP

    Args:
        path: the newest file, opened at the first record; its folder must exist.
        max_bytes: size above which no file grows, but for what is said above.
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
        """Close the file; the next record opens it again."""
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
    """Loses no file, and counts the records that it cannot write, where logging would print to the host's stderr."""

    failures = 0

    def __init__(self, path: Path, max_bytes: int, files: int) -> None:
        # Of a lone surrogate, backslashreplace makes the escape that JSON has for it.
        super().__init__(path, "a", max_bytes, files, encoding="utf-8", delay=True, errors="backslashreplace")
        self._path = path
        after_fork(self, _CountingHandler.begin_own_file)

    def begin_own_file(self) -> None:
        """Write from now on to a file with the number of this process, where the one so far is another's."""
        if self.stream is not None:
            # A thread of the parent may have been writing: its lock is never released here, and what it has not yet
            # written is the parent's to write. Logging closes the stream when the program ends, so it may not see it.
            leak(self.stream)
            self.stream = None
        self.failures = 0
        path = self._path
        self.baseFilename = str(path.with_name(f"{path.stem}.{os.getpid()}{path.suffix}"))

    def shouldRollover(self, record: LogRecord) -> bool:
        """Say whether the file would grow too large, in bytes; logging counts characters."""
        if self.stream is not None and _is_elsewhere(self.stream, self.baseFilename):
            self.close()
        if os.path.exists(self.baseFilename) and not os.path.isfile(self.baseFilename):
            return False  # as a device, which no other file can take the place of
        if self.stream is None:
            self.stream = self._open()
        size = len(record.getMessage().encode("utf-8", "backslashreplace")) + 1
        return self.stream.seek(0, os.SEEK_END) + size >= self.maxBytes

    def doRollover(self) -> None:
        """Rename the files, if all can be: one that stays in its place would be overwritten by the next."""
        self.close()  # Windows renames no open file
        older = (f"{self.baseFilename}.{number}" for number in range(1, self.backupCount + 1))
        if all(map(_can_be_renamed, [self.baseFilename, *older])):
            super().doRollover()

    def handleError(self, record: LogRecord) -> None:
        """Count it: logging calls this, and by that name, when a record cannot be written."""
        self.failures += 1

    def close(self) -> None:
        """Close the file, which the next record opens again; what cannot be written then is counted as well."""
        try:
            super().close()
        except OSError:
            self.failures += 1

    def _open(self) -> TextIOWrapper:
        stream = super()._open()
        if _is_cut_off(self.baseFilename):
            stream.write("\n")  # or the next record would be lost with the one that was cut off
        return stream


def _is_elsewhere(stream: TextIOWrapper, name: str) -> bool:
    """Return whether a file that is open no longer has its name: it was moved or deleted, as Windows lets nobody."""
    try:
        return os.name != "nt" and not os.path.samestat(os.stat(name), os.fstat(stream.fileno()))
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
        os.rename(name, name)  # changes nothing, and asks for all that a rename needs
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
