"""What pretraining is worth: ``python -m benchmarks.pretraining --texts FILE --data PATH``.

A language model from scratch learns to guess hidden words of texts without labels. Then it is fine-tuned on labels, and
so is the same network with the weights it began with. Each is chosen on dev and scored once on test. Both are
fine-tuned by the same settings, which have to give a network enough epochs that begins with nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import click

from benchmarks.accuracy import RESULTS
from benchmarks.machine.facts import machine_facts
from benchmarks.quality.methods import data_and_seed, finished
from benchmarks.speed.report import table
from distill.config.language_model import FinetuneRecipe
from distill.config.pretraining import PretrainRecipe
from distill.config.recipe import read_recipe_of
from distill.config.sections import DataConfig
from distill.data.corpus import read_corpus
from distill.recipes.finetune import finetune
from distill.recipes.pretrain import pretrain
from distill.runs.fingerprints import file_fingerprint
from distill.runs.run_folder import RunFolder
from distill.unlabelled.corpus import Cleaning, clean_corpus, read_texts
from runtime.command import run_command
from runtime.files import write_json

# One step that changes nothing.
_UNTRAINED = ("training.epochs=1e-9", "training.lr=1e-12", "training.warmup_share=0")
_STARTS = {"pretrained": (), "as it began": _UNTRAINED}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--texts", multiple=True, required=True, type=click.Path(path_type=Path), help="Texts without labels.")
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Labelled set.")
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(min=1), help="Seeds 0 to N - 1.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Recipe key of pretraining.")
@click.option("--finetune-set", "labelled", multiple=True, metavar="KEY=VALUE", help="Recipe key of fine-tuning.")
@click.option("--work", type=click.Path(path_type=Path), default=Path("pretraining-work"), help="Folder for the runs.")
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS, help="Folder for pretraining.json.")
def command(
    texts: Sequence[Path],
    data: Path,
    seeds: int,
    settings: Sequence[str],
    labelled: Sequence[str],
    work: Path,
    out: Path,
) -> None:
    """Pretrain and fine-tune with every seed, show the scores and write pretraining.json; train texts are read too."""
    runs = []
    for seed in range(seeds):
        clean, corpus = _corpus(texts, data, seed, work)
        for start, untrained in _STARTS.items():
            chosen = [f"data.paths={json.dumps([str(clean)])}", f"training.seed={seed}", *settings, *untrained]
            language_model = finished(read_recipe_of(PretrainRecipe, None, chosen), work, pretrain)
            folder = f"lm.folder={json.dumps(str(language_model.path))}"
            recipe = read_recipe_of(FinetuneRecipe, None, [folder, *data_and_seed(str(data), seed), *labelled])
            runs.append(_told(seed, start, corpus, language_model, finished(recipe, work, finetune)))
    told = {"machine": machine_facts(), "pretraining": settings, "finetuning": labelled, "runs": runs}
    write_json(out / "pretraining.json", told)
    click.echo(table(["seed", "start", "dev macro-F1", "test accuracy", "test macro-F1"], list(map(_row, runs))))


def _corpus(texts: Sequence[Path], data: Path, seed: int, work: Path) -> tuple[Path, dict[str, int]]:
    """Return the folder in ``work`` of the cleaned texts and those of train, and its size.

    No text of dev or test is among them.
    """
    corpus = read_corpus(DataConfig(path=str(data)), seed)
    given = chain((example.text for example in corpus.train), chain.from_iterable(read_texts(path) for path in texts))
    # Runs are known by what their recipe says, and so by this name.
    clean = (work / f"texts-{corpus.fingerprint[:8]}-{file_fingerprint(texts)[:8]}").resolve()
    report = clean_corpus(given, clean, Cleaning(), (example.text for example in (*corpus.dev, *corpus.test)))
    return clean, {key: report[key] for key in ("read", "kept", "characters")}


def _told(
    seed: int, start: str, corpus: dict[str, int], language_model: RunFolder, teacher: RunFolder
) -> dict[str, Any]:
    """Return what is kept of one run: the texts, the curve of pretraining, and the scores after fine-tuning."""
    curve = [event for event in language_model.metrics() if event["event"] != "final"]
    scores = teacher.metrics()[-1]
    return {
        "seed": seed,
        "start": start,
        "corpus": corpus,
        "held_out": [{"step": event["step"], **event["held_out"]} for event in curve],
        "pretraining_seconds": language_model.environment()["wall_s"],
        "finetuning_seconds": teacher.environment()["wall_s"],
        "dev": scores["dev"]["teacher"],
        "test": scores["test"]["teacher"],
    }


def _row(run: dict[str, Any]) -> list[str]:
    values = (run["dev"]["macro_f1"], run["test"]["accuracy"], run["test"]["macro_f1"])
    return [str(run["seed"]), run["start"], *(f"{100 * value:.1f}" for value in values)]


if __name__ == "__main__":
    run_command(command, "python -m benchmarks.pretraining")
