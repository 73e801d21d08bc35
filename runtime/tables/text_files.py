"""Text files: their lines, in whatever encoding they are written, packed by gzip or not."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.errors import ConfigError, DataError

PACKED = ".gz"
"""Suffix of a file that is unpacked while it is read."""
_SAMPLE = 1 << 20
# Names that users give, and the codec that reads every file of that name and more.
_SUPERSETS = {"utf-8": "utf-8-sig", "gb2312": "gb18030", "gbk": "gb18030"}


def read_lines(path: Path, encoding: str = "") -> Iterator[str]:
    """Yield the lines of a plain text file, without their ends; a ``.gz`` file is unpacked.

    Args:
        path: the file, whatever its suffix.
        encoding: empty: by its byte order mark, else UTF-8, else GB18030, whichever the first MB is.

    Raises:
        DataError: the file cannot be read or is not text.
        ConfigError: the encoding is unknown.
    """
    with readable(path):
        for line in lines(path, encoding):
            yield line.rstrip("\r\n")


def known_codec(name: str) -> str:
    """Return the codec for the encoding ``name``: a superset of it where users often mean that.

    Raises:
        ConfigError: it is unknown or, like ``hex``, not a text encoding.
    """
    try:
        "".encode(name)
    except (LookupError, ValueError) as error:
        raise ConfigError(f"unknown encoding {name!r}; use for example utf-8, gb18030 or utf-16") from error
    codec = codecs.lookup(name).name
    return _SUPERSETS.get(codec, codec)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn the system's errors about a file, within the block, into one-line messages.

    Raises:
        DataError: ``path`` is a folder, or cannot be read.
    """
    try:
        if path.is_dir():
            raise DataError(f"{path} is a folder; name one file in it")
        path.stat()  # A missing path is said to be missing, whatever its suffix.
        yield
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}; check the path and its permissions") from error


def lines(path: Path, encoding: str) -> Iterator[str]:
    """Yield the lines of a text file, split at line feeds only, their ends kept.

    Raises:
        DataError: it is not text, or not a whole gzip file.
        ConfigError: the encoding is unknown.
    """
    try:
        codec = known_codec(encoding) if encoding else _codec_of(path)
        with _open(path) as packed, io.TextIOWrapper(packed, codec, newline="\n") as stream:
            for number, line in enumerate(stream, 1):
                if "\0" in line:
                    raise DataError(
                        f"{path}, line {number}: holds NUL bytes, so it is not {codec} text; save it as UTF-8"
                    )
                yield line
    except UnicodeError as error:
        raise _undecodable(path, codec, codec.removesuffix("-sig").upper()) from error
    except (EOFError, zlib.error) as error:
        raise DataError(f"{path} is not a whole gzip file ({error}); pack it again") from error


def _open(path: Path) -> gzip.GzipFile | io.BufferedReader:
    return gzip.open(path) if path.suffix.lower() == PACKED else path.open("rb")


def _codec_of(path: Path) -> str:
    with _open(path) as stream:
        head = stream.read(_SAMPLE)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    whole = len(head) < _SAMPLE
    for codec in ("utf-8-sig", "gb18030"):
        try:
            codecs.getincrementaldecoder(codec)().decode(head, final=whole)
        except UnicodeDecodeError:
            continue
        return codec
    raise _undecodable(path, "utf-8-sig", "UTF-8 or GB18030")


def _undecodable(path: Path, codec: str, name: str) -> DataError:
    line = _first_undecodable_line(path, codec)
    return DataError(f"{path}, line {line}: not {name} text; save the whole file as UTF-8, or set its encoding")


def _first_undecodable_line(path: Path, codec: str) -> int:
    decoder = codecs.getincrementaldecoder(codec)()
    line = 1
    with _open(path) as stream:
        for piece in stream:
            try:
                line += decoder.decode(piece).count("\n")
            except UnicodeError:  # not always one that tells where: UTF-16 without its mark, for instance
                break
    return line
