"""One loaded bundle: from a text to a prediction. It never changes once it is made."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import numpy.typing as npt

from runtime.backends import Backend, open_backend
from runtime.bundles.bundle import Bundle
from runtime.bundles.manifest import Thresholds
from runtime.bundles.reference import Reference, read_reference
from runtime.cascade import read_cascade
from runtime.confidence import accepts, best
from runtime.errors import BundleError, ConfigError
from runtime.prediction import Prediction, Reason, Sealed
from runtime.tokenizer import CharTokenizer, Encoding

Logits = npt.NDArray[np.float32]

# Texts tokenised at a time: enough of each length to fill batches.
_CHUNK = 4096


class Engine:
    """Tokeniser, cascade, model and thresholds of a bundle, checked to fit each other.

    Args:
        bundle: an opened bundle.
        backend: see :func:`runtime.backends.open_backend`.
        threads: of one call.
        max_error: see :class:`runtime.classifier.Classifier`.
        cascade: likewise.

    Raises:
        ConfigError: unknown backend, its package is not installed, or ``max_error`` cannot be promised.
        BundleError: the parts of the bundle do not fit each other.
        BackendError: the model cannot be loaded or run.
    """

    def __init__(
        self, bundle: Bundle, backend: str, threads: int, max_error: float | None = None, cascade: bool = True
    ) -> None:
        manifest = bundle.manifest
        self.bundle = bundle
        self.info = bundle.info
        self.labels = manifest.labels
        self.reference = read_reference(bundle)
        thresholds = manifest.thresholds
        # The model comes last: nothing of it is parsed if anything else is wrong.
        tokenizer = bundle.tokenizer()
        found = read_cascade(bundle) if cascade else None
        self._head = found.head.logits if found else None
        self._temperature = manifest.temperature
        if found:
            self._sure = found.entry.threshold
            self._temperature = found.entry.temperature
            self.reference = found.entry.reference
            thresholds = replace(thresholds, default=found.entry.accepted_from)
        self._thresholds = _thresholds(bundle, thresholds, self.reference, max_error)
        self.backend = open_backend(bundle, backend, threads)
        self._encode = tokenizer.encode
        self._max_unknown = manifest.max_unknown
        _check_fit(self.backend, tokenizer, bundle)
        no_logits = np.empty(0, np.float32)
        no_logits.setflags(write=False)
        self._empty = Prediction("", 0.0, no_logits, False, Reason.EMPTY, 0.0, (), self._temperature)

    def classify(self, text: str) -> Prediction:
        """Return the prediction of one text."""
        encoding = self._encode(text)
        # Checked here, not in a function for every text: with single texts each extra call is measurable.
        if self._head is not None or not len(encoding.ids):
            prediction = self._without_model(encoding)
            if prediction is not None:
                return prediction
        logits = self.backend.run(encoding.ids[np.newaxis])[0]
        index, score = best(logits, self._temperature)
        return self._predict(encoding, logits, index, score, self._temperature, False)

    def classify_by_model(self, text: str) -> Prediction:
        """Return the prediction of one text without asking the cascade's head, which would hide a broken model."""
        encoding = self._encode(text)
        if not len(encoding.ids):
            return self._empty
        return self._judge(encoding, self.backend.run(encoding.ids[np.newaxis])[0])

    def classify_many(self, texts: Sequence[str]) -> list[Prediction]:
        """Return the predictions of ``texts``, in their order; a call of the model has texts of one length only."""
        chunks = (texts[start : start + _CHUNK] for start in range(0, len(texts), _CHUNK))
        return [prediction for chunk in chunks for prediction in self._classify_chunk(chunk)]

    def _classify_chunk(self, texts: Sequence[str]) -> list[Prediction]:
        encodings = [self._encode(text) for text in texts]
        predictions = [self._without_model(encoding) for encoding in encodings]
        waiting = [row for row, prediction in enumerate(predictions) if prediction is None]
        for rows in _batches(waiting, encodings, self.backend.batch_tokens):
            logits = self.backend.run(np.stack([encodings[row].ids for row in rows]))
            for row, row_logits in zip(rows, logits, strict=True):
                predictions[row] = self._judge(encodings[row], row_logits)
        return cast(list[Prediction], predictions)

    def _without_model(self, encoding: Encoding) -> Prediction | None:
        """Return the prediction of a text that needs no model: it is empty, or the cascade's head is sure of it.

        Texts unlike those that the head was fitted on, truncated or with too many unknown characters, go to the model.
        """
        if not len(encoding.ids):
            return self._empty
        if self._head is None or encoding.truncated or encoding.unknown > self._max_unknown:
            return None
        logits = self._head(encoding.ids)
        index, score = best(logits, 1.0)
        return self._predict(encoding, logits, index, score, 1.0, True) if accepts(score, self._sure) else None

    def _judge(self, encoding: Encoding, logits: Logits) -> Prediction:
        index, score = best(logits, self._temperature)
        return self._predict(encoding, logits, index, score, self._temperature, False)

    def _predict(
        self, encoding: Encoding, logits: Logits, index: int, score: float, temperature: float, by_head: bool
    ) -> Prediction:
        if encoding.unknown > self._max_unknown:
            accepted, reason = False, Reason.UNKNOWN_TEXT
        elif not accepts(score, self._thresholds[index]):
            accepted, reason = False, Reason.LOW_CONFIDENCE
        else:
            accepted, reason = True, Reason.TRUNCATED if encoding.truncated else Reason.OK
        logits.setflags(write=False)
        return Sealed(  # type: ignore[return-value]  # which makes itself a Prediction
            self.labels[index],
            score,
            logits,
            accepted,
            reason,
            encoding.unknown,
            self.labels,
            temperature,
            by_head,
        )


def _thresholds(
    bundle: Bundle, thresholds: Thresholds, reference: Reference | None, max_error: float | None
) -> list[float]:
    labels = bundle.manifest.labels
    if max_error is None:
        return [thresholds.of(label) for label in labels]
    if reference is None:
        raise ConfigError(f"{bundle.path}: carries no promises, so max_error cannot be kept; export it again")
    return [reference.threshold(max_error, str(bundle.path))] * len(labels)


def _batches(waiting: Sequence[int], encodings: Sequence[Encoding], batch_tokens: int) -> Iterator[list[int]]:
    """Yield the indices of ``waiting`` in groups of texts of one length, ``batch_tokens`` ids at most or one text."""
    by_length: dict[int, list[int]] = defaultdict(list)
    for index in waiting:
        by_length[len(encodings[index].ids)].append(index)
    for length, group in by_length.items():
        rows = max(1, batch_tokens // length)
        for start in range(0, len(group), rows):
            yield group[start : start + rows]


def _check_fit(backend: Backend, tokenizer: CharTokenizer, bundle: Bundle) -> None:
    """Run the last id of the vocabulary at the greatest length, so that no later text can find a limit."""
    logits = backend.run(np.full((1, tokenizer.max_len), tokenizer.size - 1, np.int32))
    classes = len(bundle.manifest.labels)
    if logits.shape != (1, classes):
        raise BundleError(
            f"{bundle.path}: the manifest has {classes} labels but the {backend.name} model returns "
            f"{list(logits.shape)} logits for one text; export the bundle again"
        )
