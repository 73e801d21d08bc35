"""What bfloat16 saves a language model on this CPU: ``python -m benchmarks.lm_precision --lm FOLDER``.

Both precisions take turns in one process on one thread: a step of fine-tuning, as the trainer takes it, and answering
without gradients.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import click
import torch
from torch import nn

from benchmarks.accuracy import RESULTS
from benchmarks.machine.facts import machine_facts
from benchmarks.speed.report import table
from distill.config.language_model import FinetuneTrainingConfig
from distill.lm.precision import computes_in, lm_precision
from distill.models.lm_teacher import LMTeacher, load_encoder
from distill.recipes.finetune import optimisation
from distill.training.trainee import Trainee
from runtime.command import run_command
from runtime.files import write_json

_CPU = torch.device("cpu")
_CLASSES = 16
_PRECISIONS = ("float32", "bfloat16")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--lm", required=True, type=click.Path(path_type=Path, exists=True), help="Hugging Face encoder.")
@click.option("--texts", default=32, show_default=True, type=click.IntRange(min=1), help="Texts in a batch.")
@click.option("--tokens", default=16, show_default=True, type=click.IntRange(min=1), help="Tokens of each.")
@click.option("--rounds", default=15, show_default=True, type=click.IntRange(min=2), help="The first is not counted.")
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS, help="Folder for lm_precision.json.")
def command(lm: Path, texts: int, tokens: int, rounds: int, out: Path) -> None:
    """Time a batch in both precisions, in turns, show medians and their ratio, and write lm_precision.json."""
    torch.set_num_threads(1)
    encoder, tokenizer = load_encoder(lm)
    teacher = LMTeacher(encoder, _CLASSES)
    trainee = ready_to_learn(teacher, steps=rounds * len(_PRECISIONS))
    ids = torch.randint(len(tokenizer), (texts, tokens), generator=torch.Generator().manual_seed(0))
    times = {
        "a step of fine-tuning": _in_turns(lambda precision: _learn(trainee, ids, precision), rounds),
        "answering": _in_turns(lambda precision: _answer(teacher.eval(), ids, precision), rounds),
    }
    told = {"machine": machine_facts(), "auto": computes_in(_CPU), "batch": [texts, tokens], "seconds": times}
    write_json(out / "lm_precision.json", told)
    rows = [
        [what, *(f"{found[precision]:.3f}" for precision in _PRECISIONS), f"{found['float32'] / found['bfloat16']:.2f}"]
        for what, found in times.items()
    ]
    click.echo(table(["seconds a batch", *_PRECISIONS, "ratio"], rows))


def _in_turns(act: Callable[[str], None], rounds: int) -> dict[str, float]:
    """Return the median seconds of ``act`` by precision, without the first round."""
    taken: dict[str, list[float]] = {precision: [] for precision in _PRECISIONS}
    for _ in range(rounds):
        for precision, seconds in taken.items():
            started = time.perf_counter()
            act(precision)
            seconds.append(time.perf_counter() - started)
    return {precision: median(seconds[1:]) for precision, seconds in taken.items()}


def ready_to_learn(teacher: LMTeacher, steps: int) -> Trainee:
    """Return ``teacher`` with the optimiser and the gradient clip that fine-tuning gives it."""
    settings = FinetuneTrainingConfig()
    trainee = Trainee(teacher, nn.Identity(), settings.gradient_clip)
    trainee.begin(*optimisation(teacher, settings, steps))
    return trainee


def _learn(trainee: Trainee, ids: torch.Tensor, precision: str) -> None:
    """Do a whole step: forwards, backwards, clip, and update of the weights, which are float32 in either precision."""
    with lm_precision(_CPU, precision):
        logits = trainee.module.train()(ids, torch.ones_like(ids, dtype=torch.bool))
    trainee.step(nn.functional.cross_entropy(logits, ids[:, 0] % _CLASSES))


@torch.no_grad()
def _answer(teacher: LMTeacher, ids: torch.Tensor, precision: str) -> None:
    with lm_precision(_CPU, precision):
        teacher(ids, torch.ones_like(ids, dtype=torch.bool))


if __name__ == "__main__":
    run_command(command, "python -m benchmarks.lm_precision")
