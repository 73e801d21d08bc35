"""Signing bundles: a pair of Ed25519 keys, and the signature over a manifest.

The private key stays with who exports; the public key goes to the devices, by another way than the bundles.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from export.bundle import write_bundle
from runtime.bundles.bundle import Bundle
from runtime.bundles.manifest import MANIFEST, SIGNATURE
from runtime.bundles.place import check_outside_bundles
from runtime.bundles.signature import CONTEXT
from runtime.errors import ConfigError
from runtime.extras import needs_extra
from runtime.files import atomic_path, write_bytes

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_PURPOSE = "signing"
_OWNER_ONLY = 0o600


def write_keys(private: Path) -> Path:
    """Make a pair of keys: the private one at ``private``, readable by its owner alone, the public one beside it.

    Returns:
        The path of the public key, which ends in ``.pub``.

    Raises:
        ConfigError: there is a key already, ``private`` lies in a bundle, or the package cryptography is missing.
        DataError: the file system refuses.
    """
    with needs_extra(_PURPOSE, "sign"):
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    # Nor is a private key to lie in a folder that is copied to the devices.
    check_outside_bundles("KEY", private)
    public = private.with_name(f"{private.name}.pub")
    for path in (private, public):
        if path.exists():
            raise ConfigError(f"{path} exists, and bundles may be signed with it; name another file, or remove it")
    key = Ed25519PrivateKey.generate()
    pem = serialization.Encoding.PEM
    _write_secret(private, key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    write_bytes(public, key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo))
    return public


def read_private_key(path: Path) -> Ed25519PrivateKey:
    """Return the key that :func:`write_keys` wrote.

    Raises:
        ConfigError: it cannot be read, it is no Ed25519 private key, or the package cryptography is missing.
    """
    with needs_extra(_PURPOSE, "sign"):
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise ConfigError(
            f"cannot read private key {path}: {error.strerror}; make one with: gm-export keygen"
        ) from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:  # TypeError: it wants a password
        raise ConfigError(f"{path} is no private key without password; make one with: gm-export keygen") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{path} is no Ed25519 key; make one with: gm-export keygen")
    return key


def signed(files: Mapping[str, bytes], key: Ed25519PrivateKey) -> dict[str, bytes]:
    """Return the files of a bundle with a signature of :data:`~runtime.bundles.signature.CONTEXT` and its manifest."""
    return {**files, SIGNATURE: key.sign(CONTEXT + files[MANIFEST])}


def sign_bundle(path: Path, key: Ed25519PrivateKey) -> None:
    """Sign a bundle that is whole; a signature that it has is replaced. The bundle can be opened meanwhile.

    Of a link, the bundle that it leads to is signed, and the link stays.

    Raises:
        BundleError: it is no bundle, or is damaged.
        DataError: the file system refuses.
    """
    bundle = Bundle.open(path)
    files = signed({MANIFEST: bundle.manifest_bytes}, key)
    place = bundle.path.resolve()
    if place.is_dir():
        _write_signature(place, files[SIGNATURE])
    else:
        write_bundle(place, {name: bundle.read(name) for name in bundle.manifest.files} | files)


def _write_signature(folder: Path, content: bytes) -> None:
    # Made beside the bundle: a file in it that the manifest does not list, were it for a moment, has it refused.
    with atomic_path(folder / SIGNATURE, workplace=folder.parent) as temporary:
        temporary.write_bytes(content)


def _write_secret(target: Path, content: bytes) -> None:
    # Created with the rights that it keeps: at no time can others read it.
    with atomic_path(target) as temporary:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
