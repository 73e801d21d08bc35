"""The cells of a Parquet file, as Python's own values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any

from runtime.errors import ConfigError, DataError


def parquet_rows(path: Path) -> Iterator[tuple[int, Sequence[object]]]:
    """Yield number and cells of each row; the first is the header.

    Times in nanoseconds lose the last three digits, which ``datetime`` does not have.

    Raises:
        ConfigError: pyarrow is not installed.
        DataError: a column has values that Python lacks, as dates after the year 9999.
    """
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise ConfigError(f"{path}: reading Parquet files needs pyarrow; run: pip install pyarrow") from error
    with parquet.ParquetFile(path) as file:
        names = file.schema_arrow.names
        yield 1, names
        batches = (map(_values, repeat(path), names, batch.columns) for batch in file.iter_batches())
        yield from enumerate((cells for columns in batches for cells in zip(*columns, strict=True)), 2)


def _values(path: Path, name: str, column: Any) -> list[object]:  # noqa: ANN401 - pyarrow has no type stubs
    try:
        values: list[object] = _in_microseconds(column).to_pylist()
    except Exception as error:  # what pyarrow raises on a value that Python lacks is not documented
        raise DataError(f"{path}: cannot read the column {name!r} ({error}); save it as text") from error
    return values


def _in_microseconds(column: Any) -> Any:  # noqa: ANN401
    """Return a column as it is, or in microseconds: nanoseconds need pandas, which writes them in its own way."""
    import pyarrow

    kind = column.type
    if getattr(kind, "unit", "") != "ns":
        return column
    if pyarrow.types.is_timestamp(kind):
        return column.cast(pyarrow.timestamp("us", kind.tz), safe=False)
    return column.cast(pyarrow.duration("us") if pyarrow.types.is_duration(kind) else pyarrow.time64("us"), safe=False)
