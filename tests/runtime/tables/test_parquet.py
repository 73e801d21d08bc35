"""Parquet files: columns of every kind become text, the same whether pandas is installed or not."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from runtime.errors import DataError
from runtime.tables.rows import read_table

MOMENT = 1_704_067_200_123_456_789  # ns


def _texts(path: Path, **columns: object) -> list[dict[str, str]]:
    """Write a file of such columns and return its rows as they are read."""
    parquet.write_table(pyarrow.table(columns), path)
    return [row.values for row in read_table(path)]


def test_rows_are_numbered_across_batches(tmp_path: Path) -> None:
    rows = 2**16 + 2  # one batch is 2**16
    parquet.write_table(pyarrow.table({"text": [str(row) for row in range(rows)]}), tmp_path / "data.parquet")
    read = [(row.line, row.values["text"]) for row in read_table(tmp_path / "data.parquet")]
    assert read == [(row + 2, str(row)) for row in range(rows)]


def test_lists_and_structs_become_json_whatever_they_hold(tmp_path: Path) -> None:
    [row] = _texts(
        tmp_path / "data.parquet",
        days=[[date(2024, 1, 2), None]],
        price=[{"each": Decimal("1.50"), "unit": "桶".encode()}],
        numbers=[[1.0, 2.5]],
    )
    assert row == {
        "days": '["2024-01-02", null]',
        "price": '{"each": "1.50", "unit": "桶"}',
        "numbers": "[1.0, 2.5]",
    }


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (pyarrow.timestamp("ns"), "2024-01-01 00:00:00.123456"),
        (pyarrow.timestamp("ns", "UTC"), "2024-01-01 00:00:00.123456+00:00"),
        (pyarrow.duration("ns"), "19723 days, 0:00:00.123456"),
    ],
)
def test_nanoseconds_are_read_as_microseconds(tmp_path: Path, kind: Any, text: str) -> None:  # noqa: ANN401
    """``datetime`` has no nanoseconds, and what pandas has instead writes itself in another way."""
    assert _texts(tmp_path / "data.parquet", at=pyarrow.array([MOMENT, None], kind), no=["1", "2"]) == [
        {"at": text, "no": "1"},
        {"at": "", "no": "2"},
    ]


def test_a_time_of_day_in_nanoseconds_is_read_too(tmp_path: Path) -> None:
    [row] = _texts(tmp_path / "data.parquet", at=pyarrow.array([1_001], pyarrow.time64("ns")))
    assert row == {"at": "00:00:00.000001"}


def test_a_column_that_python_cannot_hold_is_named(tmp_path: Path) -> None:
    late = pyarrow.array([10**18], pyarrow.timestamp("us"))
    with pytest.raises(DataError, match=r"data\.parquet: cannot read the column 'day' \(.*\); save it as text"):
        _texts(tmp_path / "data.parquet", text=["a"], day=late)
