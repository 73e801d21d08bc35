"""A small student, trained for a second, in a run folder written by the real writer."""

import os
import subprocess
import sys
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest
import torch
from torch.nn.functional import cross_entropy

from distill.config.gate_mixup import GateMixupRecipe, read_gate_mixup
from distill.models.student import Student
from distill.runs.run_folder import RunFolder
from distill.training.predict import prediction_rows, student_logits
from export.source import Source, read_source
from runtime.tokenizer import CharTokenizer
from tests.threads import one_thread  # noqa: F401 - pytest finds the fixture here

NAMES = ("树脂", "碱", "酸")
_WORDS = {
    "酸": (["盐酸", "硫酸", "硝酸", "磷酸", "醋酸", "草酸"], ["试剂", "工业级", "电子级", "稀释", "30%"]),
    "碱": (["氢氧化钠", "氢氧化钾", "片碱", "氨水", "石灰", "纯碱"], ["颗粒", "工业级", "袋装", "食品级", "99%"]),
    "树脂": (["聚乙烯", "聚丙烯", "环氧树脂", "尼龙", "聚酯", "酚醛"], ["颗粒", "粉料", "切片", "薄膜级", "袋装"]),
}
ROWS = [(f"{name} {kind}", label) for label, (names, kinds) in _WORDS.items() for name, kind in product(names, kinds)]
SIZES = ("student.layers=2", "student.width=32", "student.feed_forward=64", "student.max_len=24")
# Not the first feed_forward_in, whose inputs are in the sum that the next block normalises: an outlier ruins fp32 too.
LAYERS = ["blocks.0.qkv", "blocks.0.feed_forward_out"]
LAYERS += ["blocks.1.qkv", "blocks.1.feed_forward_in", "blocks.1.feed_forward_out"]
SPLITS = {"train": ROWS, "dev": ROWS[::3], "test": ROWS[1::3]}


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a student of one block on 90 names of three classes and write its run folder."""
    path = tmp_path_factory.mktemp("runs") / "acids"
    write_run(path)
    return path


@pytest.fixture(scope="session")
def source(run_folder: Path) -> Source:
    """Return the content of the run folder."""
    return read_source(run_folder)


@pytest.fixture(scope="session", params=[0, 256])
def either_source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Source:
    """Return the same, of a student whose Transformer takes in no bigrams, or takes them in."""
    run = write_run(tmp_path_factory.mktemp("either") / "acids", *SIZES, f"student.bigram_buckets={request.param}")
    return read_source(run.path)


def write_run(path: Path, *settings: str) -> RunFolder:
    """Write a complete run folder at ``path``, of the small student if there are no ``settings``."""
    recipe = read_gate_mixup(None, settings or SIZES)
    tokenizer = CharTokenizer.from_texts([text for text, _ in ROWS], recipe.student.max_len)
    torch.manual_seed(0)
    student = Student(recipe.student, tokenizer.size, len(NAMES))
    _train(student, tokenizer)
    return _write(RunFolder(path), recipe, tokenizer, student, SPLITS)


def write_brittle_run(path: Path, *layers: str) -> RunFolder:
    """Write the run folder of a student that INT8 ruins.

    Two inputs of each of ``layers`` are in the thousands, and have no weight: fp32 does not notice it, and the steps of
    INT8 become too coarse for the others. The labels are what the student says.
    """
    recipe = read_gate_mixup(None, SIZES)
    tokenizer = CharTokenizer.from_texts([text for text, _ in ROWS], recipe.student.max_len)
    torch.manual_seed(1)
    student = Student(recipe.student, tokenizer.size, len(NAMES)).eval()
    with torch.no_grad():
        for layer in layers:
            _add_outlier(student, layer)
        student.head.weight[:, :2] = 0.0  # as no layer does, the head does not see them
    texts = [text for text, _ in ROWS]
    labels = [NAMES[row] for row in student_logits(student, tokenizer, texts).argmax(1)]
    rows = list(zip(texts, labels, strict=True))
    return _write(RunFolder(path), recipe, tokenizer, student, {"dev": rows, "test": rows})


def _add_outlier(student: Student, layer: str) -> None:
    block, _, name = layer.rpartition(".")
    depth = int(block.removeprefix("blocks."))
    before, row = {
        "qkv": ("norm.weight", 0),
        "feed_forward_in": ("qkv.bias", 2 * student.config.width),
        "feed_forward_out": ("feed_forward_in.weight", 0),
    }[name]
    parameter = student.get_parameter(f"{block}.{before}")
    parameter[row], parameter[row + 1] = 1e3, -1e3  # one of the two is above 0, which ReLU lets pass
    weight = student.get_parameter(f"{layer}.weight")
    weight.mul_(5 ** (depth + 1))  # what this layer says counts, and more than what the block before it says
    weight[:, :2] = 0.0


def _write(
    run: RunFolder,
    recipe: GateMixupRecipe,
    tokenizer: CharTokenizer,
    student: Student,
    splits: dict[str, list[tuple[str, str]]],
) -> RunFolder:
    run.save_recipe(recipe)
    run.save_labels(NAMES)
    tokenizer.save(run.path / "tokenizer.json")
    run.save_student(student)
    for split in ("dev", "test"):
        texts, labels = zip(*splits[split], strict=True)
        run.save_predictions(split, prediction_rows(texts, labels, student_logits(student, tokenizer, texts), NAMES))
    run.save_environment({"data_fingerprint": "f" * 64})
    run.save_metrics([])
    return run


def _train(student: Student, tokenizer: CharTokenizer) -> None:
    ids = [torch.from_numpy(tokenizer.encode(text).ids).long() for text, _ in ROWS]
    batch = torch.nn.utils.rnn.pad_sequence(ids, batch_first=True)
    labels = torch.tensor([NAMES.index(label) for _, label in ROWS])
    optimiser = torch.optim.AdamW(student.parameters(), lr=3e-3)
    student.train()
    for _ in range(40):
        optimiser.zero_grad()
        cross_entropy(student(batch), labels).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    student.eval()


@dataclass(frozen=True)
class CommandRun:
    """What a run of ``gm-export`` in a process of its own gave."""

    out: Path
    home: Path
    stdout: str
    stderr: str


@pytest.fixture(scope="session")
def exported(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> CommandRun:
    """Run ``gm-export --int8 RUN --backend both`` where no socket can be opened and the home folder is new."""
    folder = tmp_path_factory.mktemp("exported")
    home = folder / "home"
    home.mkdir()
    no_network = (
        "import socket, sys\n"
        "def refuse(*arguments, **options): print('NETWORK', arguments, file=sys.stderr); raise OSError('no network')\n"
        "socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse\n"
        "from export.cli import main; main()\n"
    )
    arguments = ["--int8", str(run_folder), "--backend", "both", "--keep-fp32", "--out", str(folder / "bundle")]
    done = subprocess.run(
        [sys.executable, "-c", no_network, *arguments],
        env=os.environ | {"HOME": str(home), "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return CommandRun(folder / "bundle", home, done.stdout, done.stderr)
