"""Every way in which a bundle can be wrong is found before its content is used."""

import json
import os
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import pytest

from runtime.bundles.bundle import Bundle
from runtime.bundles.manifest import MANIFEST
from runtime.errors import BundleError, IntegrityError, VersionError
from tests.runtime.small_bundles import LABELS, edit_manifest, pack, write_bundle

FILES = ("model.onnx", "tokenizer.json", "golden.jsonl", "reference.json")
needs_links = pytest.mark.skipif(sys.platform == "win32", reason="making links needs special rights on Windows")


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_folder_and_a_file_open_alike(bundle: Path, tmp_path: Path) -> None:
    folder, file = Bundle.open(bundle), Bundle.open(str(pack(bundle, tmp_path / "bundle.gmb")))
    assert folder.manifest == file.manifest
    assert folder.manifest.labels == LABELS
    for name in FILES:
        assert folder.read(name) == file.read(name) == (bundle / name).read_bytes()
    assert folder.tokenizer().characters == file.tokenizer().characters


def test_the_path_stays_right_when_the_working_folder_changes(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(bundle.parent)
    opened = Bundle.open(bundle.name)
    monkeypatch.chdir("/")
    assert opened.read("model.onnx")


def test_a_signature_need_not_be_listed(bundle: Path) -> None:
    (bundle / "signature").write_bytes(b"x" * 64)
    assert Bundle.open(bundle).manifest.labels == LABELS


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_in_any_file_is_found(bundle: Path, name: str) -> None:
    _flip(bundle / name)
    with pytest.raises(IntegrityError, match=f"{name} has another SHA-256"):
        Bundle.open(bundle)


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_in_any_file_of_a_gmb_is_found(bundle: Path, tmp_path: Path, name: str) -> None:
    packed = pack(bundle, tmp_path / "bundle.gmb")
    content = (bundle / name).read_bytes()
    whole = bytearray(packed.read_bytes())
    whole[whole.index(content) + len(content) // 2] ^= 1
    packed.write_bytes(whole)
    with pytest.raises(IntegrityError):
        Bundle.open(packed)


def test_a_truncated_model_is_found(bundle: Path) -> None:
    content = (bundle / "model.onnx").read_bytes()
    (bundle / "model.onnx").write_bytes(content[:-1])
    with pytest.raises(IntegrityError, match=f"has {len(content) - 1} bytes instead of {len(content)}"):
        Bundle.open(bundle)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_found(bundle: Path, name: str) -> None:
    (bundle / name).unlink()
    with pytest.raises(IntegrityError, match=f"{name} is missing"):
        Bundle.open(bundle)


@pytest.mark.parametrize("name", ["extra.py", "openvino/model.xml", ".hidden"])
def test_an_unlisted_file_is_refused(bundle: Path, name: str) -> None:
    (bundle / name).parent.mkdir(exist_ok=True)
    (bundle / name).touch()
    with pytest.raises(IntegrityError, match="is not listed in the manifest"):
        Bundle.open(bundle)


def test_a_newer_format_is_refused_before_the_files_are_checked(bundle: Path) -> None:
    edit_manifest(bundle, format_version=2)
    (bundle / "model.onnx").unlink()
    with pytest.raises(VersionError, match="upgrade"):
        Bundle.open(bundle)


def test_an_oversized_manifest_is_refused_unread(bundle: Path) -> None:
    edit_manifest(bundle, name="x" * (5 << 20))
    with pytest.raises(BundleError, match="more than the"):
        Bundle.open(bundle)


def test_what_is_no_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"no manifest\.json"):
        Bundle.open(tmp_path)
    with pytest.raises(BundleError, match="does not exist"):
        Bundle.open(tmp_path / "none")
    (tmp_path / "text.gmb").write_text("no zip file at all")
    with pytest.raises(BundleError, match="not a bundle file"):
        Bundle.open(tmp_path / "text.gmb")


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_a_bundle_error(bundle: Path) -> None:
    (bundle / "model.onnx").chmod(0)
    with pytest.raises(BundleError, match="Permission denied"):
        Bundle.open(bundle)


@needs_links
@pytest.mark.parametrize("target", ["outside", "tokenizer.json"])
def test_a_link_is_refused_wherever_it_leads(bundle: Path, target: str) -> None:
    (bundle.parent / "outside").write_bytes((bundle / "model.onnx").read_bytes())
    (bundle / "model.onnx").unlink()
    (bundle / "model.onnx").symlink_to(bundle.parent / target if target == "outside" else target)
    with pytest.raises(BundleError, match="is a link"):
        Bundle.open(bundle)


@needs_links
def test_a_linked_folder_is_refused(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (bundle / "openvino").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BundleError, match="is a link"):
        Bundle.open(bundle)


@needs_links
def test_a_pipe_is_refused_instead_of_waited_for(bundle: Path) -> None:
    (bundle / "model.onnx").unlink()
    os.mkfifo(bundle / "model.onnx")
    with pytest.raises(BundleError, match="is a link or a device"):
        Bundle.open(bundle)


@needs_links
def test_the_bundle_itself_may_be_reached_through_a_link(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to(bundle)
    assert Bundle.open(tmp_path / "current").read("model.onnx")


def _add(path: Path, entry: str | ZipInfo, content: bytes = b"x") -> None:
    with ZipFile(path, "a") as archive:
        archive.writestr(entry, content)


def _link() -> ZipInfo:
    entry = ZipInfo("link")
    entry.external_attr = 0o120777 << 16
    return entry


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("../outside", "not listed"),
        ("/etc/passwd", "not listed"),
        ("extra", "not listed"),
        (_link(), "is a link"),
    ],
)
def test_a_gmb_with_a_foreign_entry_is_refused(bundle: Path, tmp_path: Path, entry: str | ZipInfo, says: str) -> None:
    packed = pack(bundle, tmp_path / "bundle.gmb")
    _add(packed, entry)
    with pytest.raises(BundleError, match=says):
        Bundle.open(packed)


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")  # zipfile warns about what we do on purpose
def test_a_gmb_with_two_entries_of_one_name_is_refused(bundle: Path, tmp_path: Path) -> None:
    packed = pack(bundle, tmp_path / "bundle.gmb")
    _add(packed, "model.onnx", b"another model")
    with pytest.raises(BundleError, match="two entries of one name"):
        Bundle.open(packed)


def test_a_compressed_gmb_is_refused(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="is compressed"):
        Bundle.open(pack(bundle, tmp_path / "bundle.gmb", ZIP_DEFLATED))


def test_a_truncated_gmb_is_refused(bundle: Path, tmp_path: Path) -> None:
    packed = pack(bundle, tmp_path / "bundle.gmb")
    packed.write_bytes(packed.read_bytes()[:-30])
    with pytest.raises(IntegrityError, match="is damaged"):
        Bundle.open(packed)


def test_a_gmb_whose_directory_lies_about_an_offset_is_refused(bundle: Path, tmp_path: Path) -> None:
    packed = pack(bundle, tmp_path / "bundle.gmb")
    content = bytearray(packed.read_bytes())
    directory = content.index(b"PK\x01\x02")
    content[directory + 42 : directory + 46] = struct.pack("<L", 7)
    packed.write_bytes(content)
    with pytest.raises(BundleError):
        Bundle.open(packed)


@pytest.mark.parametrize("damage", [_flip, Path.unlink, lambda path: path.write_bytes(b"short")])
def test_a_file_that_changes_after_opening_is_not_used(bundle: Path, damage: Callable[[Path], None]) -> None:
    opened = Bundle.open(bundle)
    damage(bundle / "model.onnx")
    with pytest.raises(IntegrityError, match=r"model\.onnx has changed"):
        opened.read("model.onnx")


def test_only_listed_files_can_be_read(bundle: Path) -> None:
    with pytest.raises(BundleError, match=r"has no file \.\./x"):
        Bundle.open(bundle).read("../x")


def test_a_tokeniser_of_unknown_kind_is_newer(bundle: Path) -> None:
    edit_manifest(bundle, tokenizer={"kind": "words", "file": "tokenizer.json"})
    with pytest.raises(VersionError, match="'words'"):
        Bundle.open(bundle).tokenizer()


def test_a_tokeniser_of_another_length_is_refused(bundle: Path) -> None:
    edit_manifest(bundle, max_len=32)
    with pytest.raises(BundleError, match="max_len 24 is not the manifest's 32"):
        Bundle.open(bundle).tokenizer()


def test_nan_in_a_manifest_is_refused(bundle: Path) -> None:
    edit_manifest(bundle, temperature=float("nan"))
    assert "NaN" in (bundle / MANIFEST).read_text(encoding="utf-8")
    with pytest.raises(BundleError, match="NaN is no JSON number"):
        Bundle.open(bundle)


def test_every_file_of_the_bundle_is_listed_as_it_is(bundle: Path) -> None:
    stored = json.loads((bundle / MANIFEST).read_text(encoding="utf-8"))
    assert set(stored["files"]) == set(FILES)
    assert write_bundle(bundle.parent / "twin").joinpath(MANIFEST).read_bytes() == (bundle / MANIFEST).read_bytes()
