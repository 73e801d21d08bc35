"""How well texts that are none of the model's business are told from those that are.

``python -m benchmarks.unknown --pair RUN BUNDLE [--pair ...] [--other NAME FILE ...] [--out FILE.json]``; BUNDLE was
exported from RUN, whose test texts are those that belong. FILE is a table of texts of another domain or language, with
a column ``text``.

Three signs are compared: the share of unknown characters, on which the runtime acts; the score; and the energy,
log sum exp of the logits (Liu et al. 2020, "Energy-based Out-of-distribution Detection").
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score

from benchmarks.contenders.bundles import PAIRS
from benchmarks.machine.facts import machine_facts
from distill.layout import table
from distill.runs.run_folder import RunFolder
from runtime import Classifier, Prediction, Reason
from runtime.bundles.bundle import Bundle
from runtime.command import run_command
from runtime.files import write_json
from runtime.tables.rows import read_table

Signs = Mapping[str, npt.NDArray[np.float64]]

_TEXTS = 400
_OWN_REFUSED = 0.05
_ALPHABETS = {
    "random bytes": [(0x00, 0x100)],
    "random Chinese characters": [(0x4E00, 0x9FA6)],
    "random Cyrillic": [(0x430, 0x450)],
    "random Hangul": [(0xAC00, 0xD7A4)],
    "random digits": [(0x30, 0x3A), (0x2D, 0x30)],
}


@dataclass(frozen=True, slots=True)
class Sign:
    """One sign on texts that do not belong.

    Attributes:
        auroc: probability that a text that belongs looks more like it than one that does not; 0.5 is blind.
        missed: share of those that do not belong which pass where 5 % of those that do are refused.
    """

    auroc: float
    missed: float


@dataclass(frozen=True, slots=True)
class Foreign:
    """One kind of texts that do not belong.

    Attributes:
        kind: in words.
        refused: share that the runtime refuses as unknown.
        accepted: share that it accepts.
        signs: by name.
    """

    kind: str
    refused: float
    accepted: float
    signs: Mapping[str, Sign]


@click.command()
@PAIRS
@click.option("--other", "others", type=(str, click.Path(path_type=Path)), multiple=True, metavar="NAME FILE")
@click.option("--out", type=click.Path(path_type=Path), help="JSON file for the figures.")
def main(pairs: Sequence[tuple[Path, Path]], others: Sequence[tuple[str, Path]], out: Path | None) -> None:
    """Print how many foreign texts each BUNDLE refuses, and how many each sign could tell."""
    kinds = random_texts() | {name: read_texts(path) for name, path in others}
    rows, found = [], []
    for run, path in pairs:
        with Classifier(path) as classifier:
            own = classifier.classify_many([row.text for row in RunFolder(run).predictions("test")])
            measured = [compare(kind, own, classifier.classify_many(texts)) for kind, texts in kinds.items()]
        name = Bundle.open(path).manifest.name
        rows += [_row(name, foreign) for foreign in measured]
        found.append(
            {"name": name, "own_refused": _share(own, Reason.UNKNOWN_TEXT), "foreign": [*map(asdict, measured)]}
        )
    header = [
        "data",
        "texts",
        "refused",
        "accepted",
        *(f"{sign} AUROC / missed" for sign in ("unknown", "score", "energy")),
    ]
    print(table(header, rows))
    if out:
        write_json(out, {"machine": machine_facts(), "bundles": found})


def random_texts() -> dict[str, list[str]]:
    """Return texts of 15 characters drawn from each alphabet, always the same."""
    generator = random.Random(0)
    alphabets = {
        kind: [code for low, high in ranges for code in range(low, high)] for kind, ranges in _ALPHABETS.items()
    }
    return {
        kind: ["".join(chr(generator.choice(codes)) for _ in range(15)) for _ in range(_TEXTS)]
        for kind, codes in alphabets.items()
    }


def read_texts(path: Path) -> list[str]:
    """Return the first texts of a table."""
    rows = read_table(path, wanted={"text": "--other"})
    return [row.values["text"] for row in islice(rows, _TEXTS)]


def compare(kind: str, own: Sequence[Prediction], foreign: Sequence[Prediction]) -> Foreign:
    """Hold foreign texts against own ones; empty texts are left out."""
    ours, theirs = signs(own), signs(foreign)
    measured = {name: measure(ours[name], theirs[name]) for name in ours}
    accepted = float(np.mean([prediction.accepted for prediction in foreign]))
    return Foreign(kind, _share(foreign, Reason.UNKNOWN_TEXT), accepted, measured)


def signs(predictions: Sequence[Prediction]) -> Signs:
    """Return each sign of the texts that are not empty, larger for those that belong."""
    shown = [prediction for prediction in predictions if prediction.reason is not Reason.EMPTY]
    logits = np.array([prediction.logits for prediction in shown], np.float64)
    return {
        "unknown": -np.array([prediction.unknown for prediction in shown]),
        "score": np.array([prediction.score for prediction in shown]),
        "energy": np.logaddexp.reduce(logits, axis=1),
    }


def measure(ours: npt.NDArray[np.float64], theirs: npt.NDArray[np.float64]) -> Sign:
    """Return how well values of a sign tell ``ours`` from ``theirs``."""
    belongs = np.repeat([True, False], [len(ours), len(theirs)])
    auroc = float(roc_auc_score(belongs, np.concatenate([ours, theirs])))
    return Sign(auroc, float((theirs >= np.quantile(ours, _OWN_REFUSED)).mean()))


def _share(predictions: Sequence[Prediction], reason: Reason) -> float:
    return float(np.mean([prediction.reason is reason for prediction in predictions]))


def _row(name: str, foreign: Foreign) -> list[str]:
    told = [f"{sign.auroc:.3f} / {sign.missed:.0%}" for sign in foreign.signs.values()]
    return [name, foreign.kind, f"{foreign.refused:.0%}", f"{foreign.accepted:.0%}", *told]


if __name__ == "__main__":
    run_command(main, "benchmarks.unknown")
