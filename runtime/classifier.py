"""The classifier that a host program holds: loading, serving, replacing and counting."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from itertools import count, islice
from time import perf_counter_ns
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from runtime.bundles.signature import read_public_key
from runtime.engine import Engine
from runtime.errors import BackendError
from runtime.fork import after_fork, leak
from runtime.loading import Loader, refuse_other_bundle
from runtime.monitoring.drift import measure_drift
from runtime.monitoring.stats import Counts, Stats
from runtime.prediction import Prediction
from runtime.selftest import SelfTest, run_selftest

if TYPE_CHECKING:
    from runtime.bundles.bundle import BundleInfo
    from runtime.monitoring.audit import AuditLog


class Classifier:
    """Classifies texts with the model of a bundle.

    Any number of threads may share one. A pickle holds the path and the settings only: the receiver opens the bundle
    again. So does a forked child, because an inference session does not survive a fork. Both refuse another bundle that
    has taken the path meanwhile, so give a new bundle a path of its own, and :meth:`reload` it. OpenVINO as a whole
    does not survive a fork either: in the child onnxruntime takes over, and ``stats().fallback`` says so from the first
    text on.

    Example:
        >>> with Classifier("bundle/") as classifier:  # doctest: +SKIP
        ...     print(classifier.classify("aluminium sulphate, 25 kg bag").label)

    Args:
        bundle: bundle folder or ``.gmb`` file.
        backend: ``auto``, ``onnx``, ``openvino`` or ``fp32``; ``auto`` is ``onnx``, or ``openvino`` where
            the bundle was exported for that alone.
        threads: threads of one call, limited to the processors that this process may use. The models
            are so small that more than 1 seldom pays; calling from several threads does.
        public_key: path of an Ed25519 public key in PEM form, or its content, or its 32 bytes. Bundles that
            its owner did not sign are then refused. None: signatures are not looked at.
        max_error: accept only texts whose score is so high that, with 95 % confidence, at most this share of
            them gets a wrong label, as long as texts are like those of the development set; the threshold was
            fitted to the model that serves by default. None: accept by the thresholds of the bundle.
        selftest: ``load``: replay the golden texts whenever a bundle is loaded; if this device decides differently
            from the exporting machine, serve the fp32 model, or refuse if there is none. ``off``: do not.
        audit: records every decision.
        cascade: where the bundle has a cascade, its head answers the texts it is sure of. Off, the model answers all.

    Raises:
        BundleError: it is not a valid bundle; IntegrityError, SignatureError and VersionError say so more precisely.
        BackendError: the model cannot be loaded or run, or fails the self-test.
        ConfigError: unknown backend, bad number of threads, no usable key, a package is not installed, or the
            bundle cannot promise ``max_error``; the message says what it can.
    """

    def __init__(
        self,
        bundle: str | os.PathLike[str],
        backend: str = "auto",
        threads: int = 1,
        public_key: str | os.PathLike[str] | bytes | None = None,
        max_error: float | None = None,
        selftest: Literal["off", "load"] = "off",
        audit: AuditLog | None = None,
        cascade: bool = True,
    ) -> None:
        # Read once: what a classifier trusts is not to change with a file.
        key = None if public_key is None else read_public_key(public_key)
        self._loader = Loader(backend, threads, key, max_error, selftest, cascade)
        self._engine: Engine | None
        self._engine, self._health = self._loader.load(bundle)
        self._info = self._engine.info
        self._audit = audit
        self._closed = False
        self._start_counting()
        after_fork(self, Classifier._after_fork)

    @property
    def bundle(self) -> BundleInfo:
        """Which bundle serves."""
        return (self._engine or self._reopened()).info

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names, in the order of ``Prediction.logits``."""
        return (self._engine or self._reopened()).labels

    def classify(self, text: str) -> Prediction:
        """Classify one text.

        Raises:
            TypeError: ``text`` is not a ``str``. No ``str`` raises.
            BundleError: in a forked child, at its first call: the bundle is no longer where it was, or is another.
        """
        if not isinstance(text, str):
            raise TypeError(f"text must be a str, not {type(text).__name__}")
        start = perf_counter_ns()
        engine = self._engine or self._reopened()
        prediction = engine.classify(text)
        self._counts.add(prediction, perf_counter_ns() - start, engine.info.sha256)
        if self._audit is not None:
            self._audit.write(engine.info, (text,), (prediction,))
        return prediction

    def classify_many(self, texts: Iterable[str]) -> list[Prediction]:
        """Classify a list of texts; the predictions stand in the same order.

        A text gets the label that :meth:`classify` gives it, whatever stands beside it; logits and score
        agree to six digits, because sums are rounded in another order.

        Raises:
            TypeError: ``texts`` is itself a ``str``, or holds something else; the message has the index.
        """
        _refuse_one_str(texts)
        return self._many(list(texts), 0)

    def classify_stream(self, texts: Iterable[str], chunk: int = 4096) -> Iterator[Prediction]:
        """Yield the prediction of each text, taking ``chunk`` texts at a time from ``texts``.

        Each chunk is answered by the bundle that serves when it is taken: after :meth:`reload`, the next ones by the
        new bundle.

        Raises:
            TypeError: as :meth:`classify_many`.
            ValueError: ``chunk`` is less than 1.
        """
        _refuse_one_str(texts)
        if chunk < 1:
            raise ValueError(f"chunk must be at least 1, not {chunk}")
        return self._stream(iter(texts), chunk)

    def selftest(self) -> SelfTest:
        """Replay the bundle's golden texts on this device and compare with the exporting machine.

        Raises:
            BundleError: the bundle has no valid golden texts.
        """
        return run_selftest(self._engine or self._reopened())

    def reload(self, bundle: str | os.PathLike[str]) -> None:
        """Serve another bundle from now on; a call that is under way ends with the old one.

        A :meth:`classify_stream` that is under way, however, switches to the new one at its next chunk.

        The new bundle is opened and tried first, with the settings given to the constructor. If that fails,
        the old one goes on serving, and the error raised is the one that the constructor would raise.
        """
        engine, health = self._loader.load(bundle)
        with self._lock:
            self._refuse_if_closed()
            self._engine = engine
            self._health = health
            self._info = engine.info
            self._counts.serve(engine.info.sha256)

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of the constructor, by name, for another process to make the same classifier.

        Raises:
            BackendError: the classifier is closed.
        """
        return self._arguments(self._info)

    def stats(self) -> Stats:
        """Return the counts so far, and what serves."""
        with self._lock:
            engine, info, health, recent = self._engine, self._info, self._health, self._counts.recent()
        summary = self._counts.summary(info, health, self._audit.failures if self._audit else 0)
        if engine is None or engine.reference is None:
            return summary
        return replace(summary, drift=measure_drift(recent, engine.labels, engine.reference))

    def close(self) -> None:
        """Release the model. Using the classifier afterwards raises ``BackendError``; closing again does not."""
        with self._lock:
            self._closed = True
            self._engine = None

    def __enter__(self) -> Classifier:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Classifier({str(self._info.path)!r}, backend={self._loader.backend!r}, threads={self._loader.threads})"

    def __getstate__(self) -> dict[str, Any]:
        info = self._info  # once: a reload may change it at any time
        return {"sha256": info.sha256, "arguments": self._arguments(info)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state["arguments"])  # type: ignore[misc]  # a pickle makes a new classifier of the same bundle
        refuse_other_bundle(self._info, state["sha256"])

    def _arguments(self, info: BundleInfo) -> dict[str, Any]:
        self._refuse_if_closed()
        return {"bundle": info.path, **asdict(self._loader), "audit": self._audit}

    def _stream(self, texts: Iterator[str], chunk: int) -> Iterator[Prediction]:
        for first in count(step=chunk):
            taken = list(islice(texts, chunk))
            if not taken:
                return
            yield from self._many(taken, first)

    def _many(self, texts: Sequence[str], first: int) -> list[Prediction]:
        for index, text in enumerate(texts, first):
            if not isinstance(text, str):
                raise TypeError(f"texts[{index}] must be a str, not {type(text).__name__}")
        engine = self._engine or self._reopened()
        predictions = engine.classify_many(texts)
        self._counts.add_many(predictions, engine.info.sha256)
        if self._audit is not None:
            self._audit.write(engine.info, texts, predictions)
        return predictions

    def _start_counting(self) -> None:
        self._lock = threading.Lock()
        self._counts = Counts(self._info.sha256)

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise BackendError("the classifier is closed; make a new one")

    def _reopened(self) -> Engine:
        """Return the engine of a forked child, made at its first use."""
        with self._lock:
            self._refuse_if_closed()
            if self._engine is None:
                self._engine, self._health = self._loader.load(self._info.path, self._info.sha256)
            return self._engine

    def _after_fork(self) -> None:
        # Another thread may have held the lock, and no other thread lives on in the child. The session's
        # threads are gone as well: destroying it would wait for them for ever, so it is never freed.
        if self._engine is not None:
            leak(self._engine)
            self._engine = None
        self._start_counting()


def _refuse_one_str(texts: object) -> None:
    if isinstance(texts, str):
        raise TypeError("texts must hold one str for each text, not be a str; use classify for one text")
