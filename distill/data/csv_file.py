"""CSV files for people, who open them in a spreadsheet."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from runtime.streams import TABLE_ENCODING, open_output


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write ``rows`` under ``columns``, so that Excel shows Chinese too; the file appears once it is complete.

    Raises:
        DataError: the file system refuses (disk full, no permission).
    """
    with open_output(path, TABLE_ENCODING) as stream:
        # Rows end in \r\n, as RFC 4180 says: csv quotes what holds a part of a row's end, and either may be in a text.
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows(rows)
