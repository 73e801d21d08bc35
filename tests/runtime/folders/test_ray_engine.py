"""Shards spread over Ray: gm-classify --engine ray, run as a user runs it, on clusters of two workers.

Starting a cluster takes most of the time, so each test looks at all that one run shows.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime import BundleError, Classifier
from runtime.folders.ray_engine import _outcome, _Worker
from runtime.folders.shards import RECEIPTS, WORK
from tests.runtime.shard_folders import answers, job, visible, write_shard, write_shards
from tests.runtime.small_bundles import TEXTS, edit_manifest

_SHARDS = 6
_ROWS = 15_000
_LIMIT_S = 200.0

_LACKING = "import sys; sys.modules['ray'] = None; "
# Waits on its stdin, so that it ends with the test whatever happens.
_CLUSTER = """
import logging, sys, ray
context = ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False,
                   logging_level=logging.ERROR, object_store_memory=128 << 20, _temp_dir=sys.argv[1])
print(context.address_info["gcs_address"], flush=True)
sys.stdin.read()
ray.shutdown()
"""


def _start(*arguments: str | Path, code: str = "", environment: dict[str, str] | None = None) -> subprocess.Popen[str]:
    program = f"{code}from runtime.cli import main; main()"
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"COLUMNS": "100"} | (environment or {}),
    )


def _run(*arguments: str | Path, code: str = "", environment: dict[str, str] | None = None) -> tuple[int, str, str]:
    with _start(*arguments, code=code, environment=environment) as process:
        out, err = process.communicate(timeout=_LIMIT_S)
    return process.returncode, out, err


def _writes_to(folder: Path, process: Path) -> bool:
    """Whether a process, by its folder in /proc, has answers open that are not complete."""
    try:
        return any(os.readlink(file).startswith(f"{folder}/{WORK}/part") for file in (process / "fd").iterdir())
    except OSError:
        return False  # It has ended, or is not ours.


def _kill_a_writer(out: Path, half: int) -> int:
    """Wait until ``half`` shards are done, kill a process that is writing another, and return its number."""
    until = time.monotonic() + _LIMIT_S
    while time.monotonic() < until:
        done = len(list((out / RECEIPTS).glob("part*")))
        for process in Path("/proc").glob("[0-9]*") if done >= half else ():
            if _writes_to(out, process):
                pid = int(process.name)
                # Stopped first: it cannot end the shard between the look and the blow.
                os.kill(pid, signal.SIGSTOP)
                if _writes_to(out, process):
                    os.kill(pid, signal.SIGKILL)
                    return pid
                os.kill(pid, signal.SIGCONT)
        time.sleep(0.005)
    raise AssertionError(f"no worker was seen writing; {done} shards done")


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str]]]:
    """Address of a running cluster, and the environment that lets a program in."""
    pytest.importorskip("ray", reason="the ray extra is not installed")
    secret = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0123456789abcdef" * 4, "RAY_USAGE_STATS_ENABLED": "0"}
    place = tmp_path_factory.mktemp("ray")
    with subprocess.Popen(
        [sys.executable, "-c", _CLUSTER, str(place)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | secret,
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip(), secret
        process.communicate(timeout=_LIMIT_S)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds the worker in /proc")
def test_a_worker_killed_half_way_loses_no_row_and_doubles_none(
    classifier: Classifier, shared_bundle: Path, tmp_path: Path
) -> None:
    pytest.importorskip("ray", reason="the ray extra is not installed")
    folder, out = write_shards(tmp_path / "shards", _SHARDS, _ROWS), tmp_path / "answers"
    (tmp_path / "home").mkdir()
    arguments = (shared_bundle, folder, "--out", out, "--engine", "ray", "--workers", "2")
    with _start(*arguments, environment={"HOME": str(tmp_path / "home")}) as process:
        killed = _kill_a_writer(out, half=2)
        printed, err = process.communicate(timeout=_LIMIT_S)
    assert (process.returncode, err) == (0, "")
    assert killed != process.pid
    assert printed.startswith(f"shards: {_SHARDS} done, 0 done before, 0 failed; rows: {_SHARDS * _ROWS}, 0 of them")
    assert visible(out) == visible(folder)
    expected = [classifier.classify(text).label for text in TEXTS]
    for path in sorted(folder.iterdir()):
        rows = answers(out / path.name)
        assert [row["no"] for row in rows] == [f"{path.stem}-{number}" for number in range(_ROWS)]
        assert [row["label"] for row in rows] == [expected[number % len(TEXTS)] for number in range(_ROWS)]
    # Nothing stays: neither Ray's token, nor its logs, nor a process.
    assert list((tmp_path / "home").iterdir()) == []
    assert not any(_names(process, str(out)) for process in Path("/proc").glob("[0-9]*"))


def _names(process: Path, word: str) -> bool:
    try:
        return word.encode() in (process / "cmdline").read_bytes()
    except OSError:
        return False


def test_a_running_cluster_is_joined_and_goes_on_where_another_run_ended(
    classifier: Classifier, bundle: Path, tmp_path: Path, cluster: tuple[str, dict[str, str]]
) -> None:
    address, secret = cluster
    folder, out = write_shards(tmp_path / "shards"), tmp_path / "answers"
    assert _run(bundle, folder, "--out", out)[0] == 0
    write_shard(folder / "new.jsonl", TEXTS * 2)
    (folder / "bad.csv").write_text("name\nx\n", encoding="utf-8")
    on_ray = (bundle, folder, "--out", out, "--engine", "ray", "--ray-address", address)
    code, printed, err = _run(*on_ray, environment=secret)
    assert (code, err.count("\n")) == (3, 1)
    assert "bad.csv has no column 'text', only: name; name another with --text-column NAME" in err
    assert printed == "shards: 1 done, 3 done before, 1 failed; rows: 40, 0 of them not accepted\n"
    assert [row["label"] for row in answers(out / "new.csv")] == [classifier.classify(text).label for text in TEXTS * 2]


def test_more_threads_than_any_machine_has_processors_are_refused_and_not_waited_for(
    shared_bundle: Path, tmp_path: Path, cluster: tuple[str, dict[str, str]]
) -> None:
    address, secret = cluster
    folder = write_shards(tmp_path / "shards")
    on_ray = (shared_bundle, folder, "--out", tmp_path / "out", "--engine", "ray", "--ray-address", address)
    code, out, err = _run(*on_ray, "--threads", "3", environment=secret)
    assert (code, out) == (2, "")
    assert err == (
        "gm-classify: no machine of the Ray cluster has the 3 processors that --threads asks for, the largest has 2; "
        "lower --threads, which are those of each worker\n"
    )


def test_a_cluster_that_is_not_there_is_told_at_once(shared_bundle: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="the ray extra is not installed")
    folder = write_shards(tmp_path / "shards")
    arguments = (shared_bundle, folder, "--out", tmp_path / "out", "--engine", "ray", "--ray-address", "127.0.0.1:1")
    code, out, err = _run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("gm-classify: no Ray cluster at 127.0.0.1:1 (ConnectionRefusedError: ")
    assert err.count("\n") == 1


def test_without_ray_a_line_names_the_extra(shared_bundle: Path, tmp_path: Path) -> None:
    folder = write_shards(tmp_path / "shards")
    code, _, err = _run(shared_bundle, folder, "--out", tmp_path / "out", "--engine", "ray", code=_LACKING)
    assert (code, err) == (2, 'gm-classify: --engine ray needs the package ray: pip install "gm-edge[ray]"\n')


def test_a_worker_refuses_another_bundle_than_the_run_began_with(bundle: Path, tmp_path: Path) -> None:
    work = job(bundle, write_shards(tmp_path / "shards"))
    with Classifier(bundle) as opened:
        worker = _Worker(opened.arguments(), work)
    edit_manifest(bundle, name="another")
    with pytest.raises(BundleError, match=r"^worker on .*: .*bundle is not the bundle that the run began with"):
        _outcome(worker({"name": "part-0.csv"}))
    assert not work.out.exists()
