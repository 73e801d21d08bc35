"""The audit log: what it holds, how much, and that it never stands in the way."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runtime import AuditLog, Classifier, ConfigError
from tests.runtime.monitoring.audit_records import records
from tests.runtime.processes import run_python
from tests.runtime.small_bundles import TEXTS


def test_every_decision_is_one_line(bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with AuditLog(path) as audit, Classifier(bundle, audit=audit) as classifier:
        info = classifier.bundle
        one = classifier.classify("乙醇 \ud800\n")
        many = [*classifier.classify_many(TEXTS), *classifier.classify_stream(["", "酸"])]
    rows = records(path)
    assert [row["text"] for row in rows] == ["乙醇 \ud800\n", *TEXTS, "", "酸"]
    for row, prediction in zip(rows, [one, *many], strict=True):
        assert (row["label"], row["accepted"], row["reason"]) == (
            prediction.label,
            prediction.accepted,
            prediction.reason.value,
        )
        assert row["score"] == round(prediction.score, 6)
        assert (row["bundle"], row["sha256"]) == (info.name, info.sha256)
        assert row["time"].endswith("+00:00")


def test_texts_stand_there_as_people_look_for_them(bundle: Path, tmp_path: Path) -> None:
    with AuditLog(tmp_path / "audit.jsonl") as audit:
        Classifier(bundle, audit=audit).classify("硫酸")
    assert "硫酸".encode() in (tmp_path / "audit.jsonl").read_bytes()


def test_without_texts_none_is_written(bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with AuditLog(path, texts=False) as audit:
        Classifier(bundle, audit=audit).classify_many(TEXTS)
    assert len(records(path)) == len(TEXTS)
    assert "text" not in records(path)[0]


def test_nothing_is_written_before_the_first_decision_nor_without_a_log(bundle: Path, tmp_path: Path) -> None:
    with AuditLog(tmp_path / "audit.jsonl") as audit:
        Classifier(bundle, audit=audit)
        Classifier(bundle).classify(TEXTS[0])
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_full_files_make_room_for_new_ones(bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with AuditLog(path, max_bytes=2000, files=2) as audit:
        classifier = Classifier(bundle, audit=audit)
        for number in range(100):
            classifier.classify(f"{number} 乙醇")
    files = sorted(tmp_path.glob("audit.jsonl*"), reverse=True)
    assert [file.name for file in files] == ["audit.jsonl.2", "audit.jsonl.1", "audit.jsonl"]
    assert all(file.stat().st_size <= 2000 for file in files)
    numbers = [int(row["text"].split()[0]) for row in records(*files)]
    assert numbers == list(range(numbers[0], 100))


@pytest.mark.parametrize("held", ["audit.jsonl", "audit.jsonl.1", "audit.jsonl.2"])
def test_a_file_that_cannot_be_renamed_costs_no_record(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: str
) -> None:
    """As on Windows while another program has it open."""
    path, rename = tmp_path / "audit.jsonl", os.rename
    with AuditLog(path, max_bytes=2000, files=3) as audit, Classifier(bundle, audit=audit) as classifier:
        for number in range(30):
            classifier.classify(f"{number} 乙醇")
        before = records(*sorted(tmp_path.glob("audit.jsonl*"), reverse=True))

        def refused(source: str, target: str) -> None:
            if Path(source).name == held:
                raise PermissionError(32, "The process cannot access the file")
            rename(source, target)

        with monkeypatch.context() as patch:
            patch.setattr(os, "rename", refused)
            for number in range(30, 60):
                classifier.classify(f"{number} 乙醇")
        rows = records(*sorted(tmp_path.glob("audit.jsonl*"), reverse=True))
        assert rows[: len(before)] == before
        assert [int(row["text"].split()[0]) for row in rows][-30:] == list(range(30, 60))
        assert path.stat().st_size > 2000
        classifier.classify("60 乙醇")
        assert len(records(path)) == 1
        assert audit.failures == 0


def test_classifiers_and_threads_share_one_log(bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with AuditLog(path, max_bytes=20_000, files=50) as audit:
        classifiers = [Classifier(bundle, audit=audit) for _ in range(2)]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda number: classifiers[number % 2].classify(str(number)), range(500)))
    assert len(list(tmp_path.glob("audit.jsonl*"))) > 1
    rows = records(*tmp_path.glob("audit.jsonl*"))
    assert sorted(int(row["text"]) for row in rows) == list(range(500))


def test_a_disk_that_fails_stops_no_answer_and_is_counted(
    bundle: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    with AuditLog(folder / "audit.jsonl") as audit, Classifier(bundle, audit=audit) as classifier:
        folder.rmdir()
        assert classifier.classify(TEXTS[0]).label
        assert len(classifier.classify_many(TEXTS)) == len(TEXTS)
        assert audit.failures == classifier.stats().audit_failures == 1 + len(TEXTS)
        folder.mkdir()
        classifier.classify(TEXTS[1])
        assert audit.failures == 1 + len(TEXTS)
    assert [row["text"] for row in records(folder / "audit.jsonl")] == [TEXTS[1]]
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_full_disk_stops_no_answer(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").symlink_to("/dev/full")
    code = f"""
from runtime import AuditLog, Classifier
audit = AuditLog({str(tmp_path / "audit.jsonl")!r})
classifier = Classifier({str(bundle)!r}, audit=audit)
for _ in range(1000): assert classifier.classify("乙醇").label
print(audit.failures)
"""
    done = run_python(code)
    assert done.stdout.strip() == "1000"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_full_disk_does_not_stop_the_host_from_closing(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").symlink_to("/dev/full")
    with AuditLog(tmp_path / "audit.jsonl") as audit:
        Classifier(bundle, audit=audit).classify(TEXTS[0])
    assert audit.failures == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["audit.jsonl", "bundle"]


@pytest.mark.parametrize("whole", [0, 2])
def test_a_record_that_was_cut_off_takes_no_other_with_it(bundle: Path, tmp_path: Path, whole: int) -> None:
    """As by a power cut, or where a program ended while the disk was full."""
    path = tmp_path / "audit.jsonl"
    before = b'{"text": "whole"}\n' * whole
    path.write_bytes(before + b'{"text": "cut o')
    with AuditLog(path) as audit, Classifier(bundle, audit=audit) as classifier:
        for text in TEXTS[:2]:
            classifier.classify(text)
    lines = path.read_bytes().splitlines(keepends=True)
    assert b"".join(lines[: whole + 1]) == before + b'{"text": "cut o\n'
    assert [json.loads(line)["text"] for line in lines[whole + 1 :]] == list(TEXTS[:2])


def test_whole_records_are_followed_by_the_next(bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.touch()
    with AuditLog(path) as audit, Classifier(bundle, audit=audit) as classifier:
        classifier.classify(TEXTS[0])
        audit.close()
        classifier.classify(TEXTS[1])
    assert [row["text"] for row in records(path)] == list(TEXTS[:2])


@pytest.mark.skipif(os.name == "nt", reason="Windows moves and deletes no open file")
@pytest.mark.parametrize("moved", [True, False])
def test_a_file_that_is_moved_or_deleted_is_begun_anew(bundle: Path, tmp_path: Path, moved: bool) -> None:
    path, aside = tmp_path / "audit.jsonl", tmp_path / "yesterday.jsonl"
    with AuditLog(path) as audit, Classifier(bundle, audit=audit) as classifier:
        classifier.classify(TEXTS[0])
        path.replace(aside)
        if not moved:
            aside.unlink()
        classifier.classify(TEXTS[1])
        assert [row["text"] for row in records(path)] == [TEXTS[1]]
        path.rename(tmp_path / "other.jsonl")
        path.write_bytes(b"")  # by who moved it, as logrotate may
        classifier.classify(TEXTS[2])
        assert [row["text"] for row in records(path)] == [TEXTS[2]]
        assert audit.failures == 0
    assert not moved or [row["text"] for row in records(aside)] == [TEXTS[0]]


@pytest.mark.parametrize(("max_bytes", "files"), [(0, 5), (1000, 0)])
def test_numbers_that_keep_nothing_are_refused(tmp_path: Path, max_bytes: int, files: int) -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        AuditLog(tmp_path / "audit.jsonl", max_bytes, files)


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such folder; make it"):
        AuditLog(tmp_path / "logs" / "audit.jsonl")


def test_a_classifier_without_audit_does_not_load_logging_handlers(bundle: Path) -> None:
    code = f"""
import sys
from runtime import Classifier
Classifier({str(bundle)!r}).classify("乙醇")
print("logging.handlers" in sys.modules)
"""
    assert run_python(code).stdout.strip() == "False"
