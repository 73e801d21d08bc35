"""Classifying from asyncio: answers, bounds, cancellation. The classifier is real; only its pace is held back."""

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest

from runtime import BackendError, Classifier, ConfigError, Prediction
from runtime.aio import AsyncClassifier
from tests.runtime.processes import run_python
from tests.runtime.small_bundles import TEXTS


class Held(Classifier):
    """A classifier whose calls wait for a gate; it knows how many run at a time."""

    def __init__(self, bundle: Path) -> None:
        super().__init__(bundle)
        self.gate = threading.Event()
        self.running = self.most = self.calls = 0
        self.count = threading.Lock()

    def classify(self, text: str) -> Prediction:
        """Classify, once the gate is open."""
        with self._counted():
            assert self.gate.wait(20)
            return super().classify(text)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self.count:
            self.calls += 1
            self.running += 1
            self.most = max(self.most, self.running)
        yield
        with self.count:
            self.running -= 1


async def _until(held: Held, running: int) -> None:
    """Wait until so many calls run."""
    end = monotonic() + 20
    while held.running != running and monotonic() < end:
        await asyncio.sleep(0.001)
    assert held.running == running


def test_answers_are_those_of_the_classifier(classifier: Classifier) -> None:
    async def answers() -> tuple[list[Prediction], list[Prediction]]:
        async with AsyncClassifier(classifier, workers=2) as served:
            one_by_one = await asyncio.gather(*(served.classify(text) for text in TEXTS))
            return list(one_by_one), await served.classify_many(iter(TEXTS))

    alone, together = asyncio.run(answers())
    assert alone == [classifier.classify(text) for text in TEXTS]
    assert together == classifier.classify_many(TEXTS)


def test_errors_reach_the_caller_and_free_the_place(classifier: Classifier) -> None:
    async def use() -> str:
        async with AsyncClassifier(classifier, workers=1) as served:
            for _ in range(3):
                with pytest.raises(TypeError, match="must be a str"):
                    await served.classify(b"bytes")  # type: ignore[arg-type]
            return (await served.classify(TEXTS[0])).label

    assert asyncio.run(use()) == classifier.classify(TEXTS[0]).label


def test_the_loop_goes_on_while_the_model_runs(bundle: Path) -> None:
    async def use() -> str:
        held = Held(bundle)
        async with AsyncClassifier(held) as served:
            task = asyncio.create_task(served.classify(TEXTS[0]))
            await _until(held, running=1)
            held.gate.set()
            return (await task).label

    assert asyncio.run(use()) == Classifier(bundle).classify(TEXTS[0]).label


def test_no_more_run_than_workers_and_none_queue_in_the_pool(bundle: Path) -> None:
    async def use() -> Held:
        held = Held(bundle)
        async with AsyncClassifier(held, workers=2) as served:
            tasks = [asyncio.create_task(served.classify(text)) for text in TEXTS * 4]
            await _until(held, running=2)
            assert served._pool._work_queue.qsize() == 0
            held.gate.set()
            await asyncio.gather(*tasks)
        return held

    held = asyncio.run(use())
    assert (held.most, held.calls) == (2, 4 * len(TEXTS))


def test_a_cancelled_call_is_never_made_or_ends_unheard_and_its_place_is_free_again(bundle: Path) -> None:
    async def use() -> Held:
        held = Held(bundle)
        async with AsyncClassifier(held, workers=1) as served:
            running, first, second = (asyncio.create_task(served.classify(TEXTS[0])) for _ in range(3))
            await _until(held, running=1)
            for task in (running, first, second):
                task.cancel()
            results = await asyncio.gather(running, first, second, return_exceptions=True)
            assert [type(result) for result in results] == [asyncio.CancelledError] * 3
            assert held.running == 1
            held.gate.set()
            await asyncio.gather(*(served.classify(text) for text in TEXTS))
        return held

    held = asyncio.run(use())
    # The two that waited were never made.
    assert held.calls == 1 + len(TEXTS)
    assert held.most == 1


def test_a_timeout_is_a_cancellation(bundle: Path) -> None:
    async def use() -> str:
        held = Held(bundle)
        async with AsyncClassifier(held) as served:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(served.classify(TEXTS[0]), 0.01)
            held.gate.set()
            return (await served.classify(TEXTS[0])).label

    assert asyncio.run(use())


def test_closing_ends_what_waits_and_refuses_what_comes(bundle: Path) -> None:
    async def use() -> None:
        held = Held(bundle)
        served = AsyncClassifier(held, workers=1)
        running, queued = (asyncio.create_task(served.classify(TEXTS[0])) for _ in range(2))
        await _until(held, running=1)
        closing = asyncio.create_task(served.close())
        held.gate.set()
        await closing
        assert (await running).label
        with pytest.raises(BackendError, match="closed"):
            await queued
        for _ in range(100):
            with pytest.raises(BackendError, match="closed"):
                await served.classify(TEXTS[0])
        assert held.classify(TEXTS[0]).label

    asyncio.run(use())


@pytest.mark.parametrize("running", [0, 1])
def test_a_call_for_which_there_is_no_thread_says_so_and_is_not_made_later(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, running: int
) -> None:
    def refused(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def use() -> Held:
        held = Held(bundle)
        async with AsyncClassifier(held, workers=2) as served:
            calls = [asyncio.create_task(served.classify(TEXTS[0])) for _ in range(running)]
            await _until(held, running)
            with monkeypatch.context() as patch:
                patch.setattr(threading.Thread, "start", refused)
                for _ in range(3):
                    with pytest.raises(BackendError, match=r"^no thread takes the call \(can't start new thread\); "):
                        await served.classify(TEXTS[1])
            held.gate.set()
            await asyncio.gather(*calls)
            assert (await served.classify(TEXTS[2])).label
        return held

    held = asyncio.run(use())
    assert held.calls == running + 1
    assert held.stats().texts == running + 1


def test_a_loop_that_ends_before_the_thread_is_no_error(bundle: Path) -> None:
    held = Held(bundle)

    async def leave() -> AsyncClassifier:
        served = AsyncClassifier(held)
        asyncio.create_task(served.classify(TEXTS[0]))  # noqa: RUF006 - asyncio.run cancels it
        await _until(held, running=1)
        return served

    served = asyncio.run(leave())
    held.gate.set()
    served._pool.shutdown()
    assert held.stats().texts == 1


# The child has an alarm, so that a call which never returned would end it.
_FORK = """
import asyncio, os, signal
from runtime import AsyncClassifier, BackendError, Classifier
served = AsyncClassifier(Classifier({bundle!r}), workers=1)
async def label():
    return (await served.classify("乙醇")).label
def child_says(answer):
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        os.write(writing, answer().encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    return os.read(reading, 1000).decode()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_answers_even_if_a_call_of_the_parent_had_the_only_place(
    classifier: Classifier, shared_bundle: Path
) -> None:
    code = """
async def fork_while_a_call_runs():
    task = asyncio.create_task(label())
    await asyncio.sleep(0)
    answer = child_says(lambda: asyncio.run(label()))
    assert answer == await task == await label(), answer
    print(answer)
asyncio.run(fork_while_a_call_runs())
"""
    assert run_python(_FORK.format(bundle=str(shared_bundle)) + code).stdout == f"{classifier.classify('乙醇').label}\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.parametrize("closed_by", ["parent", "child"])
def test_what_was_closed_is_closed_in_a_forked_child_too(shared_bundle: Path, closed_by: str) -> None:
    code = f"""
asyncio.run(label())
def refusal():
    try:
        if {closed_by == "child"}:
            asyncio.run(served.close())
        return asyncio.run(label())
    except BackendError as error:
        return str(error)
if {closed_by == "parent"}:
    asyncio.run(served.close())
print(child_says(refusal))
"""
    closed = "the classifier is closed; make a new one\n"
    assert run_python(_FORK.format(bundle=str(shared_bundle)) + code).stdout == closed


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_that_used_it_ends_by_itself(shared_bundle: Path) -> None:
    code = """
import sys
asyncio.run(label())
child = os.fork()
if child == 0:
    signal.alarm(20)
    asyncio.run(label())
    sys.exit(7)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert run_python(_FORK.format(bundle=str(shared_bundle)) + code).returncode == 7


def test_no_worker_is_refused(classifier: Classifier) -> None:
    with pytest.raises(ConfigError, match="at least"):
        AsyncClassifier(classifier, 0)
