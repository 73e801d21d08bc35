"""Keys, signatures, and the commands that make them; the runtime's own check is the judge."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from export.cli import main
from export.options import Options
from export.pipeline import export_run
from export.signing import read_private_key, sign_bundle, write_keys
from runtime import Classifier, ConfigError, IntegrityError, SignatureError
from runtime.bundles.bundle import Bundle
from runtime.bundles.signature import read_public_key
from tests.runtime.small_bundles import TEXTS, pack, write_bundle


def _call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["gm-export", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        main()
    return caught.value.code


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """A private key; the public one lies beside it."""
    write_keys(tmp_path / "plant.key")
    return tmp_path / "plant.key"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle folder of this test's own."""
    return write_bundle(tmp_path / "bundle")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_only_its_owner_can_read_the_private_key_even_under_a_loose_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        public = write_keys(tmp_path / "plant.key")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "plant.key").stat().st_mode) == 0o600
    assert sorted(os.listdir(tmp_path)) == ["plant.key", "plant.key.pub"]
    assert public.read_text().startswith("-----BEGIN PUBLIC KEY-----")


def test_no_two_keys_are_alike(tmp_path: Path) -> None:
    assert read_public_key(write_keys(tmp_path / "one")) != read_public_key(write_keys(tmp_path / "two"))


@pytest.mark.parametrize("lost", ["plant.key", "plant.key.pub"])
def test_a_key_is_never_overwritten(tmp_path: Path, key: Path, lost: str) -> None:
    (tmp_path / lost).unlink()
    kept = next(path for path in tmp_path.iterdir() if path.name.startswith("plant"))
    content = kept.read_bytes()
    with pytest.raises(ConfigError, match=f"{kept.name} exists"):
        write_keys(key)
    assert kept.read_bytes() == content
    assert not (tmp_path / lost).exists()


def test_no_key_is_put_into_a_bundle(tmp_path: Path, bundle: Path) -> None:
    for private in (bundle / "plant.key", bundle / "keys" / "plant.key"):
        with pytest.raises(ConfigError, match=r"^KEY .*plant\.key lies in the bundle, which would no longer be whole"):
            write_keys(private)
    assert Bundle.open(bundle).manifest.name == "test"
    (tmp_path / "manifest.json").touch()  # of another program
    assert write_keys(tmp_path / "plant.key").is_file()


@pytest.mark.parametrize("form", ["folder", "bundle.gmb", "BUNDLE.GMB", "bundle.zip"])
def test_a_signed_bundle_is_served_to_who_has_the_key(tmp_path: Path, bundle: Path, key: Path, form: str) -> None:
    path = bundle if form == "folder" else pack(bundle, tmp_path / form)
    before = Bundle.open(path)
    sign_bundle(path, read_private_key(key))
    after = Bundle.open(path, read_public_key(f"{key}.pub"))
    assert after == before
    assert Classifier(path, public_key=f"{key}.pub").classify(TEXTS[0]).label


@pytest.mark.skipif(sys.platform == "win32", reason="Windows lets few users make links")
@pytest.mark.parametrize("form", ["folder", "v1.gmb"])
def test_what_a_link_leads_to_is_signed_and_the_link_stays(tmp_path: Path, bundle: Path, key: Path, form: str) -> None:
    path, link = bundle if form == "folder" else pack(bundle, tmp_path / form), tmp_path / "current"
    link.symlink_to(path.name)
    sign_bundle(link, read_private_key(key))
    assert os.readlink(link) == path.name
    assert Bundle.open(path, read_public_key(f"{key}.pub")).manifest.name == "test"


def test_signing_again_with_another_key_replaces_the_signature(tmp_path: Path, bundle: Path, key: Path) -> None:
    other = write_keys(tmp_path / "other.key")
    sign_bundle(bundle, read_private_key(key))
    sign_bundle(bundle, read_private_key(tmp_path / "other.key"))
    assert Bundle.open(bundle, read_public_key(other)).manifest.name == "test"
    with pytest.raises(SignatureError):
        Bundle.open(bundle, read_public_key(f"{key}.pub"))


@pytest.mark.parametrize("name", ["bundle", "."])
def test_a_bundle_can_be_opened_while_it_is_signed(
    bundle: Path, key: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    # What a process that is killed at this point would leave is what is opened here.
    monkeypatch.setattr(os, "fsync", lambda _descriptor: opened.append(Bundle.open(bundle)))
    monkeypatch.chdir(bundle if name == "." else bundle.parent)
    sign_bundle(Path(name), read_private_key(key))
    assert len(opened) == 1
    assert (bundle / "signature").stat().st_size == 64
    assert {path.name for path in bundle.parent.iterdir()} == {"bundle", "plant.key", "plant.key.pub"}


def test_a_damaged_bundle_is_not_signed(bundle: Path, key: Path) -> None:
    (bundle / "model.onnx").write_bytes(b"planted")
    with pytest.raises(IntegrityError):
        sign_bundle(bundle, read_private_key(key))
    assert not (bundle / "signature").exists()


def test_an_export_signs_what_it_writes(run_folder: Path, tmp_path: Path, key: Path) -> None:
    exported = export_run(run_folder, tmp_path / "bundle.gmb", Options(int8=False, sign=key))
    manifest = Bundle.open(exported.path, read_public_key(f"{key}.pub")).manifest
    assert manifest.files == exported.manifest.files


def test_a_bad_key_is_found_before_the_long_work(run_folder: Path, tmp_path: Path) -> None:
    told: list[str] = []
    with pytest.raises(ConfigError, match="cannot read private key"):
        export_run(run_folder, tmp_path / "bundle", Options(int8=True, sign=tmp_path / "none.key"), told.append)
    assert told == []


def _rsa() -> bytes:
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _encrypted() -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is no private key"),
        (b"x" * 32, "is no private key"),
        (_rsa(), "is no Ed25519"),
        (_encrypted(), "without"),
    ],
)
def test_what_is_no_private_key_is_refused_in_one_line(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "bad.key").write_bytes(content)
    with pytest.raises(ConfigError, match=says) as caught:
        read_private_key(tmp_path / "bad.key")
    assert "\n" not in str(caught.value)


def test_the_commands_from_key_to_check(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key, public = tmp_path / "plant.key", tmp_path / "plant.key.pub"
    assert _call(monkeypatch, "keygen", key) == 0
    assert capsys.readouterr().out == f"private key: {key}\npublic key: {public}\n"
    assert _call(monkeypatch, "verify", bundle, "--public-key", public) == 4
    assert "is not signed" in capsys.readouterr().err
    assert _call(monkeypatch, "sign", bundle, "--key", key) == 0
    assert _call(monkeypatch, "verify", bundle, "--public-key", public) == 0
    assert f"signature: by the owner of {public}" in capsys.readouterr().out
    assert _call(monkeypatch, "keygen", key) == 2
    assert "plant.key exists" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["keygen", "plant.key"], ["sign", "bundle", "--key", "plant.key"]])
def test_without_the_package_the_line_names_the_extra(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.startswith("cryptography")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    assert _call(monkeypatch, *arguments) == 2
    assert capsys.readouterr().err.endswith('signing needs the package cryptography: pip install "gm-edge[sign]"\n')


def test_signing_does_without_torch_and_onnx(bundle: Path, key: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from export.signing import read_private_key, sign_bundle
sign_bundle(Path({str(bundle)!r}), read_private_key(Path({str(key)!r})))
assert not {{"torch", "onnx", "onnxruntime"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    assert (bundle / "signature").stat().st_size == 64


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
def test_openssl_agrees(tmp_path: Path, bundle: Path, key: Path) -> None:
    """The documented form can be checked without this package."""
    sign_bundle(bundle, read_private_key(key))
    message = tmp_path / "message"
    message.write_bytes(b"gm-edge bundle manifest, version 1\0" + (bundle / "manifest.json").read_bytes())
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", f"{key}.pub", "-rawin", "-in", str(message)]
    try:
        done = subprocess.run([*command, "-sigfile", str(bundle / "signature")], capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    if b"unknown option" in done.stderr.lower() or b"unrecognized" in done.stderr.lower():
        pytest.skip("this openssl does not know Ed25519")
    assert done.returncode == 0, done.stderr
