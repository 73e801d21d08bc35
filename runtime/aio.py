"""Classifying from asyncio: the event loop goes on while threads run the model."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import TypeVar

from runtime.classifier import Classifier
from runtime.errors import BackendError, ConfigError
from runtime.prediction import Prediction

_Argument = TypeVar("_Argument")
_Result = TypeVar("_Result")


class AsyncClassifier:
    """Runs a classifier's calls in a few threads; what comes meanwhile waits in the event loop.

    A task that is cancelled while it waits leaves nothing behind. A call that runs already is finished, unheard,
    and keeps its thread until then. Use it in one event loop; a forked child may use it in a loop of its own.

    Example:
        >>> async def label(text: str) -> str:
        ...     async with AsyncClassifier(Classifier("bundle/")) as classifier:
        ...         return (await classifier.classify(text)).label

    Args:
        classifier: what classifies; it may be used and reloaded directly as well, and is not closed.
        workers: threads, at least 1; more than there are processors gain nothing.

    Raises:
        ConfigError: ``workers`` is less than that.
    """

    def __init__(self, classifier: Classifier, workers: int = 1) -> None:
        if workers < 1:
            raise ConfigError(f"workers must be at least 1, not {workers}")
        self._classifier = classifier
        self._workers = workers
        self._closed = False
        self._start()

    async def classify(self, text: str) -> Prediction:
        """Classify one text; see :meth:`Classifier.classify`."""
        return await self._run(self._classifier.classify, text)

    async def classify_many(self, texts: Iterable[str]) -> list[Prediction]:
        """Classify a list of texts in one call; see :meth:`Classifier.classify_many`."""
        return await self._run(self._classifier.classify_many, texts)

    async def close(self) -> None:
        """Let the running calls end, and the threads. A call that waits, or comes later, raises ``BackendError``."""
        self._closed = True
        self._start_after_fork()
        await asyncio.to_thread(self._pool.shutdown, wait=True)

    async def __aenter__(self) -> AsyncClassifier:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _start(self) -> None:
        self._pid = os.getpid()
        self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="gm-classify")
        # As many as threads: a call given to the pool starts, so that none piles up there when tasks are cancelled.
        self._places = asyncio.Semaphore(self._workers)

    def _start_after_fork(self) -> None:
        # A forked child has none of the threads, and calls of the parent hold places that nobody gives back there.
        if self._pid != os.getpid():
            self._start()
            if self._closed:
                self._pool.shutdown()

    async def _run(self, call: Callable[[_Argument], _Result], argument: _Argument) -> _Result:
        self._start_after_fork()
        await self._places.acquire()
        loop = asyncio.get_running_loop()
        future: Future[_Result] = Future()
        try:
            self._pool.submit(_make, future, call, argument)
        except RuntimeError as error:
            # The pool keeps a call for which the system refuses a thread. Unless another thread makes it already, it
            # is withdrawn: nobody would hear the answer.
            if future.cancel():
                self._places.release()
                raise self._refusal(error) from error
        # Not in a `finally` here: a cancelled task leaves at once, its thread may go on for a while.
        future.add_done_callback(lambda _future: self._give_back(loop))
        return await asyncio.wrap_future(future)

    def _refusal(self, error: RuntimeError) -> BackendError:
        if self._closed:
            return BackendError("the classifier is closed; make a new one")
        return BackendError(f"no thread takes the call ({error}); use fewer workers, or try again later")

    def _give_back(self, loop: asyncio.AbstractEventLoop) -> None:
        # The loop may have ended before the thread did; then nobody waits for the place.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(self._places.release)


def _make(future: Future[_Result], call: Callable[[_Argument], _Result], argument: _Argument) -> None:
    """Make a call, unless it was withdrawn."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(call(argument))
    except BaseException as error:
        future.set_exception(error)
