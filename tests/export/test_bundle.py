"""Writing bundles: golden texts, hashes, and all or nothing."""

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export.bundle import check_target, file_entries, golden_lines, golden_texts, with_manifest, write_bundle
from export.parity import LabelledTexts
from runtime.bundles.bundle import Bundle
from runtime.bundles.manifest import Manifest, TokenizerEntry
from runtime.bundles.storage import open_storage
from runtime.errors import ConfigError, DataError
from runtime.files import write_text
from runtime.text import normalise


def _bundle(max_len: int = 16, name: str = "test", **files: bytes) -> dict[str, bytes]:
    """Return the files of a bundle, ``files`` among them, with a manifest that lists them."""
    contents = {"openvino/model.xml": b"<net/>", "openvino/model.bin": b"\0\1", "tokenizer.json": b"{}", **files}
    manifest = Manifest(
        name=name,
        created="2026-01-01T00:00:00Z",
        labels=("a", "b"),
        tokenizer=TokenizerEntry("chars", "tokenizer.json"),
        max_len=max_len,
        backends={"openvino": "openvino/model.xml"},
        files=file_entries(contents),
    )
    return with_manifest(contents, manifest)


FILES = _bundle()


def _set(*texts: str) -> LabelledTexts:
    return LabelledTexts(texts, np.arange(len(texts)) % 2, ("a", "b"))


def test_golden_texts_cover_classes_lengths_and_the_truncated() -> None:
    texts = [f"{number:03d}" + "x" * (number % 17) for number in range(500)]
    chosen = golden_texts(_set(*texts), max_len=20)
    assert len(chosen) == len(set(chosen)) >= 96
    assert {len(text) for text in chosen if text in texts} >= {3, 10, 19}
    assert any(len(normalise(text)) > 20 for text in chosen)
    assert {int(text[:3]) % 2 for text in chosen if text in texts} == {0, 1}


def test_few_texts_are_joined_until_there_are_enough() -> None:
    chosen = golden_texts(_set("盐酸"), _set("烧碱", "盐酸"), max_len=8)
    assert len(chosen) == len(set(chosen)) >= 96
    assert {"盐酸", "烧碱"} <= set(chosen)
    assert all(set(text) <= set("盐酸烧碱 ") for text in chosen)


def test_one_text_is_enough_to_start_from() -> None:
    assert len(golden_texts(_set("x"), max_len=128)) >= 96


def test_golden_lines_hold_label_and_logits() -> None:
    lines = golden_lines(["酸\u2028液"], np.array([[0.5, 2.0]], np.float32), ("a", "b"))
    assert lines.decode() == '{"text": "酸\u2028液", "label": "b", "logits": [0.5, 2.0]}\n'


def test_file_entries_are_sha256_and_size() -> None:
    entry = file_entries({"a": b"abc"})["a"]
    assert entry.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert entry.size == 3


def test_a_folder_is_written_with_its_subfolders_and_nothing_else(tmp_path: Path) -> None:
    write_bundle(tmp_path / "new" / "bundle", FILES)
    assert (tmp_path / "new" / "bundle" / "openvino" / "model.bin").read_bytes() == b"\0\1"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["bundle"]


def test_a_single_file_is_a_stored_zip_and_always_the_same(tmp_path: Path) -> None:
    for name in ("one.gmb", "two.gmb"):
        write_bundle(tmp_path / name, FILES)
    with zipfile.ZipFile(tmp_path / "one.gmb") as archive:
        assert archive.namelist() == list(FILES)
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
    assert (tmp_path / "one.gmb").read_bytes() == (tmp_path / "two.gmb").read_bytes()


@pytest.mark.parametrize("name", ["bundle", "bundle.gmb"])
def test_an_older_bundle_is_replaced_as_a_whole(tmp_path: Path, name: str) -> None:
    write_bundle(tmp_path / name, _bundle(old=b"of last year") | {"signature": b"x" * 64})
    write_bundle(tmp_path / name, FILES)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    with open_storage(tmp_path / name) as storage:
        assert set(storage.sizes()) == set(FILES)


@pytest.mark.parametrize("name", ["bundle", "bundle.gmb"])
@pytest.mark.parametrize(
    ("files", "says"),
    [
        (_bundle(max_len=100_000), r"bundle.*, manifest\.json: key max_len: must be .* to 65536, not 100000"),
        (_bundle(name="n" * (4 << 20)), r"bundle.*: manifest\.json has 4\d+ bytes, more than the 4194304 allowed"),
        (FILES | {"notes.txt": b""}, r"bundle.*: 'notes\.txt' is not listed in the manifest"),
    ],
)
def test_what_no_device_would_load_is_not_written(
    tmp_path: Path, name: str, files: dict[str, bytes], says: str
) -> None:
    write_bundle(tmp_path / name, FILES)
    with pytest.raises(DataError, match=rf"{says}; no device would load that: nothing was written"):
        write_bundle(tmp_path / name, files)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    with open_storage(tmp_path / name) as storage, storage.open("manifest.json") as stream:
        assert stream.read() == FILES["manifest.json"]


def test_a_damaged_bundle_is_replaced_by_a_sound_one(tmp_path: Path) -> None:
    write_bundle(tmp_path / "bundle", FILES)
    (tmp_path / "bundle" / "tokenizer.json").write_text("planted")
    (tmp_path / "bundle" / "openvino" / "model.bin").unlink()
    write_bundle(tmp_path / "bundle", FILES)
    assert (tmp_path / "bundle" / "tokenizer.json").read_bytes() == FILES["tokenizer.json"]


def test_what_a_file_browser_left_behind_does_not_keep_a_bundle(tmp_path: Path) -> None:
    write_bundle(tmp_path / "bundle", FILES)
    for name in (".DS_Store", "openvino/.DS_Store", "Thumbs.db"):
        (tmp_path / "bundle" / name).touch()
    write_bundle(tmp_path / "bundle", FILES)
    assert not (tmp_path / "bundle" / ".DS_Store").exists()


@pytest.mark.parametrize("manifest", ["", '{"name": "Chat", "start_url": "/", "display": "standalone"}', "[]"])
def test_the_manifest_of_a_web_app_makes_no_bundle(tmp_path: Path, manifest: str) -> None:
    write_text(tmp_path / "site" / "manifest.json", manifest)
    write_text(tmp_path / "site" / "index.html", "keep me")
    with pytest.raises(ConfigError, match="site exists and is not a bundle that this release reads; name another"):
        write_bundle(tmp_path / "site", FILES)
    assert (tmp_path / "site" / "index.html").read_text() == "keep me"


@pytest.mark.parametrize("name", ["notes.txt", "openvino/.notes", "old/manifest.json"])
def test_a_bundle_with_a_file_of_the_users_is_never_replaced(tmp_path: Path, name: str) -> None:
    write_bundle(tmp_path / "bundle", FILES)
    write_text(tmp_path / "bundle" / name, "keep me")
    with pytest.raises(ConfigError, match=f"bundle holds '{name}' beside its bundle; .* move that away"):
        write_bundle(tmp_path / "bundle", FILES)
    assert (tmp_path / "bundle" / name).read_text() == "keep me"


@pytest.mark.parametrize("name", ["inner", "new/inner", "inner.gmb", "empty"])
def test_no_bundle_is_written_into_another_which_would_be_refused_then(tmp_path: Path, name: str) -> None:
    outer = tmp_path / "bundle"
    golden: dict[str, Any] = {"golden.jsonl": b"{}"}
    write_bundle(outer, _bundle(**golden))
    (outer / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"--out .* lies in the bundle, which would no longer be whole; name another"):
        write_bundle(outer / name, FILES)
    Bundle.open(outer)


def test_a_zip_file_of_other_things_is_never_replaced(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "letters.gmb", "w") as archive:
        archive.writestr("dear.txt", "keep me")
    with pytest.raises(ConfigError, match="is not a bundle"):
        write_bundle(tmp_path / "letters.gmb", FILES)
    assert zipfile.ZipFile(tmp_path / "letters.gmb").namelist() == ["dear.txt"]


@pytest.mark.parametrize("name", ["bundle.GMB", "bundle.zip", "bundle"])
def test_a_bundle_file_stays_a_file_whatever_it_is_called(tmp_path: Path, name: str) -> None:
    write_bundle(tmp_path / "new.gmb", FILES)
    (tmp_path / "new.gmb").rename(tmp_path / name)
    write_bundle(tmp_path / name, FILES)
    assert zipfile.is_zipfile(tmp_path / name)


def test_the_suffix_of_a_new_file_may_be_in_capitals(tmp_path: Path) -> None:
    write_bundle(tmp_path / "BUNDLE.GMB", FILES)
    assert zipfile.is_zipfile(tmp_path / "BUNDLE.GMB")


def test_a_folder_of_other_things_is_never_replaced(tmp_path: Path) -> None:
    write_text(tmp_path / "letters" / "dear.txt", "keep me")
    with pytest.raises(ConfigError, match="letters exists and is not a bundle"):
        write_bundle(tmp_path / "letters", FILES)
    assert (tmp_path / "letters" / "dear.txt").read_text() == "keep me"


@pytest.mark.parametrize("name", ["notes.gmb", "notes"])
def test_a_file_that_is_no_bundle_is_never_replaced(tmp_path: Path, name: str) -> None:
    write_text(tmp_path / name, "keep me")
    with pytest.raises(ConfigError, match="is not a bundle"):
        check_target(tmp_path / name)


@pytest.mark.skipif(os.name == "nt", reason="Windows lets few users make links")
@pytest.mark.parametrize("name", ["v1", "v1.gmb"])
@pytest.mark.parametrize("there", [True, False])
def test_what_a_link_leads_to_is_written_and_the_link_stays(tmp_path: Path, name: str, there: bool) -> None:
    if there:
        write_bundle(tmp_path / name, _bundle(old=b"of last year"))
    (tmp_path / "current").symlink_to(name)
    write_bundle(tmp_path / "current", FILES)
    assert os.readlink(tmp_path / "current") == name
    assert zipfile.is_zipfile(tmp_path / name) == (name == "v1.gmb")
    with open_storage(tmp_path / name) as storage:
        assert set(storage.sizes()) == set(FILES)


@pytest.mark.skipif(os.name == "nt", reason="Windows lets few users make links")
def test_a_link_to_a_folder_of_other_things_is_refused_by_its_own_name(tmp_path: Path) -> None:
    write_text(tmp_path / "letters" / "dear.txt", "keep me")
    (tmp_path / "current").symlink_to("letters")
    with pytest.raises(ConfigError, match="current exists and is not a bundle"):
        check_target(tmp_path / "current")


@pytest.mark.parametrize("name", [".", ".."])
def test_the_folder_that_one_is_in_is_not_taken_away(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "within").mkdir()
    monkeypatch.chdir(tmp_path / "within")
    with pytest.raises(ConfigError, match=r"is the folder that you are in, .*name a folder in it with --out"):
        check_target(Path(name))


@pytest.mark.skipif(not os.path.ismount("/proc"), reason="this system has no such file system")
def test_a_file_system_of_its_own_is_not_replaced() -> None:
    with pytest.raises(ConfigError, match="/proc is a file system of its own, which cannot be replaced as a whole"):
        check_target(Path("/proc"))


def test_an_empty_folder_may_be_filled(tmp_path: Path) -> None:
    write_bundle(tmp_path, FILES)
    assert (tmp_path / "manifest.json").is_file()


@pytest.mark.parametrize("name", ["bundle", "bundle.gmb"])
def test_a_full_disk_leaves_the_old_bundle_as_it_was(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / name
    write_bundle(target, FILES)

    def full(*_arguments: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(Path, "write_bytes", full)
    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    with pytest.raises(DataError, match=f"cannot write .*{name}: No space left on device; free some space"):
        write_bundle(target, _bundle(new=b""))
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    with open_storage(target) as storage, storage.open("manifest.json") as stream:
        assert stream.read() == FILES["manifest.json"]
