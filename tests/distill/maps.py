"""Whether files were still mapped into memory when they were to be removed: Windows would have left them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

_MAPS = Path("/proc/self/maps")

can_be_told = pytest.mark.skipif(not _MAPS.exists(), reason="this system does not tell which files are mapped")


def watch_removals(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Return a list that says of each removal of a checkpoint, once it comes, whether a file in it was mapped."""
    found, remove = list[bool](), shutil.rmtree

    def watched(path: Path, ignore_errors: bool = False) -> None:
        if path.name == "checkpoint":
            found.append(str(path) in _MAPS.read_text(encoding="utf-8"))
        remove(path, ignore_errors=ignore_errors)

    monkeypatch.setattr("distill.runs.run_folder.shutil.rmtree", watched)
    return found
