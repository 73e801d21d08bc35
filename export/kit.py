"""A folder that installs a bundle and the runtime on a machine without a network."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import distribution, metadata
from itertools import count
from pathlib import Path

from export.bundle import SUFFIX
from export.installed import repack
from export.kit_scripts import POWERSHELL, READ_ME, SHELL
from export.requirements import environment_of, missing
from runtime.backends import usual_backend
from runtime.bundles.bundle import Bundle
from runtime.bundles.manifest import SIGNATURE
from runtime.bundles.place import check_outside_bundles
from runtime.bundles.storage import open_storage
from runtime.errors import ConfigError
from runtime.files import atomic_path, write_text

_DISTRIBUTION, _PACKAGE = "gm-edge", "runtime"
_ROOT = Path(__file__).resolve().parent.parent
_SOURCES = ("distill", "export", "runtime", "pyproject.toml", "README.md", "LICENSE")
_WHEELS = "wheels"
# manylinux names from before they told the version of the C library.
_OLD_MANYLINUX = {5: "manylinux1", 12: "manylinux2010", 17: "manylinux2014"}
_OLDEST_GLIBC = 5


@dataclass(frozen=True, slots=True)
class KitOptions:
    """For which machine a kit is.

    Attributes:
        platform: tag as in the names of wheels, for example ``manylinux_2_28_x86_64`` or ``win_amd64``.
        python: version of its Python, as ``3.11``.
        extras: of this package, ``openvino`` for example.
        wheel: of this package; ``None``: it is built from this checkout, or packed from what is installed.
        find_links: folder to take all other wheels from, instead of a package index.

    Raises:
        ConfigError: ``python`` is no such version.
    """

    platform: str
    python: str
    extras: Sequence[str] = ()
    wheel: Path | None = None
    find_links: Path | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"3\.\d+", self.python):
            raise ConfigError(f"--python must be a version like 3.11, not {self.python!r}")
        known = metadata(_DISTRIBUTION).get_all("Provides-Extra") or []
        # pip only warns, and leaves out what the device was meant to have.
        for extra in self.extras:
            if extra not in known:
                raise ConfigError(f"--extra {extra}: there is none of that name; there are {' '.join(known)}")


def make_kit(bundle: Path, out: Path, options: KitOptions) -> list[str]:
    """Write a kit and return the names of its wheels.

    Raises:
        ConfigError: ``out`` exists or lies in a bundle, or pip cannot get a wheel for that machine.
        BundleError: ``bundle`` is none, or damaged.
        DataError: the file system refuses.
    """
    opened = Bundle.open(bundle)
    check_outside_bundles("--out", out)
    if out.exists():
        raise ConfigError(f"{out} exists; name another folder with --out, or remove it")
    name = "bundle" + SUFFIX * bundle.is_file()
    with atomic_path(out) as kit:
        wheels = kit / _WHEELS
        wheels.mkdir(parents=True)
        download_wheels(wheels, _with_what_the_bundle_needs(options, opened))
        (shutil.copy if bundle.is_file() else shutil.copytree)(bundle, kit / name)
        write_text(kit / "requirements.txt", pinned(wheels))
        places = {"python": options.python, "version": options.python.replace(".", ", "), "bundle": name}
        write_text(kit / "install.sh", SHELL.format(**places))
        write_text(kit / "install.ps1", POWERSHELL.format(**places))
        write_text(kit / "README.txt", READ_ME.format(**places, platform=options.platform))
    return sorted(path.name for path in (out / _WHEELS).iterdir())


def _with_what_the_bundle_needs(options: KitOptions, bundle: Bundle) -> KitOptions:
    extras = set(options.extras)
    with open_storage(bundle.path) as storage:
        if SIGNATURE in storage.sizes():
            extras.add("sign")
    if usual_backend(bundle) == "openvino":
        extras.add("openvino")
    return replace(options, extras=sorted(extras))


def check_kit(kit: Path) -> str:
    """Install a kit into a virtual environment that is removed afterwards; return what its self-test says.

    Raises:
        ConfigError: it cannot be installed on this machine, or its self-test fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        # Whatever a user's pip is configured to, it is not asked.
        environment = {**os.environ, "PIP_CONFIG_FILE": os.devnull, "PYTHON": sys.executable}
        command = ["sh", str(kit / "install.sh"), str(Path(folder) / "venv")]
        done = _run(command, environment)
    if done.returncode != 0:
        raise ConfigError(f"{kit}: does not install here: {_last_line(done.stderr)}; look with: sh {kit}/install.sh")
    return done.stdout.strip().splitlines()[-2]


def download_wheels(folder: Path, options: KitOptions) -> None:
    """Put the wheels of this package and of all it requires into ``folder``.

    Raises:
        ConfigError: one cannot be had for that machine.
    """
    environment = environment_of(options.platform, options.python)
    with tempfile.TemporaryDirectory() as work:
        extras = f"[{','.join(options.extras)}]" if options.extras else ""
        wanted = [f"{options.wheel or _own_wheel(Path(work))}{extras}"]
        # pip asks this machine, not that one, which requirements apply: the others have to be named to it.
        # From the start each time, because a requirement more may ask for another version of what is there.
        for turn in count():
            found = Path(work) / f"wheels{turn}"
            _pip([*_download_arguments(found, options), *wanted], f"{options.platform}, Python {options.python}")
            lacking = missing(found, f"{_DISTRIBUTION}{extras}", environment).difference(wanted)
            if not lacking:
                break
            wanted += sorted(lacking)
        shutil.copytree(found, folder, dirs_exist_ok=True)


def _download_arguments(folder: Path, options: KitOptions) -> list[str]:
    arguments = ["download", "--dest", str(folder), "--only-binary=:all:", "--implementation", "cp"]
    arguments += ["--python-version", options.python]
    arguments += [f"--platform={tag}" for tag in platform_tags(options.platform)]
    if options.find_links:
        arguments += ["--no-index", "--find-links", str(options.find_links)]
    return arguments


def platform_tags(platform: str) -> list[str]:
    """Return the tags of all wheels that run where those of ``platform`` do: pip adds those of macOS only."""
    match = re.fullmatch(r"manylinux_2_(\d+)_(\w+)", platform)
    if not match:
        return [platform]
    tags = []
    for glibc in range(int(match[1]), _OLDEST_GLIBC - 1, -1):
        tags.append(f"manylinux_2_{glibc}_{match[2]}")
        if glibc in _OLD_MANYLINUX:
            tags.append(f"{_OLD_MANYLINUX[glibc]}_{match[2]}")
    return tags


def pinned(wheels: Path) -> str:
    """Return a requirements file that allows exactly the wheels of a folder."""
    lines = []
    for wheel in sorted(wheels.glob("*.whl")):
        name, release = wheel.name.split("-")[:2]
        lines.append(f"{name}=={release} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n")
    return "".join(lines)


def _own_wheel(work: Path) -> Path:
    """Make the wheel of this package in ``work``, from the checkout that it runs in or else from what is installed."""
    if not (_ROOT / "pyproject.toml").is_file():
        return repack(distribution(_DISTRIBUTION), _PACKAGE, work)
    # From a copy: setuptools would take what an earlier build left in the checkout, removed modules included.
    source = work / "source"
    source.mkdir()
    for name in _SOURCES:
        path = _ROOT / name
        (shutil.copy if path.is_file() else shutil.copytree)(path, source / name)
    _pip(["wheel", "--no-deps", "--wheel-dir", str(work), str(source)], "the package itself")
    return next(work.glob("*.whl"))


def _pip(arguments: Sequence[str], what: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    done = _run(command, os.environ)
    if done.returncode != 0:
        raise ConfigError(f"pip cannot get the wheels of {what}: {_last_line(done.stderr)}")


def _run(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    # Python writes to a pipe as PYTHONIOENCODING or the system's language has it, which need not be what is read here.
    utf_8 = {**environment, "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(
        command,
        env=utf_8,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )


def _last_line(output: str) -> str:
    lines = output.strip().splitlines()
    return lines[-1].removeprefix("ERROR: ") if lines else "no message"
