"""Our side of the comparison: the runtime as a host program calls it."""

from __future__ import annotations

from collections.abc import Sequence

from runtime import Classifier


class Runtime:
    """A :class:`runtime.Classifier` on one backend and one thread.

    Args:
        bundle: path of the bundle.
        backend: of the model.
        cascade: ``cascade``: its head answers what it is sure of; otherwise the model answers all.
    """

    def __init__(self, bundle: str, backend: str, cascade: str = "") -> None:
        self._classifier = Classifier(bundle, backend=backend, threads=1, cascade=cascade == "cascade")

    def label(self, text: str) -> str:
        """Return the label of one text."""
        return self._classifier.classify(text).label

    def labels(self, texts: Sequence[str]) -> list[str]:
        """Return the labels of many texts."""
        return [prediction.label for prediction in self._classifier.classify_many(list(texts))]
