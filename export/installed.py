"""A wheel made again of a package that is installed: what pip unpacked, packed.

A kit needs the wheel of this package, and who installed it by ``pip install .`` has none, nor need the checkout still
be there. An index is not asked: the package of this name there, if there is one, may be another's.
"""

from __future__ import annotations

import csv
import hashlib
import io
from base64 import urlsafe_b64encode
from importlib.metadata import Distribution
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from runtime.errors import ConfigError

# Written by the installer about this one installation.
_NOT_OF_THE_WHEEL = {"INSTALLER", "REQUESTED", "RECORD", "direct_url.json"}
_INFO = ".dist-info"


def repack(installed: Distribution, package: str, folder: Path) -> Path:
    """Write the wheel of a distribution without compiled code, and return its path.

    Args:
        installed: the distribution.
        package: one of its packages, which an editable installation does not have.
        folder: to write to.

    Raises:
        ConfigError: its files are not known.
    """
    files = _files_of_the_wheel(installed)
    if f"{package}/__init__.py" not in files:
        name = installed.metadata["Name"]
        raise ConfigError(
            f"the files of {name} are not known here; make its wheel where it came from, and name it: --wheel"
        )
    info = next(name.partition("/")[0] for name in files if _INFO in name)
    files[f"{info}/RECORD"] = _record(files, f"{info}/RECORD")
    wheel = folder / f"{info.removesuffix(_INFO)}-py3-none-any.whl"
    with ZipFile(wheel, "w") as archive:
        for name, content in files.items():
            # A fixed date: the same files are the same wheel.
            archive.writestr(ZipInfo(name), content, ZIP_DEFLATED)
    return wheel


def _files_of_the_wheel(installed: Distribution) -> dict[str, bytes]:
    found = {}
    for path in installed.files or ():
        # What lies outside are scripts, which pip makes anew.
        if ".." in path.parts or path.suffix == ".pyc" or path.name in _NOT_OF_THE_WHEEL:
            continue
        found[path.as_posix()] = Path(str(path.locate())).read_bytes()
    return found


def _record(files: dict[str, bytes], record: str) -> bytes:
    """Return the list of files that a wheel has, by https://packaging.python.org/specifications/recording-installed-packages."""
    lines = io.StringIO()
    rows = csv.writer(lines, lineterminator="\n")
    for name, content in files.items():
        digest = urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode("ascii")
        rows.writerow((name, f"sha256={digest}", len(content)))
    rows.writerow((record, "", ""))
    return lines.getvalue().encode("utf-8")
