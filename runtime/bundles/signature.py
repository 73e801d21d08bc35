"""Who wrote a bundle: an Ed25519 signature (RFC 8032) over its manifest, which holds the hashes of all else.

What is signed is :data:`CONTEXT` followed by the exact bytes of ``manifest.json``, so that a signature made
for another purpose with the same key does not pass for that of a bundle. The file ``signature`` is its 64 bytes.
"""

from __future__ import annotations

import os
from pathlib import Path

from runtime.errors import ConfigError, SignatureError
from runtime.extras import needs_extra

CONTEXT = b"gm-edge bundle manifest, version 1\0"
"""What is signed begins with this, then comes the manifest."""
SIGNATURE_BYTES = 64
_KEY_BYTES = 32
# The package takes 50 ms to import: only callers that give a key wait for it.
_PURPOSE = "checking a signature"


def read_public_key(source: str | os.PathLike[str] | bytes) -> bytes:
    """Return the 32 bytes of a public key.

    Args:
        source: path of a PEM file, as ``gm-export keygen`` writes it; or its content; or the 32 bytes themselves.

    Raises:
        ConfigError: it cannot be read, it is no Ed25519 public key, or the package cryptography is missing.
    """
    if isinstance(source, bytes):
        return source if len(source) == _KEY_BYTES else _from_pem(source, "the public key given")
    try:
        content = Path(source).read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read public key {source}: {error.strerror}; name a .pub file") from error
    return _from_pem(content, str(source))


def check_signature(public_key: bytes, manifest: bytes, signature: bytes, where: str) -> None:
    """Check that the owner of a key signed a manifest.

    Args:
        public_key: 32 bytes.
        manifest: content of the file, as it is.
        signature: content of the file.
        where: names the bundle in messages.

    Raises:
        SignatureError: another key signed it, or another manifest was signed.
        ConfigError: the package cryptography is missing.
    """
    with needs_extra(_PURPOSE, "sign"):
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, CONTEXT + manifest)
    except InvalidSignature as error:
        raise SignatureError(
            f"{where}: its signature is not one of this manifest by the given public key; do not use the bundle"
        ) from error


def _from_pem(content: bytes, where: str) -> bytes:
    with needs_extra(_PURPOSE, "sign"):
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
    try:
        key = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{where} is no public key in PEM form; use the .pub file of gm-export keygen") from error
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigError(f"{where} is no Ed25519 key; make one with: gm-export keygen KEY")
    return key.public_bytes_raw()
