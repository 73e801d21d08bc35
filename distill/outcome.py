"""What logits come to: scores on a split."""

from __future__ import annotations

from torch import Tensor

from distill.metrics import accuracy, macro_f1


def score(labels: Tensor, logits: Tensor) -> dict[str, float]:
    """Return accuracy and macro-F1 of logits ``[n, C]`` on class ids ``[n]``, both on the CPU."""
    truth, predicted = labels.numpy(), logits.argmax(1).numpy()
    return {"accuracy": accuracy(truth, predicted), "macro_f1": macro_f1(truth, predicted, logits.shape[1])}
