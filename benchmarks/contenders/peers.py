"""The peers at run time: how a user of each would call it. Heavy imports stand inside the constructors.

Each takes a folder that :mod:`benchmarks.contenders.peer_models` has filled, runs on one thread and knows no network.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

BATCH_SIZE = 32
"""Texts in a batch of the Transformer peers in bulk: of 1, 8, 32 and 64 within a tenth of their best."""
NO_BREAK_SPACE = "\u00a0"
"""Stands for a blank in the labels of fastText."""


class TorchPipeline:
    """``transformers.pipeline("text-classification")`` over torch."""

    def __init__(self, folder: str) -> None:
        import torch
        from transformers import pipeline

        torch.set_num_threads(1)
        self._pipeline = pipeline("text-classification", model=folder, device="cpu", truncation=True)

    def label(self, text: str) -> str:
        """Return the label of one text."""
        return str(self._pipeline(text)[0]["label"])

    def labels(self, texts: Sequence[str]) -> list[str]:
        """Return the labels of many texts, in padded batches."""
        return [str(answer["label"]) for answer in self._pipeline(list(texts), batch_size=BATCH_SIZE)]


class OptimumPipeline(TorchPipeline):
    """The same pipeline over ``ORTModelForSequenceClassification``."""

    def __init__(self, folder: str, file_name: str) -> None:
        import torch
        from optimum.onnxruntime import ORTModelForSequenceClassification
        from transformers import AutoTokenizer, pipeline

        torch.set_num_threads(1)
        model = ORTModelForSequenceClassification.from_pretrained(
            folder, file_name=file_name, session_options=_one_thread()
        )
        tokenizer = AutoTokenizer.from_pretrained(folder)
        self._pipeline = pipeline("text-classification", model=model, tokenizer=tokenizer, truncation=True)


class TokenizersOnnx:
    """``tokenizers`` and onnxruntime on the stock export, without transformers: what a careful user writes."""

    def __init__(self, folder: str, file_name: str) -> None:
        import json
        from pathlib import Path

        import numpy as np
        import onnxruntime
        from tokenizers import Tokenizer

        files = Path(folder)
        config = json.loads((files / "config.json").read_text(encoding="utf-8"))
        self._names = [config["id2label"][str(i)] for i in range(len(config["id2label"]))]
        self._tokenizer = Tokenizer.from_file(str(files / "tokenizer.json"))
        self._tokenizer.enable_truncation(config["max_position_embeddings"])
        self._tokenizer.enable_padding(pad_id=config["pad_token_id"])
        self._session = onnxruntime.InferenceSession(
            files / file_name, _one_thread(), providers=["CPUExecutionProvider"]
        )
        self._np = np

    def label(self, text: str) -> str:
        """Return the label of one text."""
        return self._run([self._tokenizer.encode(text)])[0]

    def labels(self, texts: Sequence[str]) -> list[str]:
        """Return the labels of many texts, in padded batches."""
        batches = (texts[start : start + BATCH_SIZE] for start in range(0, len(texts), BATCH_SIZE))
        return [label for batch in batches for label in self._run(self._tokenizer.encode_batch(list(batch)))]

    def _run(self, encodings: Sequence[Any]) -> list[str]:
        feed = {
            "input_ids": self._np.array([e.ids for e in encodings], dtype=self._np.int64),
            "attention_mask": self._np.array([e.attention_mask for e in encodings], dtype=self._np.int64),
            "token_type_ids": self._np.array([e.type_ids for e in encodings], dtype=self._np.int64),
        }
        (logits,) = self._session.run(None, feed)
        return [self._names[i] for i in logits.argmax(-1)]


class FastText:
    """A supervised fastText model over characters and their 3-grams."""

    def __init__(self, model_file: str) -> None:
        from fasttext.FastText import _FastText

        # `fasttext.load_model` is this and a warning on stderr that cannot be switched off.
        self._model = _FastText(model_path=model_file).f

    def tokens(self, text: str) -> str:
        """Return ``text`` as fastText reads it: tokens between blanks."""
        return " ".join(text)

    def label(self, text: str) -> str:
        """Return the label of one text."""
        # The Python wrapper's `predict` fails with numpy 2 for a single text; this is the call that it wraps.
        ((_, label),) = self._model.predict(self.tokens(text) + "\n", 1, 0.0, "strict")
        return _plain(label)

    def labels(self, texts: Sequence[str]) -> list[str]:
        """Return the labels of many texts in one call."""
        answers, _ = self._model.multilinePredict([self.tokens(text) + "\n" for text in texts], 1, 0.0, "strict")
        return [_plain(answer[0]) for answer in answers]


class FastTextWords(FastText):
    """A supervised fastText model over the words that jieba cuts."""

    def __init__(self, model_file: str) -> None:
        super().__init__(model_file)
        self._cut = quiet_jieba(model_file)

    def tokens(self, text: str) -> str:
        """Return the words of ``text`` between blanks."""
        return " ".join(self._cut(text))


class LinearSVC:
    """Character TF-IDF (1 to 3) and a linear SVM of scikit-learn."""

    def __init__(self, model_file: str) -> None:
        import joblib

        self._pipeline = joblib.load(model_file)

    def label(self, text: str) -> str:
        """Return the label of one text."""
        return str(self._pipeline.predict([text])[0])

    def labels(self, texts: Sequence[str]) -> list[str]:
        """Return the labels of many texts in one call."""
        return [str(label) for label in self._pipeline.predict(list(texts))]


class TextCnn:
    """A convolutional network in onnxruntime, fp32, with our own tokeniser: any other would be slower.

    Args:
        folder: holds ``textcnn.onnx``, ``textcnn.json`` and ``task.json``.
    """

    def __init__(self, folder: str) -> None:
        import json
        from pathlib import Path

        import numpy as np
        import onnxruntime

        from runtime.tokenizer import PAD_ID, CharTokenizer

        files = Path(folder)
        self._names = json.loads((files / "task.json").read_text(encoding="utf-8"))["labels"]
        self._tokenizer = CharTokenizer.load(files / "textcnn.json")
        self._session = onnxruntime.InferenceSession(
            files / "textcnn.onnx", _one_thread(), providers=["CPUExecutionProvider"]
        )
        self._np, self._pad = np, PAD_ID

    def label(self, text: str) -> str:
        """Return the label of one text."""
        return self._run([text])[0]

    def labels(self, texts: Sequence[str]) -> list[str]:
        """Return the labels of many texts, in padded batches."""
        batches = (texts[start : start + BATCH_SIZE] for start in range(0, len(texts), BATCH_SIZE))
        return [label for batch in batches for label in self._run(batch)]

    def _run(self, texts: Sequence[str]) -> list[str]:
        rows = [self._tokenizer.encode(text).ids for text in texts]
        ids = self._np.full((len(rows), max(1, *map(len, rows))), self._pad, dtype=self._np.int64)
        for row, found in zip(ids, rows, strict=True):
            row[: len(found)] = found
        (logits,) = self._session.run(None, {"ids": ids})
        return [self._names[i] for i in logits.argmax(-1)]


def quiet_jieba(beside: str) -> Any:  # noqa: ANN401 - jieba has no types
    """Return ``jieba.lcut`` with jieba's defaults; its cache lies in the folder of ``beside``, its log is off."""
    import logging
    import warnings
    from pathlib import Path

    with warnings.catch_warnings():
        # jieba 0.42.1 imports pkg_resources where there is one, and that warns of its own end.
        warnings.filterwarnings("ignore", message="pkg_resources is deprecated")
        import jieba

    jieba.setLogLevel(logging.WARNING)
    jieba.dt.tmp_dir = str(Path(beside).parent)
    return jieba.lcut


def _plain(label: str) -> str:
    return label.removeprefix("__label__").replace(NO_BREAK_SPACE, " ")


def _one_thread() -> Any:  # noqa: ANN401 - onnxruntime has no types
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return options
