"""Keys of a recipe that name files or folders: their types, and one way to write what they name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic.fields import FieldInfo


class _OnDisk:
    """Marks keys that name files or folders; an empty name is none."""


FileName = Annotated[str, _OnDisk()]
FileNames = Annotated[tuple[str, ...], _OnDisk()]


def names_files(field: FieldInfo) -> bool:
    """Return whether a key is a :data:`FileName` or :data:`FileNames`."""
    return any(isinstance(mark, _OnDisk) for mark in field.metadata)


def absolute_names(folder: Path, names: str | tuple[str, ...]) -> str | tuple[str, ...]:
    """Return the value of such a key with absolute paths; relative ones start from ``folder``."""
    if isinstance(names, str):
        return str(_absolute(folder / names)) if names else ""
    return tuple(str(_absolute(folder / name)) for name in names)


def _absolute(path: Path) -> Path:
    """Return a path in one spelling, so that recipes can be compared; links keep their names.

    Links are followed only before a ``..``: the folder above a link is not the folder above its target.
    """
    path = path.absolute()
    if ".." not in path.parts:
        return path
    after = len(path.parts) - path.parts[::-1].index("..")
    return Path(*path.parts[:after]).resolve().joinpath(*path.parts[after:])
