"""What a classifier counts while it serves: cheaply, call by call, and summed up when asked."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from runtime.bundles.bundle import BundleInfo
from runtime.loading import Health
from runtime.monitoring.drift import Drift
from runtime.prediction import Prediction, Reason
from runtime.selftest import SelfTest

BOUNDS = tuple(digit * 10**zeros for zeros in range(4, 9) for digit in (1, 2, 5))
"""Upper bounds of the latency buckets in nanoseconds, 10 µs to 0.5 s; a last bucket holds what takes longer."""
RECENT = 4096
"""The latest texts, from which drift is measured."""
# Seldom enough that the one call which counts them all does not show among the slowest in a hundred.
_BATCH = 256


@dataclass(frozen=True, slots=True)
class Latency:
    """Time that calls of ``classify`` took, waiting for a processor included.

    Attributes:
        bounds: upper bounds of the buckets in seconds, rising.
        counts: calls in each bucket, not cumulative; one more than ``bounds``, the last with all slower calls.
        seconds: sum of all.
    """

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Stats:
    """What a classifier did in this process, and what serves.

    Attributes:
        bundle: name of the bundle that serves.
        sha256: of its manifest.
        texts: all texts since the classifier was made, whichever bundle served.
        labels: texts by label; an empty text counts under ``""``.
        reasons: texts by reason.
        latency: of the calls of ``classify``; calls with many texts are not counted.
        unknown: mean share of unknown characters in a text, 0 to 1.
        drift: of the latest 4096 texts that the bundle answered since it was loaded; ``None`` before the first, or
            where the bundle, written by an older release, has nothing to compare with.
        backend: key in the manifest of the model that serves.
        selftest: how it did in the self-test at load; ``None`` when there was none.
        fallback: why it is not the one asked for; empty when it is.
        audit_failures: decisions that the audit log could not write.
        by_head: texts that the head of the bundle's cascade answered.
    """

    bundle: str
    sha256: str
    texts: int
    labels: dict[str, int]
    reasons: dict[str, int]
    latency: Latency
    unknown: float
    drift: Drift | None
    backend: str
    selftest: SelfTest | None
    fallback: str
    audit_failures: int = 0
    by_head: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return asdict(self)

    def to_prometheus(self) -> str:
        """Return everything in the text format that Prometheus scrapes."""
        from runtime.monitoring.prometheus import exposition

        return exposition(self)


class Counts:
    """Counts that any thread adds to.

    A call only leaves its prediction behind. Counting needs code and data that the model has pushed out of the
    processor's cache; done for many predictions at a time it costs each a fraction.

    Args:
        serving: SHA-256 of the manifest of the bundle that serves; each prediction is added with that of its bundle.
    """

    def __init__(self, serving: str) -> None:
        self._lock = threading.Lock()
        self._serving = serving
        self._waiting: deque[tuple[Prediction, int, str]] = deque()
        self._recent: deque[tuple[str, float]] = deque(maxlen=RECENT)
        self._texts: Counter[tuple[str, Reason]] = Counter()
        self._buckets = [0] * (len(BOUNDS) + 1)
        self._nanoseconds = 0
        self._unknown = 0.0
        self._by_head = 0

    def add(self, prediction: Prediction, nanoseconds: int, bundle: str) -> None:
        """Count the prediction of one call and the time it took."""
        self._waiting.append((prediction, nanoseconds, bundle))
        if len(self._waiting) >= _BATCH:
            with self._lock:
                self._count_waiting()

    def add_many(self, predictions: Sequence[Prediction], bundle: str) -> None:
        """Count the predictions of one call."""
        with self._lock:
            self._count_waiting()
            self._count(predictions)
            if bundle == self._serving:
                self._remember(predictions)

    def serve(self, bundle: str) -> None:
        """Measure drift from now on, and on predictions of this bundle only."""
        with self._lock:
            self._count_waiting()
            self._recent.clear()
            self._serving = bundle

    def recent(self) -> tuple[tuple[str, float], ...]:
        """Return label and score of the latest texts."""
        with self._lock:
            self._count_waiting()
            return tuple(self._recent)

    def summary(self, bundle: BundleInfo, health: Health, audit_failures: int = 0) -> Stats:
        """Return the sums so far, without drift."""
        with self._lock:
            self._count_waiting()
            return self._summary(bundle, health, audit_failures)

    def _count_waiting(self) -> None:
        # Other threads may append meanwhile: what they do is counted now or next time.
        taken = [self._waiting.popleft() for _ in range(len(self._waiting))]
        for _, nanoseconds, _ in taken:
            self._buckets[bisect_left(BOUNDS, nanoseconds)] += 1
            self._nanoseconds += nanoseconds
        self._count([prediction for prediction, _, _ in taken])
        # What was under way at a reload ends with the old bundle: the reference of the new one says nothing about it.
        self._remember([prediction for prediction, _, bundle in taken if bundle == self._serving])

    def _count(self, predictions: Sequence[Prediction]) -> None:
        self._texts.update([(prediction.label, prediction.reason) for prediction in predictions])
        self._unknown += sum([prediction.unknown for prediction in predictions])
        self._by_head += sum([prediction.by_head for prediction in predictions])

    def _remember(self, predictions: Sequence[Prediction]) -> None:
        self._recent.extend([(prediction.label, prediction.score) for prediction in predictions[-RECENT:]])

    def _summary(self, bundle: BundleInfo, health: Health, audit_failures: int) -> Stats:
        labels: Counter[str] = Counter()
        reasons: Counter[str] = Counter()
        for (label, reason), texts in self._texts.items():
            labels[label] += texts
            reasons[reason.value] += texts
        texts = labels.total()
        return Stats(
            bundle=bundle.name,
            sha256=bundle.sha256,
            texts=texts,
            labels=dict(labels),
            reasons=dict(reasons),
            latency=Latency(tuple(bound / 1e9 for bound in BOUNDS), tuple(self._buckets), self._nanoseconds / 1e9),
            unknown=self._unknown / texts if texts else 0.0,
            drift=None,
            backend=health.backend,
            selftest=health.selftest,
            fallback=health.fallback,
            audit_failures=audit_failures,
            by_head=self._by_head,
        )
