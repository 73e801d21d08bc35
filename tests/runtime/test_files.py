"""A reader sees the old content or the new."""

import errno
import os
import re
from pathlib import Path
from typing import IO, Any

import pytest

from runtime.errors import DataError
from runtime.files import (
    atomic_path,
    left_behind,
    write_bytes,
    write_json,
    write_text,
)


def test_text_is_written_as_utf_8_into_new_folders(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "b.txt", "钠\n")
    assert (tmp_path / "a" / "b.txt").read_bytes() == "钠\n".encode()


def test_a_failing_block_leaves_the_old_content_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    write_text(target, "old")

    def fail() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_a_folder_replaces_a_folder_whole(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    target.mkdir()
    (target / "old").touch()
    with atomic_path(target) as temporary:
        temporary.mkdir()
        (temporary / "new").touch()
    assert os.listdir(target) == ["new"]
    assert os.listdir(tmp_path) == ["folder"]


def test_a_file_never_replaces_a_folder_nor_a_folder_a_file(tmp_path: Path) -> None:
    folder, file = tmp_path / "folder", tmp_path / "file"
    write_text(folder / "precious", "kept")
    with pytest.raises(DataError, match="cannot write"):
        write_bytes(folder, b"file now")
    write_text(file, "kept")
    with pytest.raises(DataError, match="cannot write"), atomic_path(file) as temporary:
        temporary.mkdir()
    assert (folder / "precious").read_text() == file.read_text() == "kept"


def test_ctrl_c_between_the_two_renames_puts_the_old_folder_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, rename = tmp_path / "folder", Path.rename
    write_text(target / "old", "kept")

    def interrupted(self: Path, other: Path) -> Path:
        if self.name == "folder" and other == target:  # the new one; the old comes back under the name it stepped to
            raise KeyboardInterrupt
        return rename(self, other)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt), atomic_path(target) as temporary:
        temporary.mkdir()
    assert (target / "old").read_text() == "kept"
    assert os.listdir(tmp_path) == ["folder"]


def test_an_old_folder_that_cannot_be_put_back_is_not_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, rename = tmp_path / "folder", Path.rename
    write_text(target / "old", "kept")

    def refused(self: Path, other: Path) -> Path:
        if other == target:
            raise PermissionError(13, "Permission denied")
        return rename(self, other)

    monkeypatch.setattr(Path, "rename", refused)
    message = r"what was there is now .*folder\.replaced"
    with pytest.raises(DataError, match=message) as caught, atomic_path(target) as temporary:
        temporary.mkdir()
    (kept,) = tmp_path.rglob("old")
    assert str(kept.parent) in str(caught.value)
    assert kept.read_text() == "kept"


def test_a_folder_may_be_named_as_what_steps_aside(tmp_path: Path) -> None:
    target = tmp_path / "replaced"
    for content in ("old", "new"):
        with atomic_path(target) as temporary:
            write_text(temporary / "file", content)
    assert (target / "file").read_text() == "new"


def test_all_that_was_written_is_flushed_before_the_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed, fsync = list[int](), os.fsync

    def record(descriptor: int) -> None:
        assert not (tmp_path / "folder").exists()
        flushed.append(os.fstat(descriptor).st_size)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", record)
    with atomic_path(tmp_path / "folder") as temporary:
        (temporary / "within").mkdir(parents=True)
        (temporary / "a").write_bytes(b"1")
        (temporary / "within" / "b").write_bytes(b"22")
    assert sorted(flushed) == [1, 2]


def test_files_that_may_only_be_read_are_written_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a copy of a bundle that a plant protects; root may write them, so what is asked for is looked at."""
    modes, path_open = set[str](), Path.open

    def record(self: Path, mode: str = "r", **settings: Any) -> IO[Any]:  # noqa: ANN401
        modes.add(mode)
        return path_open(self, mode, **settings)

    with atomic_path(tmp_path / "folder") as temporary:
        temporary.mkdir()
        (temporary / "a").write_bytes(b"1")
        (temporary / "a").chmod(0o444)
        monkeypatch.setattr(Path, "open", record)
    assert modes == {"r+b" if os.name == "nt" else "rb"}
    assert (tmp_path / "folder" / "a").read_bytes() == b"1"


def test_nan_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "x.json", {"score": float("nan")})
    assert os.listdir(tmp_path) == []


def test_an_impossible_place_is_a_data_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    advice = "check the path and its permissions, or choose another place with --out"
    with pytest.raises(DataError, match=rf"cannot write .*x\.txt: .*; {advice}"):
        write_text(tmp_path / "file" / "x.txt", "")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_more_space_is_asked_for_where_it_lacks(tmp_path: Path, number: int) -> None:
    advice = "free some space, or choose another place with --out"
    with (
        pytest.raises(DataError, match=rf"cannot write .*: {os.strerror(number)}; {advice}"),
        atomic_path(tmp_path / "x"),
    ):
        raise OSError(number, os.strerror(number))


def test_a_block_that_leaves_nothing_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot write"), atomic_path(tmp_path / "x"):
        pass


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o666])
def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path: Path, mode: int) -> None:
    target = tmp_path / "answers.csv"
    target.touch()
    target.chmod(mode)
    write_text(target, "new")
    assert (target.read_text(), target.stat().st_mode & 0o777) == ("new", mode)


def test_a_new_file_has_the_permissions_of_any(tmp_path: Path) -> None:
    (tmp_path / "any").touch()
    write_text(tmp_path / "new", "")
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "any").stat().st_mode


def test_nobody_else_reads_what_is_half_written_but_on_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There a file would keep the rights of a folder for its owner alone; so what is asked for is looked at."""
    modes, mkdir = dict[str, int](), Path.mkdir

    def record(path: Path, mode: int = 0o777, **how: bool) -> None:
        modes[path.name] = mode
        mkdir(path, mode, **how)

    # Python 3.10 keeps os.mkdir from before: Path's own is what every version asks.
    monkeypatch.setattr(Path, "mkdir", record)
    with atomic_path(tmp_path / "new") as temporary:
        temporary.touch()
    assert modes[temporary.parent.name] == (0o777 if os.name == "nt" else 0o700)


def test_the_temporary_folder_is_hidden_and_named_after_the_target(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "x.txt") as temporary:
        temporary.touch()
        assert re.fullmatch(r"\.x\.txt\.[0-9a-f]{8}", temporary.parent.name)
        assert (temporary.parent.parent, temporary.name) == (tmp_path, "x.txt")


def test_what_a_killed_writer_leaves_is_told_from_what_others_write(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "x.txt") as temporary:
        temporary.touch()
        assert left_behind(tmp_path / "x.txt") == [temporary.parent]
        assert left_behind(tmp_path / "y.txt") == []
    assert left_behind(tmp_path / "x.txt") == []


def test_a_workplace_holds_what_is_not_complete(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "out" / "a.txt", tmp_path / "work") as temporary:
        temporary.write_text("whole", encoding="utf-8")
        assert temporary.is_relative_to(tmp_path / "work")
        assert list((tmp_path / "out").iterdir()) == []
    assert (tmp_path / "out" / "a.txt").read_text(encoding="utf-8") == "whole"
    assert list((tmp_path / "work").iterdir()) == []


def test_a_name_too_long_for_the_file_system_is_said_as_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot write .*: File name too long"), atomic_path(tmp_path / ("酸" * 90)):
        pass
    assert not list(tmp_path.iterdir())


def test_what_ends_the_program_as_soon_as_a_writer_has_begun_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Path.mkdir

    def interrupted(self: Path, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        made(self, mode, parents, exist_ok)
        if self != tmp_path:
            raise KeyboardInterrupt

    monkeypatch.setattr(Path, "mkdir", interrupted)
    with pytest.raises(KeyboardInterrupt), atomic_path(tmp_path / "answers.csv"):
        pass
    assert not list(tmp_path.iterdir())
