"""Whether a file holds answers of ``gm-classify``: new answers replace no other file."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Collection
from itertools import chain
from pathlib import Path

from runtime.errors import ConfigError
from runtime.files import check_folder
from runtime.prediction import FIELDS, Reason
from runtime.streams import is_stdout
from runtime.tables.output import OWN_NAME
from runtime.tables.sheets import open_sheets

_LONGEST_LINE = 1 << 20
_REASONS = "|".join(reason.value for reason in Reason)
_LINE_FOR_PEOPLE = re.compile(rf".* +\d+\.\d%  (?:accepted|rejected) \((?:{_REASONS})\) ")


def check_out(path: Path) -> None:
    """Refuse to write answers into a folder that does not exist, or in place of a file that holds something else.

    Raises:
        ConfigError: ``path`` is such a file.
    """
    check_folder("--out", path)
    if not is_replaceable(path):
        raise ConfigError(
            f"--out {path}: the file is there, and holds no answers of gm-classify; name a new one, or remove it"
        )


def is_replaceable(path: Path) -> bool:
    """Return whether nothing gets lost where answers are written to ``path``; its header or first line decides."""
    # Devices, pipes and a file behind stdout are written to directly. A name that is too long names no file here, where
    # a Path would raise; whoever writes there reports it.
    if not os.path.isfile(path) or is_stdout(path) or not path.stat().st_size:
        return True
    try:
        names = _sheet_header(path) if path.suffix.lower() == ".xlsx" else _first_names(path)
    except ConfigError:
        raise
    except Exception:  # what a parser raises on a file of another kind is not documented
        return False
    return {name.removeprefix(OWN_NAME) for name in names}.issuperset(FIELDS)


def _sheet_header(path: Path) -> Collection[str]:
    with open_sheets(path) as sheets:
        _, cells = next(sheets[0].rows())
        return [str(cell) for cell in cells]


def _first_names(path: Path) -> Collection[str]:
    """Return the names of the columns, or the keys of the first object, of a text file in any format of answers."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        first = stream.readline(_LONGEST_LINE)
        if first.startswith("{"):
            return list(json.loads(first))
        if _LINE_FOR_PEOPLE.match(first):
            return FIELDS
        if path.suffix.lower() == ".tsv":
            return first.rstrip("\r\n").split("\t")
        # The name of a column may hold the end of a line.
        return next(csv.reader(chain([first], stream), strict=True))
