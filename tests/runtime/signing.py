"""Keys of the tests, and bundles that are signed with them."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from runtime.bundles.manifest import MANIFEST, SIGNATURE
from runtime.bundles.signature import CONTEXT
from tests.runtime.small_bundles import pack

KEY = Ed25519PrivateKey.from_private_bytes(b"the key of these tests, 32 bytes")
PUBLIC = KEY.public_key().public_bytes_raw()
OTHER = Ed25519PrivateKey.from_private_bytes(b"somebody else's key of 32 bytes.")


def sign(bundle: Path, key: Ed25519PrivateKey = KEY) -> Path:
    """Sign the folder and return it."""
    (bundle / SIGNATURE).write_bytes(key.sign(CONTEXT + (bundle / MANIFEST).read_bytes()))
    return bundle


def in_form(form: str, bundle: Path) -> Path:
    """Return the bundle as a folder or as one file, ``gmb``."""
    return bundle if form == "folder" else pack(bundle, bundle.with_suffix(".gmb"))
