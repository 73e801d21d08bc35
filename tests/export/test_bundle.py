"""Writing bundles: golden texts, hashes, and all or nothing."""

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from export.bundle import check_target, file_entries, golden_lines, golden_texts, write_bundle
from export.parity import LabelledTexts
from runtime.errors import ConfigError, DataError
from runtime.files import write_text
from runtime.text import normalise

FILES = {"manifest.json": b"{}", "openvino/model.bin": b"\0\1"}


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
    write_bundle(tmp_path / name, {**FILES, "fp32.onnx": b"old"})
    write_bundle(tmp_path / name, FILES)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert not (tmp_path / name / "fp32.onnx").exists()


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
        write_bundle(target, {"manifest.json": b"new"})
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    kept = target / "manifest.json" if target.is_dir() else target
    assert b"{}" in kept.read_bytes()
