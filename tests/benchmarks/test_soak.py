"""The soak in small, and that it notices what it is there to notice."""

import io
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.soak import (
    Idle,
    Load,
    Memory,
    OneCpu,
    answers_alone,
    corrupt_copies,
    find_faults,
    hold_load,
    hold_memory,
    hold_still,
    main,
    on_one_cpu,
)
from benchmarks.speed import child
from runtime import BundleError, Classifier
from tests.runtime.small_bundles import TEXTS, write_bundle

SOUND = (Memory(10, 50.0, 50.5), Load(2, 20, 0, 4, 4, 1.0), Idle(60.0, 0.01), OneCpu(1, ""))


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle folder of this test's own."""
    return write_bundle(tmp_path / "bundle")


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A bundle that answers otherwise."""
    return write_bundle(tmp_path / "other", seed=3)


def test_calls_are_answered_right_through_reloads_and_corrupt_bundles(bundle: Path, other: Path) -> None:
    with Classifier(bundle) as classifier, corrupt_copies(bundle) as corrupt:
        load = hold_load(classifier, (bundle, other), corrupt, TEXTS, threads=4, calls=200, reloads=6)
    assert (load.threads, load.calls, load.wrong, load.reloads, load.refused) == (4, 800, 0, 6, 6)


def test_an_answer_of_neither_bundle_is_wrong(bundle: Path, other: Path) -> None:
    with Classifier(other) as classifier:
        load = hold_load(classifier, (bundle,), [], TEXTS, threads=1, calls=len(TEXTS), reloads=0)
    alone = [answers_alone([path], TEXTS) for path in (bundle, other)]
    differing = sum(alone[0][text] != alone[1][text] for text in TEXTS)
    assert load.wrong == differing > 0


def test_every_corrupt_copy_is_refused_and_the_bundle_left_alone(bundle: Path) -> None:
    with corrupt_copies(bundle) as corrupt:
        assert len(corrupt) == 3
        for path in corrupt:
            with pytest.raises(BundleError):
                Classifier(path)
    assert Classifier(bundle).classify(TEXTS[0]).label


class Hoarder:
    """Labels texts and forgets none."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def label(self, text: str) -> str:
        """Keep the text."""
        self.texts.append(text)
        return "label"

    def labels(self, texts: Sequence[str]) -> list[str]:
        """Keep the texts."""
        return [self.label(text) for text in texts]


def test_memory_is_that_after_the_first_calls_and_after_all(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hoarder = Hoarder()
    monkeypatch.setattr(child, "resident", lambda: len(hoarder.texts))
    monkeypatch.setattr("sys.stdin", io.StringIO("甲\n乙\n丙\n"))
    child.hold(hoarder, 4, 3)
    assert capsys.readouterr().out.split() == ["4", "7"]
    assert hoarder.texts == ["甲", "乙", "丙", "甲", "乙", "丙", "甲"]


def test_memory_is_that_of_a_process_that_only_classifies(bundle: Path) -> None:
    found = hold_memory(bundle, TEXTS, 25)
    assert found.calls == 25
    assert 20 < found.warm <= found.end + 1 < 100


def test_rest_costs_next_to_nothing() -> None:
    assert hold_still(0.2).cpu < 0.1


def test_a_sound_run_has_no_fault() -> None:
    assert find_faults(*SOUND) == []


@pytest.mark.parametrize(
    ("place", "bad", "says"),
    [
        (0, Memory(10, 50.0, 52.0), "memory grew by 2.0 MB"),
        (1, Load(2, 20, 3, 4, 4, 1.0), "3 wrong answers"),
        (1, Load(2, 20, 0, 4, 3, 1.0), "1 corrupt bundles were taken"),
        (2, Idle(60.0, 5.0), "5.0 CPU seconds at rest"),
        (3, OneCpu(4, ""), "more threads"),
        (3, OneCpu(1, "pthread_setaffinity_np failed"), "it complains: pthread"),
    ],
)
def test_each_fault_is_named(place: int, bad: Memory | Load | Idle | OneCpu, says: str) -> None:
    found: list[object] = [*SOUND]
    found[place] = bad
    (fault,) = find_faults(*found)  # type: ignore[arg-type]
    assert says in fault


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads in /proc")
def test_one_cpu_gets_one_thread_and_no_complaint(bundle: Path) -> None:
    assert on_one_cpu(bundle) == OneCpu(1, "")


@pytest.mark.parametrize(("options", "memory_calls"), [([], 50), (["--memory-calls", "70"], 70)])
def test_the_command_writes_what_it_found(
    options: list[str], memory_calls: int, bundle: Path, other: Path, tmp_path: Path
) -> None:
    out = tmp_path / "soak.json"
    arguments = [bundle, other, "--threads", 2, "--calls", 50, "--reloads", 3, "--idle", 0, "--out", out]
    main([*map(str, arguments), *options], standalone_mode=False)
    found = json.loads(out.read_text())
    assert found["faults"] == []
    assert found["load"]["calls"] == 100
    assert found["memory"]["calls"] == memory_calls
    assert {"machine", "memory", "idle", "one_cpu"} <= set(found)
