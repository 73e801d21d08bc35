"""Which folders are bundles, so that nothing else is put into one, and none is taken for a folder of tables."""

from __future__ import annotations

import os
from collections.abc import Container
from pathlib import Path

from runtime.bundles.manifest import GOLDEN, MANIFEST
from runtime.errors import ConfigError


def is_bundle(names: Container[str]) -> bool:
    """Return whether a folder with files of these ``names`` is a bundle."""
    # By both names: the manifest alone may be another program's.
    return MANIFEST in names and GOLDEN in names


def check_outside_bundles(option: str, path: Path) -> None:
    """Refuse a ``path`` inside a bundle, links followed: with one file more, the bundle is refused when loaded.

    Raises:
        ConfigError: it lies in one; the message begins with ``option``.
    """
    place = Path(os.path.realpath(path))
    for folder in (place, *place.parents):
        if is_bundle({name for name in (MANIFEST, GOLDEN) if (folder / name).is_file()}):
            raise ConfigError(f"{option} {path} lies in the bundle, which would no longer be whole; name another place")
