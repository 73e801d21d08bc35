"""The end of a run: scores, and the files that every run on labelled texts writes."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from distill.data.corpus import Corpus
from distill.runs.run_folder import RunFolder
from distill.training.metrics import accuracy, macro_f1
from distill.training.predict import prediction_rows


def score(labels: Tensor, logits: Tensor) -> dict[str, float]:
    """Return accuracy and macro-F1 of logits ``[n, C]`` on class ids ``[n]``, both on the CPU."""
    truth, predicted = labels.numpy(), logits.argmax(1).numpy()
    return {"accuracy": accuracy(truth, predicted), "macro_f1": macro_f1(truth, predicted, logits.shape[1])}


def save_outcome(run: RunFolder, corpus: Corpus, logits: Mapping[str, Tensor]) -> None:
    """Write predictions, class names, and hashes of the texts that were learned.

    Args:
        run: is written to.
        corpus: what it learned and was scored on.
        logits: by ``dev`` and ``test``, ``[n, C]`` on the CPU, in the order of the data.

    Raises:
        DataError: ``run`` cannot be written.
    """
    for split, examples in (("dev", corpus.dev), ("test", corpus.test)):
        texts, labels = [example.text for example in examples], [example.label for example in examples]
        run.save_predictions(split, prediction_rows(texts, labels, logits[split].numpy(), corpus.labels))
    run.save_labels(corpus.labels)
    run.save_learned(corpus.train + corpus.dev)
