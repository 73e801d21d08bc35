"""What an audit log holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def records(*files: Path) -> list[dict[str, Any]]:
    """Return the records of ``files``, one file after another."""
    return [json.loads(line) for file in files for line in file.read_bytes().splitlines()]
