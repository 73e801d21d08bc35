"""CSV files for people: as Excel wants them, and read again as they were written."""

from __future__ import annotations

from pathlib import Path

import pytest

from distill.data.csv_file import write_csv
from runtime.errors import DataError
from runtime.tables.rows import read_table


def test_excel_sees_that_it_is_utf_8(tmp_path: Path) -> None:
    write_csv(tmp_path / "new" / "rows.csv", ["品名", "score"], [["盐酸", 0.5]])
    assert (tmp_path / "new" / "rows.csv").read_bytes() == "\ufeff品名,score\r\n盐酸,0.5\r\n".encode()


@pytest.mark.parametrize("text", ['a,b "c"', "two\nlines", "two\r\nlines", "an odd\rend", " blanks ", "a\u2028b"])
def test_every_text_comes_back(tmp_path: Path, text: str) -> None:
    write_csv(tmp_path / "rows.csv", ["text", "label"], [[text, "x"], ["next", "y"]])
    assert [row.values["text"] for row in read_table(tmp_path / "rows.csv")] == [text, "next"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"cannot write .*rows\.csv"):
        write_csv(tmp_path / "file" / "rows.csv", ["text"], [])
