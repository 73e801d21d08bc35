"""What wheels require on another machine than this one: pip judges every condition by the machine that it runs on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email import message_from_bytes
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

from runtime.extras import needs_extra

if TYPE_CHECKING:
    from packaging.requirements import Requirement

_LINUX = {"os_name": "posix", "sys_platform": "linux", "platform_system": "Linux"}
_MACOS = {"os_name": "posix", "sys_platform": "darwin", "platform_system": "Darwin"}
_WINDOWS = {"os_name": "nt", "sys_platform": "win32", "platform_system": "Windows"}
_WINDOWS_MACHINES = {"win32": "x86", "win_amd64": "AMD64", "win_arm64": "ARM64"}
_METADATA = re.compile(r"[^/]+\.dist-info/METADATA")
_SYSTEM_VERSION = re.compile(r"[a-z]+\d*(?:_\d+){0,2}_")


def environment_of(platform: str, python: str) -> dict[str, str]:
    """Return what the conditions of requirements are judged by on a machine.

    Of the parts that nobody knows, the patch of Python and the release of the system are the lowest. Conditions
    that depend on them mostly ask for a stand-in on what is older: one too many does no harm.

    Args:
        platform: tag as in the names of wheels.
        python: version of its Python, as ``3.11``.
    """
    system = _WINDOWS if platform.startswith("win") else _MACOS if platform.startswith("macosx") else _LINUX
    return {
        **system,
        "platform_machine": _WINDOWS_MACHINES.get(platform) or _SYSTEM_VERSION.sub("", platform, count=1),
        "platform_release": "0",
        "platform_version": "0",
        "platform_python_implementation": "CPython",
        "implementation_name": "cpython",
        "implementation_version": f"{python}.0",
        "python_full_version": f"{python}.0",
        "python_version": python,
    }


def missing(wheels: Path, root: str, environment: Mapping[str, str]) -> set[str]:
    """Return what a folder of wheels lacks for a requirement, or has in another version, each without its condition.

    Args:
        wheels: the folder, with at most one wheel of each name.
        root: what is to be installed, as ``name[extra]``.
        environment: of the machine, as :func:`environment_of` returns it.

    Raises:
        ConfigError: the package that reads requirements is not installed.
    """
    with needs_extra("a kit", "export"):
        from packaging.requirements import Requirement
        from packaging.utils import canonicalize_name
    held = {canonicalize_name(path.name.partition("-")[0]): path for path in wheels.glob("*.whl")}
    pending, lacking = [Requirement(root)], set()
    seen: set[tuple[str, str]] = set()
    while pending:
        wanted = pending.pop()
        name = canonicalize_name(wanted.name)
        if name not in held or not wanted.specifier.contains(_release(held[name]), prereleases=True):
            wanted.marker = None
            lacking.add(str(wanted))
            continue
        fresh = {(name, extra) for extra in ("", *wanted.extras)} - seen
        seen |= fresh
        for _, extra in fresh:
            conditions = {**environment, "extra": extra}
            pending += [found for found in _requirements(held[name]) if _applies(found, conditions)]
    return lacking


def _release(wheel: Path) -> str:
    return wheel.name.split("-")[1]


def _requirements(wheel: Path) -> list[Requirement]:
    from packaging.requirements import Requirement

    with ZipFile(wheel) as archive:
        # Its folder is not always spelt as the wheel: PyYAML-6.0.dist-info in pyyaml-6.0.
        entry = next(name for name in archive.namelist() if _METADATA.fullmatch(name))
        metadata = message_from_bytes(archive.read(entry))
    return [Requirement(text) for text in metadata.get_all("Requires-Dist", [])]


def _applies(requirement: Requirement, conditions: dict[str, str]) -> bool:
    return requirement.marker is None or requirement.marker.evaluate(conditions)
