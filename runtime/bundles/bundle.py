"""Opening a bundle: nothing in it is parsed before all of it is what the manifest says."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from runtime.bundles.digest import PIECE, sha256, sha256_of
from runtime.bundles.manifest import MANIFEST, SIGNATURE, UNLISTED, FileEntry, Manifest
from runtime.bundles.signature import SIGNATURE_BYTES, check_signature
from runtime.bundles.storage import Storage, open_storage
from runtime.errors import BundleError, IntegrityError, SignatureError, VersionError
from runtime.tokenizer import CharTokenizer

_MANIFEST_LIMIT = 4 << 20


@dataclass(frozen=True, slots=True)
class BundleInfo:
    """Which bundle serves.

    Attributes:
        path: absolute path from which it was loaded; another bundle may stand there by now.
        name: its name in the manifest.
        created: time of export, ISO 8601 in UTC.
        sha256: of the manifest, which holds that of every file: two bundles with the same are the same.
        metrics: of the exported model, as ``gm-export`` measured them.
        text_column: of the training data, see :class:`runtime.bundles.manifest.Manifest`; empty: unknown.
    """

    path: Path
    name: str
    created: str
    sha256: str
    metrics: Mapping[str, Any] = field(repr=False)
    text_column: str = ""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose files were all checked against its manifest.

    Attributes:
        path: absolute path of the folder or ``.gmb`` file.
        manifest: what the bundle says about itself.
        manifest_bytes: the same as it is in the file, which is what a signature signs.
    """

    path: Path
    manifest: Manifest
    manifest_bytes: bytes = field(repr=False)

    @classmethod
    def open(cls, path: str | os.PathLike[str], public_key: bytes | None = None) -> Bundle:
        """Check signature, format version, names, sizes and SHA-256 of a bundle's files, in this order.

        Args:
            path: bundle folder or ``.gmb`` file.
            public_key: 32 bytes; only a bundle that its owner signed is opened. None: the signature is not read.

        Raises:
            BundleError: ``path`` is no bundle, or its manifest is not valid.
            SignatureError: it is not signed, or not by this key; nothing of it has been parsed.
            VersionError: a newer release wrote it.
            IntegrityError: a file is missing, unlisted, or not as the manifest says.
            ConfigError: a key is given, but the package that checks signatures is missing.
        """
        absolute = Path(os.path.abspath(path))
        with open_storage(absolute) as storage:
            sizes = storage.sizes()
            content = _read_manifest(absolute, storage, sizes)
            if public_key is not None:
                check_signature(public_key, content, _read_signature(absolute, storage, sizes), str(absolute))
            manifest = Manifest.from_json(content, f"{absolute}, {MANIFEST}")
            _check_names(absolute, set(sizes) - UNLISTED, set(manifest.files))
            for name, entry in manifest.files.items():
                _check_file(absolute, storage, name, entry, sizes[name])
        return cls(absolute, manifest, content)

    @property
    def info(self) -> BundleInfo:
        """Which bundle it is."""
        manifest = self.manifest
        sha256 = sha256_of(self.manifest_bytes)
        metrics = MappingProxyType(dict(manifest.metrics))
        return BundleInfo(self.path, manifest.name, manifest.created, sha256, metrics, manifest.text_column)

    def read(self, name: str) -> bytes:
        """Return the content of a file that the manifest lists, checked once more.

        The second check is what closes the gap between opening a bundle and using it.

        Raises:
            BundleError: the manifest does not list ``name``, or the bundle is gone.
            IntegrityError: the file has changed since the bundle was opened.
        """
        entry = self.manifest.files.get(name)
        if entry is None:
            raise BundleError(f"{self.path} has no file {name}; export the bundle again")
        with open_storage(self.path) as storage:
            size = storage.sizes().get(name)
            if size != entry.size:
                raise _damaged(self.path, name, "has changed")
            with storage.open(name) as stream:
                content = stream.read(entry.size)
        if sha256_of(content) != entry.sha256:
            raise _damaged(self.path, name, "has changed")
        return content

    def tokenizer(self) -> CharTokenizer:
        """Return the tokeniser of the bundle.

        Raises:
            VersionError: this release does not know its kind.
            BundleError: its file is not valid, or does not fit the manifest.
        """
        entry = self.manifest.tokenizer
        where = f"{self.path}, {entry.file}"
        if entry.kind != CharTokenizer.kind:
            raise VersionError(f"{where}: tokeniser kind {entry.kind!r} is newer than this release; upgrade gm-edge")
        tokenizer = CharTokenizer.from_bytes(self.read(entry.file), where)
        if tokenizer.max_len != self.manifest.max_len:
            raise BundleError(
                f"{where}: max_len {tokenizer.max_len} is not the manifest's {self.manifest.max_len}; export again"
            )
        return tokenizer


def _read_manifest(path: Path, storage: Storage, sizes: dict[str, int]) -> bytes:
    size = sizes.get(MANIFEST)
    if size is None:
        raise BundleError(f"{path} is not a bundle: it has no {MANIFEST}; name what gm-export wrote")
    if size > _MANIFEST_LIMIT:
        raise BundleError(f"{path}: {MANIFEST} has {size} bytes, more than the {_MANIFEST_LIMIT} allowed; export again")
    with storage.open(MANIFEST) as stream:
        return stream.read(_MANIFEST_LIMIT)


def _read_signature(path: Path, storage: Storage, sizes: dict[str, int]) -> bytes:
    if SIGNATURE not in sizes:
        raise SignatureError(f"{path} is not signed, but a public key is given; have it signed with: gm-export sign")
    if sizes[SIGNATURE] != SIGNATURE_BYTES:
        raise SignatureError(
            f"{path}: {SIGNATURE} has {sizes[SIGNATURE]} bytes instead of {SIGNATURE_BYTES}; do not use the bundle"
        )
    with storage.open(SIGNATURE) as stream:
        return stream.read(SIGNATURE_BYTES)


def _check_names(path: Path, present: set[str], listed: set[str]) -> None:
    for name in sorted(listed - present):
        raise _damaged(path, name, "is missing")
    for name in sorted(present - listed):
        raise IntegrityError(f"{path}: {name!r:.80} is not listed in the manifest; remove it from the bundle")


def _check_file(path: Path, storage: Storage, name: str, entry: FileEntry, size: int) -> None:
    if size != entry.size:
        raise _damaged(path, name, f"has {size} bytes instead of {entry.size}")
    digest = sha256()
    with storage.open(name) as stream:
        # Not to the end, which a file that grows meanwhile may never have.
        for start in range(0, size, PIECE):
            digest.update(stream.read(min(PIECE, size - start)))
    if digest.hexdigest() != entry.sha256:
        raise _damaged(path, name, "has another SHA-256 than the manifest says")


def _damaged(path: Path, name: str, how: str) -> IntegrityError:
    return IntegrityError(f"{path}: {name} {how}; copy or export the bundle again")
