"""Tables: the rows of CSV, TSV, JSON Lines, Excel and Parquet files, one after another.

Every format gives the same :class:`Row`, so what reads a table need not know which one it was.
openpyxl (Excel) and pyarrow (Parquet) are imported when such a file is read, not before. Text formats are
also read packed by gzip, with ``.gz`` behind their suffix.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from runtime.errors import ConfigError, DataError, GMError

_SAMPLE = 1 << 20
# What spreadsheets and data frames write for "no value here".
_MISSING = frozenset({"", "nan", "#n/a"})
# Names that users give, and the codec that reads every file of that name and more.
_SUPERSETS = {"utf-8": "utf-8-sig", "gb2312": "gb18030", "gbk": "gb18030"}

_Numbered = Iterator[tuple[int, Sequence[object]]]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table.

    Attributes:
        line: 1-based line of the file on which the row begins (row of the sheet); the header is 1.
        values: cell by column name; a missing cell, null or NaN is the empty string.
    """

    line: int
    values: dict[str, str]


class Table(Iterator[Row]):
    """The rows of a table, one after another; its columns are known even where it has none.

    Nothing is read before the columns or the first row are asked for.
    """

    def __init__(self, header_first: Iterator[Row]) -> None:
        """Take a header, a row of which the names count only, and the rows behind it."""
        self._rows = header_first

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns in their order; of JSON Lines, the keys of the first object."""
        return tuple(next(self._rows).values)

    def __iter__(self) -> Iterator[Row]:
        _ = self.columns  # The header is no row.
        return self._rows

    def __next__(self) -> Row:
        return next(iter(self))


def read_table(path: Path, encoding: str = "") -> Table:
    r"""Return the rows of a ``.csv``, ``.tsv``, ``.jsonl``, ``.xlsx`` or ``.parquet`` file.

    CSV is quoted as in RFC 4180, TSV not at all; an Excel file gives its first sheet. Column names
    lose the blanks around them, columns without a name are left out, rows without any content are
    skipped, and lone surrogates (``"\ud800"`` in JSON) become U+FFFD.

    Args:
        path: the file; its suffix names the format.
        encoding: of a text file. Empty: by its byte order mark, else UTF-8, else GB18030, whichever
            the first MB is.

    Raises:
        DataError: as the rows are read: the file cannot be read or is not what its suffix says.
        ConfigError: likewise: the encoding is unknown, or the package that reads this format is not installed.
    """
    return Table(_header_and_rows(path, encoding))


def read_lines(path: Path, encoding: str = "") -> Iterator[str]:
    """Yield the lines of a plain text file, without their ends; a ``.gz`` file is unpacked.

    Args:
        path: the file, whatever its suffix.
        encoding: as for :func:`read_table`.

    Raises:
        DataError: the file cannot be read or is not text.
        ConfigError: the encoding is unknown.
    """
    with _readable(path):
        for line in _lines(path, encoding):
            yield line.rstrip("\r\n")


def column(table: Table, name: str, path: Path, option: str) -> Table:
    """Return ``table``, each row of it sure to have the column ``name``.

    Its columns decide whether it has it; a later JSON object without the key has an empty cell.
    ``option`` is what the user sets to name another column, for the message.

    Raises:
        DataError: as the columns or the first row are read: there is no such column.
    """
    return Table(_with_column(table, name, path, option))


def _with_column(table: Table, name: str, path: Path, option: str) -> Iterator[Row]:
    if name not in table.columns:
        there = ", ".join(table.columns)
        raise DataError(f"{path} has no column {name!r}, only: {there}; name another with {option}")
    yield _header(1, table.columns)
    for row in table:
        row.values.setdefault(name, "")
        yield row


def _header(line: int, names: Iterable[str]) -> Row:
    return Row(line, dict.fromkeys(names, ""))


def _header_and_rows(path: Path, encoding: str) -> Iterator[Row]:
    with _readable(path):
        yield from _reader(path)(path, encoding)


def known_codec(name: str) -> str:
    """Return the codec that reads text in the encoding ``name``: the superset of it where users call that so.

    Raises:
        ConfigError: it is unknown, or, as ``hex``, no encoding of text.
    """
    try:
        "".encode(name)
    except (LookupError, ValueError) as error:
        raise ConfigError(f"unknown encoding {name!r}; use for example utf-8, gb18030 or utf-16") from error
    codec = codecs.lookup(name).name
    return _SUPERSETS.get(codec, codec)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        if path.is_dir():
            raise DataError(f"{path} is a folder; name one file in it")
        path.stat()  # A missing path is said to be missing, whatever its suffix.
        yield
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}; check the path and its permissions") from error


def _read_csv(path: Path, encoding: str) -> Iterator[Row]:
    return _rows(path, _csv_cells(path, encoding))


def _read_tsv(path: Path, encoding: str) -> Iterator[Row]:
    lines = enumerate(_lines(path, encoding), 1)
    return _rows(path, ((number, line.rstrip("\r\n").split("\t")) for number, line in lines))


def _read_jsonl(path: Path, encoding: str) -> Iterator[Row]:
    empty = True
    for number, line in enumerate(_lines(path, encoding), 1):
        if line.strip():
            values = {key.strip(): _cell(value) for key, value in _json_object(path, number, line).items()}
            if empty:
                yield _header(number, values)
            empty = False
            yield Row(number, values)
    if empty:
        raise DataError(f"{path} is empty; write one JSON object a line")


def _read_xlsx(path: Path, _encoding: str) -> Iterator[Row]:
    return _rows(path, _guard(path, "an Excel workbook", _xlsx_cells(path)))


def _read_parquet(path: Path, _encoding: str) -> Iterator[Row]:
    return _rows(path, _guard(path, "a Parquet file", _parquet_cells(path)))


_READERS: dict[str, Callable[[Path, str], Iterator[Row]]] = {
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".jsonl": _read_jsonl,
    ".xlsx": _read_xlsx,
    ".parquet": _read_parquet,
}
_PACKED = ".gz"
# Excel and Parquet files are packed inside, and are read from any place, not from start to end.
_READERS |= {suffix + _PACKED: _READERS[suffix] for suffix in (".csv", ".tsv", ".jsonl")}
SUFFIXES = tuple(_READERS)
"""Suffixes that :func:`read_table` reads, in lower case."""


def _reader(path: Path) -> Callable[[Path, str], Iterator[Row]]:
    packed = path.suffix.lower() == _PACKED
    reader = _READERS.get("".join(path.suffixes[-2:] if packed else path.suffixes[-1:]).lower())
    if reader is None:
        raise DataError(f"{path}: the suffix {path.suffix!r} is none of {' '.join(SUFFIXES)}; save it as one of these")
    return reader


def _rows(path: Path, numbered: _Numbered) -> Iterator[Row]:
    filled = ((line, cells) for line, cells in numbered if any(cell not in (None, "") for cell in cells))
    first, header = next(filled, (0, ()))
    names = _column_names(path, header)
    yield _header(first, filter(None, names))
    for line, cells in filled:
        if any(_cell(cell) for cell in cells[len(names) :]):
            raise DataError(
                f"{path}, line {line}: {len(cells)} cells but {len(names)} columns; quote or remove the extra"
            )
        padded = [*cells, *[""] * (len(names) - len(cells))]
        yield Row(line, {name: _cell(cell) for name, cell in zip(names, padded, strict=False) if name})


def _column_names(path: Path, header: Sequence[object]) -> list[str]:
    names = [_cell(cell).strip() for cell in header]
    if not any(names):
        raise DataError(f"{path} is empty; its first line must name the columns")
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"{path} has two columns {twice!r}; rename or remove one")
    return names


def _cell(value: object) -> str:
    """Return a cell as text: 1.0 as a sheet shows it, nothing for a missing value."""
    if isinstance(value, str):
        text = value
    elif value is None:
        text = ""
    elif isinstance(value, float) and value.is_integer():
        text = str(int(value))
    elif isinstance(value, bytes):
        text = value.decode("utf-8", "replace")
    elif isinstance(value, dict | list):
        text = json.dumps(value, ensure_ascii=False)
    else:
        text = str(value)
    return "" if text.strip().lower() in _MISSING else _without_lone_surrogates(text)


def _without_lone_surrogates(text: str) -> str:
    # A lone surrogate cannot be written to any file again.
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _csv_cells(path: Path, encoding: str) -> _Numbered:
    # The limit is there for programs that do not trust their input's size; one cell of 10 MB is legal here.
    csv.field_size_limit(2**31 - 1)
    # Strict, because a quote that is never closed would swallow the rest of the file in silence.
    reader = csv.reader(_lines(path, encoding), strict=True)
    start = 1
    try:
        for cells in reader:
            yield start, cells
            start = reader.line_num + 1
    except csv.Error as error:
        hint = "quote cells that hold quotes or line breaks, and double the quotes in them"
        raise DataError(f"{path}, line {start}: not valid CSV ({error}); {hint}") from error


def _json_object(path: Path, number: int, line: str) -> dict[str, object]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}, line {number}: not valid JSON ({error}); write one object a line") from error
    if not isinstance(value, dict):
        raise DataError(f"{path}, line {number}: a JSON {type(value).__name__}, not an object; write one object a line")
    return value


def _xlsx_cells(path: Path) -> _Numbered:
    try:
        import openpyxl
    except ImportError as error:
        raise ConfigError(f"{path}: reading Excel files needs openpyxl; run: pip install openpyxl") from error
    with warnings.catch_warnings():
        # About styles and other extensions, which hold no data.
        warnings.simplefilter("ignore")
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    try:
        sheet = book.worksheets[0]
        # Some programs write a wrong size into the sheet; without it, all rows are read.
        sheet.reset_dimensions()
        yield from enumerate(sheet.iter_rows(values_only=True), 1)
    finally:
        book.close()


def _parquet_cells(path: Path) -> _Numbered:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise ConfigError(f"{path}: reading Parquet files needs pyarrow; run: pip install pyarrow") from error
    with parquet.ParquetFile(path) as file:
        yield 1, file.schema_arrow.names
        columns = ([values.to_pylist() for values in batch.columns] for batch in file.iter_batches())
        yield from enumerate((cells for batch in columns for cells in zip(*batch, strict=True)), 2)


def _guard(path: Path, kind: str, cells: _Numbered) -> _Numbered:
    try:
        yield from cells
    except (GMError, OSError):
        raise
    except Exception as error:  # what a parser raises on a damaged file is not documented
        raise DataError(f"{path} is not {kind} ({type(error).__name__}: {error}); save it again") from error


def _lines(path: Path, encoding: str) -> Iterator[str]:
    """Yield the lines of a text file, split at line feeds only, their ends kept."""
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
    return gzip.open(path) if path.suffix.lower() == _PACKED else path.open("rb")


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
            except UnicodeDecodeError:
                break
    return line
