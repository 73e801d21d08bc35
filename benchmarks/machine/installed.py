"""How much disk a contender needs: the files of its distributions and of all that these require."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

OURS = "gm-edge"
_PACKAGES = ("runtime", "distill", "export")
ROOT = Path(__file__).resolve().parents[2]


def closure(requirements: Iterable[str]) -> dict[str, Distribution]:
    """Return the installed distributions that ``requirements`` bring, dependencies of dependencies included.

    Extras in brackets count. A requirement that is not installed is left out: pip would not have left it
    out, so a size from an incomplete environment is a lower bound.
    """
    found: dict[str, Distribution] = {}
    pending = [Requirement(text) for text in requirements]
    seen: set[tuple[str, str]] = set()
    while pending:
        wanted = pending.pop()
        for extra in ("", *wanted.extras):
            key = (canonicalize_name(wanted.name), extra)
            if key in seen:
                continue
            seen.add(key)
            held = _find(key[0])
            if held is not None:
                found[key[0]] = held
                pending += _required(held, extra)
    return found


def installed_bytes(requirements: Iterable[str]) -> int:
    """Return the bytes of all files of the closure of ``requirements``, as pip installed them here."""
    return sum(_size(name, held) for name, held in closure(requirements).items())


def _find(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def _required(held: Distribution, extra: str) -> list[Requirement]:
    requirements = [Requirement(text) for text in held.requires or ()]
    return [r for r in requirements if r.marker is None or r.marker.evaluate({"extra": extra})]


def _size(name: str, held: Distribution) -> int:
    if name == OURS:
        # An editable installation lists a pointer only; a wheel would hold these packages.
        return sum(_folder_size(ROOT / package) for package in _PACKAGES)
    paths = (Path(str(file.locate())) for file in held.files or ())
    return sum(path.stat().st_size for path in paths if path.is_file())


def _folder_size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
