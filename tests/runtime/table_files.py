"""Tables in files, and what reading them gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.errors import DataError
from runtime.tables.rows import Row, read_table

CSV = 'text,label\n片碱 99%,无机\n"甲苯, 工业级",溶剂\n'
TITLED: list[list[object]] = [["某化工厂 物料台账", None], [None, None], ["品名", "规格"], ["硫酸", "98%"]]


def write(path: Path, content: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(content.encode(encoding))
    return path


def row(line: int, values: dict[str, str]) -> Row:
    return Row(line, values, values)


def values(path: Path, encoding: str = "") -> list[dict[str, str]]:
    return [row.values for row in read_table(path, encoding)]


def failure(path: Path, encoding: str = "") -> str:
    """Return the message of the DataError that reading ends with: one line that names the file."""
    with pytest.raises(DataError) as caught:
        list(read_table(path, encoding))
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message
