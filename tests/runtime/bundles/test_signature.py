"""The public key of a classifier: its forms, its life, and what is said when it is none. Attacks: test_attacks.py."""

import pickle
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from runtime import Classifier, ConfigError, SignatureError
from runtime.bundles.manifest import MANIFEST, SIGNATURE
from runtime.bundles.signature import CONTEXT, check_signature, read_public_key
from tests.runtime.processes import run_python
from tests.runtime.small_bundles import TEXTS, write_bundle

# RFC 8032, section 7.1, test 1.
PRIVATE = Ed25519PrivateKey.from_private_bytes(
    bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
)
PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
PEM = PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _sign(bundle: Path) -> Path:
    (bundle / SIGNATURE).write_bytes(PRIVATE.sign(CONTEXT + (bundle / MANIFEST).read_bytes()))
    return bundle


@pytest.fixture
def signed(bundle: Path) -> Path:
    """A signed bundle folder of this test's own."""
    return _sign(bundle)


def test_a_key_may_be_a_path_its_content_or_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "plant.pub").write_bytes(PEM)
    for source in (tmp_path / "plant.pub", str(tmp_path / "plant.pub"), PEM, PUBLIC):
        assert read_public_key(source) == PUBLIC


def _rsa() -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no public key in PEM form"),
        (PUBLIC[:31], "no public key in PEM form"),
        (PEM[:-40], "no public key in PEM form"),
        (PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), "no public key in PEM form"),
        (_rsa(), "is no Ed25519 key"),
    ],
)
def test_what_is_no_key_is_refused_before_the_bundle_is_touched(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "bad.pub").write_bytes(content)
    for source in (content, tmp_path / "bad.pub"):
        with pytest.raises(ConfigError, match=says) as caught:
            Classifier(tmp_path / "no bundle", public_key=source)
        assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match=r"cannot read public key .*none\.pub: No such file"):
        read_public_key(tmp_path / "none.pub")


def test_the_signature_is_of_the_context_and_the_exact_bytes() -> None:
    signature = PRIVATE.sign(b"gm-edge bundle manifest, version 1\0{}")
    check_signature(PUBLIC, b"{}", signature, "bundle")
    for manifest in (b"{} ", b"", b"{}\n"):
        with pytest.raises(SignatureError, match=r"^bundle: its signature is not one of this manifest"):
            check_signature(PUBLIC, manifest, signature, "bundle")


def test_reload_pickle_and_fork_keep_the_key_even_if_its_file_is_gone(signed: Path, tmp_path: Path) -> None:
    (tmp_path / "plant.pub").write_bytes(PEM)
    classifier = Classifier(signed, public_key=tmp_path / "plant.pub")
    (tmp_path / "plant.pub").unlink()
    copy = pickle.loads(pickle.dumps(classifier))
    expected = classifier.classify_many(TEXTS)
    unsigned = write_bundle(tmp_path / "unsigned", seed=1)
    for each in (classifier, copy):
        with pytest.raises(SignatureError):
            each.reload(unsigned)
        assert each.classify_many(TEXTS) == expected
    (signed / SIGNATURE).unlink()
    classifier._after_fork()
    with pytest.raises(SignatureError, match="is not signed"):
        classifier.classify("x")


def test_without_a_key_the_package_is_not_needed(signed: Path) -> None:
    code = f"""
import sys
sys.modules["cryptography"] = None  # as if it were not installed
from runtime import Classifier, ConfigError
print(bool(Classifier({str(signed)!r}).classify("x").label))
try:
    Classifier({str(signed)!r}, public_key={PUBLIC!r})
except ConfigError as error:
    print(error)
"""
    served, refused = run_python(code).stdout.splitlines()
    assert served == "True"
    assert refused == 'checking a signature needs the package cryptography: pip install "gm-edge[sign]"'


def test_the_command_asks_for_the_key(
    signed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from runtime.cli import main

    (tmp_path / "plant.pub").write_bytes(PEM)
    unsigned = write_bundle(tmp_path / "unsigned")
    for bundle, code in ((signed, 0), (unsigned, 4)):
        monkeypatch.setattr(sys, "argv", ["gm-classify", str(bundle), "x", "--public-key", str(tmp_path / "plant.pub")])
        with pytest.raises(SystemExit) as caught:
            main()
        assert caught.value.code == code
    output = capsys.readouterr()
    assert output.out
    assert output.err.startswith(f"gm-classify: {unsigned} is not signed, but a public key is given")
    assert output.err.count("\n") == 1
