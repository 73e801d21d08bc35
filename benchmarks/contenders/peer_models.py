"""Makes the models that the peers load: ``python -m benchmarks.contenders.peer_models KIND FOLDER``.

FOLDER holds ``task.json`` (:class:`Task`). Each kind is made in a process of its own, so that exporters
and trainers leave nothing behind in the process that measures. Nothing is downloaded.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.contenders.peers import NO_BREAK_SPACE, quiet_jieba
from benchmarks.contenders.sizes import SIZES, Size
from benchmarks.machine.facts import cpu_flags
from benchmarks.machine.installed import ROOT
from benchmarks.machine.surroundings import surround
from distill.config.sections import StudentConfig
from runtime.bundles.bundle import Bundle
from runtime.errors import BackendError
from runtime.files import write_json, write_text

_STUDENT = StudentConfig()
SHAPE = {
    "num_hidden_layers": _STUDENT.layers,
    "hidden_size": _STUDENT.width,
    "num_attention_heads": _STUDENT.heads,
    "intermediate_size": 4 * _STUDENT.width,
}
"""Of the BERT peer: depth, width and heads of the student in the default recipe; a feed-forward as BERT has it."""
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_FASTTEXT = {"thread": 1, "epoch": 25, "lr": 0.5, "dim": 64, "bucket": 200_000, "seed": 0, "verbose": 0}


@dataclass(frozen=True, slots=True)
class Task:
    """What all peers are made for: the bundle's labels, vocabulary and length, and examples to train on."""

    labels: tuple[str, ...]
    characters: str
    max_len: int
    texts: tuple[str, ...]
    text_labels: tuple[str, ...]

    @classmethod
    def of(cls, bundle: Bundle, texts: Sequence[str], text_labels: Sequence[str]) -> Task:
        """Return what the peers of ``bundle`` are made for, and texts with their labels to train on."""
        manifest, characters = bundle.manifest, "".join(bundle.tokenizer().characters)
        return cls(manifest.labels, characters, manifest.max_len, tuple(texts), tuple(text_labels))

    def save(self, folder: Path) -> None:
        """Write ``task.json``."""
        write_json(folder / "task.json", asdict(self))

    @classmethod
    def load(cls, folder: Path) -> Task:
        """Read what :meth:`save` wrote."""
        stored = json.loads((folder / "task.json").read_text(encoding="utf-8"))
        rows = {key: tuple(stored[key]) for key in ("labels", "texts", "text_labels")}
        return cls(characters=stored["characters"], max_len=stored["max_len"], **rows)


def make(kind: str, folder: Path) -> None:
    """Make one kind of model in ``folder``, in a process of its own; its output goes to ``KIND.log`` there.

    Raises:
        BackendError: it failed; the message ends with the last line of the log.
    """
    log = folder / f"{kind}.log"
    with log.open("wb") as stream:
        command = [sys.executable, "-m", "benchmarks.contenders.peer_models", kind, str(folder)]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, cwd=ROOT, env=os.environ, check=False
        )
    if done.returncode != 0:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["no message"]
        raise BackendError(f"cannot make the {kind} model: {lines[-1]}")


def make_bert(folder: Path, task: Task) -> None:
    """Write ``bert/``: random weights (they do not change how long a label takes) and a character vocabulary."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    target = folder / "bert"
    vocabulary = bert_vocabulary(task.characters)
    write_text(folder / "vocab.txt", "\n".join(vocabulary) + "\n")
    tokenizer = BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=task.max_len)
    names = dict(enumerate(task.labels))
    config = BertConfig(
        vocab_size=len(vocabulary),
        max_position_embeddings=task.max_len,
        id2label=names,
        label2id={name: i for i, name in names.items()},
        **SHAPE,
    )
    torch.manual_seed(0)
    BertForSequenceClassification(config).eval().save_pretrained(target)
    tokenizer.save_pretrained(target)


def make_onnx(folder: Path, task: Task) -> None:
    """Write ``onnx/``: ``bert/`` as optimum exports it, and its dynamic INT8 quantisation by optimum's preset."""
    from optimum.onnxruntime import ORTModelForSequenceClassification, ORTQuantizer
    from optimum.onnxruntime.configuration import AutoQuantizationConfig
    from transformers import AutoTokenizer

    source, target = folder / "bert", folder / "onnx"
    if not source.is_dir():
        make_bert(folder, task)
    ORTModelForSequenceClassification.from_pretrained(source, export=True).save_pretrained(target)
    AutoTokenizer.from_pretrained(source).save_pretrained(target)
    preset = getattr(AutoQuantizationConfig, optimum_preset(cpu_flags()))(is_static=False)
    ORTQuantizer.from_pretrained(target).quantize(save_dir=target, quantization_config=preset)


def make_fasttext(folder: Path, task: Task) -> None:
    """Write ``characters.bin``: fastText over characters and their 3-grams."""
    _train_fasttext(folder / "characters", task, " ".join, {"wordNgrams": 3})


def make_fasttext_words(folder: Path, task: Task) -> None:
    """Write ``words.bin``: fastText over the words that jieba cuts."""
    cut = quiet_jieba(str(folder / "words.bin"))
    _train_fasttext(folder / "words", task, lambda text: " ".join(cut(text)), {"wordNgrams": 2})


def make_svc(folder: Path, task: Task) -> None:
    """Write ``svc.joblib``: character TF-IDF (1 to 3) and a linear SVM."""
    import joblib
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    features = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True)
    model = make_pipeline(features, LinearSVC()).fit(task.texts, task.text_labels)
    joblib.dump(model, folder / "svc.joblib")


def make_textcnn(folder: Path, task: Task) -> None:
    """Write ``textcnn.onnx`` in fp32 with random weights, and ``textcnn.json``, the vocabulary."""
    import torch

    from benchmarks.quality.textcnn import TextCnn
    from runtime.tokenizer import CharTokenizer

    tokenizer = CharTokenizer(task.characters, task.max_len)
    tokenizer.save(folder / "textcnn.json")
    torch.manual_seed(0)
    torch.onnx.export(
        TextCnn(tokenizer.size, len(task.labels)).eval(),
        (torch.ones(1, 8, dtype=torch.int64),),
        str(folder / "textcnn.onnx"),
        input_names=["ids"],
        output_names=["logits"],
        dynamic_axes={"ids": {0: "texts", 1: "characters"}, "logits": {0: "texts"}},
        # The newer exporter wants onnxscript, which nothing else here needs.
        dynamo=False,
    )


def make_student(size: Size, folder: Path, task: Task) -> None:
    """Write ``student_NxM/bundle``: a student of this size with random weights, as INT8."""
    from benchmarks.contenders.untrained import write_untrained
    from export.options import Limits, Options
    from export.pipeline import export_run

    target = folder / size.kind
    write_untrained(target / "run", list(task.texts), size.config())
    # Random weights leave many texts between two classes: parity has nothing to say about them.
    export_run(target / "run", target / "bundle", Options(int8=True, limits=Limits(min_agreement=0.0, max_f1_drop=1.0)))


def bert_vocabulary(characters: str) -> list[str]:
    """Return a WordPiece vocabulary in which every character is one token, at any place in a word."""
    single = [c for c in dict.fromkeys(characters) if not c.isspace()]
    return [*_SPECIAL, *single, *(f"##{c}" for c in single if c.isalnum() and c < "\u2e80")]


def optimum_preset(flags: frozenset[str]) -> str:
    """Return the name of optimum's quantisation preset for a CPU with these flags."""
    if "asimd" in flags:
        return "arm64"
    for flag, preset in (("avx512_vnni", "avx512_vnni"), ("avx512f", "avx512")):
        if flag in flags:
            return preset
    return "avx2"


def _train_fasttext(target: Path, task: Task, tokens: Callable[[str], str], options: dict[str, int]) -> None:
    import fasttext

    rows = zip(task.texts, task.text_labels, strict=True)
    # fastText ends a label at a blank; a no-break space is none to it, and the peer turns it back.
    lines = (f"__label__{label.replace(' ', NO_BREAK_SPACE)} {tokens(text)}\n" for text, label in rows)
    write_text(target.with_suffix(".txt"), "".join(lines))
    model = fasttext.train_supervised(str(target.with_suffix(".txt")), **_FASTTEXT, **options)
    model.save_model(str(target.with_suffix(".bin")))


KINDS: dict[str, Callable[[Path, Task], None]] = {
    "bert": make_bert,
    "onnx": make_onnx,
    "fasttext": make_fasttext,
    "fasttext_words": make_fasttext_words,
    "svc": make_svc,
    "textcnn": make_textcnn,
    **{size.kind: functools.partial(make_student, size) for size in SIZES},
}
"""Maker of each kind of peer model."""


if __name__ == "__main__":
    surround()
    KINDS[sys.argv[1]](Path(sys.argv[2]), Task.load(Path(sys.argv[2])))
