"""Assembling a bundle: golden texts, manifest with hashes, and one atomic step that publishes it."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from itertools import count, cycle, islice, product
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from export.parity import LabelledTexts
from runtime.bundles.bundle import Bundle
from runtime.bundles.manifest import MANIFEST, UNLISTED, FileEntry, Manifest
from runtime.bundles.place import check_outside_bundles
from runtime.bundles.storage import open_storage
from runtime.errors import BundleError, ConfigError, DataError
from runtime.files import atomic_path
from runtime.text import normalise

SUFFIX = ".gmb"
"""A new bundle whose path ends so, in capitals or not, is a single file."""
# File browsers leave these behind in folders that somebody only looked at: they hold nothing of a user's.
_LEFT_BEHIND = {".DS_Store", "Thumbs.db", "desktop.ini"}
# Half as many again as a bundle must have: those on which its models differ are left out.
_GOLDEN_TEXTS = 96


def check_target(target: Path) -> Path:
    """Refuse to replace what is not a bundle, or a bundle into which somebody has put files of their own.

    Returns:
        Where ``target`` leads to, links followed: what is replaced is the bundle, not the link to it.

    Raises:
        ConfigError: ``target`` is such a folder or file, or lies in a bundle, or the system cannot replace it as a
            whole.
    """
    place = Path(os.path.realpath(target))
    _check_replaceable(target, place)
    if place.exists() and not _is_empty_folder(place):
        _check_own(target, place)
    else:
        check_outside_bundles("--out", target)
    return place


def _check_replaceable(target: Path, place: Path) -> None:
    advice = "which cannot be replaced as a whole; name a folder in it with --out"
    if place.is_dir() and Path.cwd().is_relative_to(place):
        # It could be done, but the terminal would be left in a folder that is no more.
        raise ConfigError(f"{target} is the folder that you are in, or holds it, {advice}")
    if os.path.ismount(place):
        raise ConfigError(f"{target} is a file system of its own, {advice}")


def _check_own(target: Path, place: Path) -> None:
    advice = "name another place with --out, or"
    try:
        foreign = _unlisted(place)
    except BundleError as error:
        raise ConfigError(f"{target} exists and is not a bundle that this release reads; {advice} remove it") from error
    if foreign:
        raise ConfigError(f"{target} holds {min(foreign)!r:.80} beside its bundle; {advice} move that away")


def write_bundle(target: Path, files: Mapping[str, bytes]) -> None:
    """Write ``files``, by path in the bundle, as a folder or as one file; all of it or nothing.

    A bundle that is replaced stays a folder or a file; a new one is a file if ``target`` ends in ``.gmb``.

    Raises:
        ConfigError: something else is there.
        DataError: the file system refuses, or the bundle would be refused where it is loaded.
    """
    place = check_target(target)
    single = place.is_file() or (not place.exists() and place.suffix.lower() == SUFFIX)
    with atomic_path(place) as temporary:
        (_write_archive if single else _write_folder)(temporary, files)
        _check_written(temporary, target)


def read_outline(path: Path) -> tuple[set[str], Manifest]:
    """Return the names of all files of a bundle, and its manifest; its files are not checked.

    Raises:
        BundleError: it is not a bundle.
    """
    with open_storage(path) as storage:
        names = set(storage.sizes())
        if MANIFEST not in names:
            raise BundleError(f"{path} has no {MANIFEST}; name what gm-export wrote")
        with storage.open(MANIFEST) as stream:
            return names, Manifest.from_json(stream.read(), f"{path}, {MANIFEST}")


def file_entries(files: Mapping[str, bytes]) -> dict[str, FileEntry]:
    """Return SHA-256 and size of each file, in the order of their names."""
    return {name: FileEntry(hashlib.sha256(files[name]).hexdigest(), len(files[name])) for name in sorted(files)}


def with_manifest(files: Mapping[str, bytes], manifest: Manifest) -> dict[str, bytes]:
    """Return ``files`` and the manifest that lists them."""
    return {**files, MANIFEST: manifest.to_json().encode("utf-8")}


def golden_texts(*sets: LabelledTexts, max_len: int) -> list[str]:
    """Choose texts to replay on the device: every class, all lengths, and one longer than ``max_len``.

    At least 96 different ones; where ``sets`` hold fewer, texts of them are joined.

    Args:
        sets: labelled texts, none of them blank.
        max_len: longest text in characters that the model sees whole.
    """
    pairs = [pair for data in sets for pair in zip(data.labels.tolist(), data.texts, strict=True)]
    texts = sorted({text for _, text in pairs}, key=lambda text: (len(text), text))
    classes = dict(reversed(pairs))
    spread = texts[:: max(1, len(texts) // _GOLDEN_TEXTS)]
    chosen = dict.fromkeys([*classes.values(), *spread, texts[-1], _too_long(texts, max_len)])
    joined = (" ".join(parts) for size in count(2) for parts in product(texts, repeat=size))
    missing = max(0, _GOLDEN_TEXTS - len(chosen))
    chosen.update(dict.fromkeys(islice((text for text in joined if text not in chosen), missing)))
    return list(chosen)


def golden_lines(texts: Sequence[str], logits: npt.NDArray[np.float32], names: Sequence[str]) -> bytes:
    """Return ``golden.jsonl``: each text with the label and logits ``[n, C]`` that this machine gets."""
    rows = (
        {"text": text, "label": names[row.argmax()], "logits": [float(value) for value in row]}
        for text, row in zip(texts, logits, strict=True)
    )
    return "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows).encode("utf-8")


def _too_long(texts: Sequence[str], max_len: int) -> str:
    longest = texts[-1]
    for text in cycle(reversed(texts)):
        if len(normalise(longest)) > max_len:
            break
        longest = f"{longest} {text}"
    return longest


def _unlisted(path: Path) -> set[str]:
    names, manifest = read_outline(path)
    return {name for name in names - UNLISTED - set(manifest.files) if PurePosixPath(name).name not in _LEFT_BEHIND}


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def _check_written(written: Path, target: Path) -> None:
    # As a device opens it: what that refuses must not take the place of a bundle in service.
    try:
        Bundle.open(written)
    except BundleError as error:
        what = str(error).replace(str(written), str(target)).partition(";")[0]
        raise DataError(f"{what}; no device would load that: nothing was written, export with other options") from error


def _write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    folder.mkdir()
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _write_archive(path: Path, files: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            # A fixed date: the same bundle is the same file.
            archive.writestr(zipfile.ZipInfo(name), content)
