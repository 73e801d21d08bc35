"""Audit logs of one path: copies, other logs and other processes, and that none loses a record of another."""

import errno
import os
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runtime import AuditLog, Classifier
from tests.runtime.monitoring.audit_records import records
from tests.runtime.processes import run_python
from tests.runtime.small_bundles import TEXTS


def _texts(file: Path) -> list[str]:
    return [row["text"] for row in records(file)]


def test_an_unpickled_copy_has_a_file_of_its_own(bundle: Path, tmp_path: Path) -> None:
    with AuditLog(tmp_path / "audit.jsonl", texts=False) as audit:
        classifier = Classifier(bundle, audit=audit)
        classifier.classify(TEXTS[0])
        copy = pickle.loads(pickle.dumps(classifier))
        copy.classify_many(TEXTS)
        copy._audit.close()
    assert len(records(tmp_path / "audit.jsonl")) == 1
    copied = records(tmp_path / "audit.w1.jsonl")
    assert len(copied) == len(TEXTS)
    assert "text" not in copied[0]


def test_logs_of_one_path_take_turns_or_have_files_of_their_own(bundle: Path, tmp_path: Path) -> None:
    with Classifier(bundle, audit=AuditLog(tmp_path / "audit.jsonl")) as classifier:
        classifier.classify("first")
        with AuditLog(tmp_path / "audit.jsonl") as other:
            Classifier(bundle, audit=other).classify("second")
            assert classifier._audit is not None
            classifier._audit.close()
            with AuditLog(tmp_path / "audit.jsonl") as third:
                Classifier(bundle, audit=third).classify("third")
                classifier.classify("fourth")
                classifier._audit.close()
    assert _texts(tmp_path / "audit.jsonl") == ["first", "third"]
    assert _texts(tmp_path / "audit.w1.jsonl") == ["second"]
    assert _texts(tmp_path / "audit.w2.jsonl") == ["fourth"]


def test_processes_that_name_the_same_path_lose_no_record(bundle: Path, tmp_path: Path) -> None:
    code = f"""
from runtime import AuditLog, Classifier
with AuditLog({str(tmp_path / "audit.jsonl")!r}, max_bytes=2000, files=300) as audit:
    classifier = Classifier({str(bundle)!r}, audit=audit)
    print("ready", flush=True)
    input()
    for _ in range(600): classifier.classify("乙醇")
    print(audit.failures)
"""
    with ThreadPoolExecutor(3) as pool:
        ready = threading.Barrier(3, timeout=60)
        assert list(pool.map(lambda _: _run_together(code, ready), range(3))) == ["0"] * 3
    assert len(records(*tmp_path.glob("audit*"))) == 1800


def _run_together(code: str, ready: threading.Barrier) -> str:
    """Run ``code`` until it says that it is ready, wait for the others, let it go on, and return what it says then."""
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            ready.wait()
            return process.communicate("\n", timeout=60)[0].strip()
        finally:
            process.kill()


@pytest.mark.skipif(os.name == "nt", reason="Windows deletes no open file")
def test_a_log_whose_lock_was_deleted_leaves_its_file_to_the_next(bundle: Path, tmp_path: Path) -> None:
    """As who tidies up files that are old and empty may do."""
    with AuditLog(tmp_path / "audit.jsonl") as audit, AuditLog(tmp_path / "audit.jsonl") as other:
        classifier = Classifier(bundle, audit=audit)
        classifier.classify("first")
        (tmp_path / ".audit.jsonl.lock").unlink()
        Classifier(bundle, audit=other).classify("second")
        classifier.classify("third")
    assert _texts(tmp_path / "audit.jsonl") == ["first", "second"]
    assert _texts(tmp_path / "audit.w1.jsonl") == ["third"]


def test_without_locks_a_copy_has_the_number_of_its_process(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(stream: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("runtime.lock._lock", refused)
    with AuditLog(tmp_path / "audit.jsonl") as audit, pickle.loads(pickle.dumps(audit)) as copy:
        Classifier(bundle, audit=audit).classify("original")
        Classifier(bundle, audit=copy).classify("copy")
    assert _texts(tmp_path / "audit.jsonl") == ["original"]
    assert _texts(tmp_path / f"audit.w{os.getpid()}.jsonl") == ["copy"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_forked_children_share_one_file_one_after_the_other(bundle: Path, tmp_path: Path) -> None:
    code = f"""
import os, sys
from runtime import AuditLog, Classifier
audit = AuditLog({str(tmp_path / "audit.jsonl")!r}, max_bytes=2000, files=2)
classifier = Classifier({str(bundle)!r}, audit=audit)
classifier.classify("parent")
for child in range(20):
    if os.fork() == 0:
        for _ in range(20): classifier.classify(f"child {{child}}")
        sys.exit(audit.failures)
    assert os.wait()[1] == 0
classifier.classify("parent")
"""
    assert run_python(code).returncode == 0
    assert _texts(tmp_path / "audit.jsonl") == ["parent", "parent"]
    files = sorted(path.name for path in tmp_path.glob("audit.*"))
    assert files == ["audit.jsonl", "audit.w1.jsonl", "audit.w1.jsonl.1", "audit.w1.jsonl.2"]
    assert _texts(tmp_path / "audit.w1.jsonl")[-1] == "child 19"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_forked_children_have_a_file_each_at_one_time(bundle: Path, tmp_path: Path) -> None:
    code = f"""
import os, sys
from runtime import AuditLog, Classifier
classifier = Classifier({str(bundle)!r}, audit=AuditLog({str(tmp_path / "audit.jsonl")!r}))
classifier.classify("parent")
def child(depth):
    if depth and os.fork() == 0:
        classifier.classify(f"depth {{depth}}")
        child(depth - 1)
    elif depth:
        sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
child(2)
"""
    assert run_python(code).returncode == 0
    assert _texts(tmp_path / "audit.jsonl") == ["parent"]
    assert _texts(tmp_path / "audit.w1.jsonl") == ["depth 2"]
    assert _texts(tmp_path / "audit.w2.jsonl") == ["depth 1"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_keeps_no_file_of_its_parent(bundle: Path, tmp_path: Path) -> None:
    code = f"""
import os, sys
from runtime import AuditLog, Classifier
audit = AuditLog({str(tmp_path / "audit.jsonl")!r})
classifier = Classifier({str(bundle)!r}, audit=audit)
classifier.classify("first")
begun, over = os.pipe(), os.pipe()
if os.fork() == 0:
    os.close(over[1])
    os.write(begun[1], b"x")
    os.read(over[0], 1)
    sys.exit(0)
os.read(begun[0], 1)
audit.close()
classifier.classify("second")
os.close(over[1])
sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
"""
    assert run_python(code).returncode == 0
    assert _texts(tmp_path / "audit.jsonl") == ["first", "second"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_forked_while_a_thread_writes_a_record_ends_by_itself(bundle: Path, tmp_path: Path) -> None:
    # A pipe that is full holds the thread within its write, and with it the lock of the file.
    code = f"""
import os, select, signal, sys, threading, warnings
warnings.filterwarnings("ignore", ".*use of fork", DeprecationWarning)
os.register_at_fork(after_in_child=lambda: signal.alarm(20))  # ends a child that would wait for ever
from runtime import AuditLog, Classifier
os.mkfifo({str(tmp_path / "audit.jsonl")!r})
reader = os.open({str(tmp_path / "audit.jsonl")!r}, os.O_RDWR)
classifier = Classifier({str(bundle)!r}, audit=AuditLog({str(tmp_path / "audit.jsonl")!r}))
thread = threading.Thread(target=classifier.classify, args=("x" * 1_000_000,), daemon=True)
thread.start()
assert select.select([reader], [], [], 20)[0]
child = os.fork()
if child == 0: sys.exit(0)
status, written = os.waitpid(child, 0)[1], b""
while not written.endswith(b"\\n"): written += os.read(reader, 65536)
thread.join(20)
print(status, thread.is_alive(), written.count(b"x" * 1_000_000), written.count(b"\\n"))
"""
    assert run_python(code).stdout == "0 False 1 1\n"
