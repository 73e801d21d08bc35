"""Scores of many rows, sets and seeds: kept as JSON, read as tables of mean ± standard deviation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from json import loads
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.stats import ttest_rel

from runtime.errors import ConfigError
from runtime.files import write_json

METRICS = ("accuracy", "macro_f1")


@dataclass(frozen=True, slots=True)
class Score:
    """One model, trained once and scored once on a test set.

    Of a sweep it is the development set: accuracy and macro-F1 are means over late rounds, those by class of the best.

    Attributes:
        data: name of the set.
        row: name of the model or of the method.
        seed: of its training.
        accuracy: 0 to 1.
        macro_f1: 0 to 1.
        fingerprint: of the data: a set that changed wants another name.
        settings: what distinguishes this training from the defaults.
        class_f1: by class, 0 to 1; empty where it was not kept.
        class_texts: number of texts by class; empty where they were not kept.
        unseen: share of test texts whose class train does not have, 0 to 1; every answer to them is wrong.
        label_share: of the labels of train that were kept; below 1 the set has a name of its own.
        chosen: what dev chose beyond the settings: ``C=3``.
        classes: of the set; 0 where answers were not kept.
        truth: class index of each test text, as :func:`benchmarks.quality.answers.as_digits` writes it.
        answers: class index that each test text was given.
    """

    data: str
    row: str
    seed: int
    accuracy: float
    macro_f1: float
    fingerprint: str
    settings: str = ""
    class_f1: Mapping[str, float] = field(default_factory=dict)
    class_texts: Mapping[str, int] = field(default_factory=dict)
    unseen: float = 0.0
    label_share: float = 1.0
    chosen: str = ""
    classes: int = 0
    truth: str = ""
    answers: str = ""

    def to_json(self) -> dict[str, object]:
        """Return the fields as JSON values, without those that are optional and as they are by default."""
        return {key: value for key, value in asdict(self).items() if key not in _OPTIONAL or value != _OPTIONAL[key]}


_OPTIONAL: Mapping[str, object] = {
    **{"class_f1": {}, "class_texts": {}, "unseen": 0.0, "label_share": 1.0},
    **{"chosen": "", "classes": 0, "truth": "", "answers": ""},
}


def told(settings: Sequence[str]) -> str:
    """Return the settings of a training for the reader; where a language model lies is the affair of the machine."""
    return " ".join(setting for setting in settings if not setting.startswith("teacher.lm="))


class Spread(NamedTuple):
    """Mean and sample standard deviation over seeds (0 for one seed)."""

    mean: float
    deviation: float


class ClassMean(NamedTuple):
    """Means over the seeds that have scores by class."""

    f1: float
    texts: float


class Paired(NamedTuple):
    """How much better one row is than another over the runs (set and seed) that both have."""

    difference: float
    p_value: float
    runs: int


class Scores:
    """All scores of a study, in a file that grows as they come: a study that was stopped goes on where it was.

    Args:
        path: JSON file; read if it is there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        stored = loads(path.read_text(encoding="utf-8")) if path.exists() else []
        self.all = [Score(**score) for score in stored]

    def find(self, data: str, row: str, seed: int) -> Score | None:
        """Return the score of this training, if there is one."""
        return next((score for score in self.all if _key(score) == (data, row, seed)), None)

    def kept(self, data: str, row: str, seed: int, fingerprint: str, settings: str) -> bool:
        """Return whether this training is scored already, on this data and by these settings.

        Raises:
            ConfigError: it is, on other data or by other settings.
        """
        found = self.find(data, row, seed)
        if found and found.fingerprint != fingerprint:
            differs = f"on other data: fingerprint {found.fingerprint!r}, now {fingerprint!r}"
        elif found and found.settings != settings:
            differs = f"by other settings: {found.settings!r}, now {settings!r}"
        else:
            return found is not None
        raise ConfigError(
            f"{self.path} has {row!r} of {data}, seed {seed}, {differs}; choose another --out, or remove this record"
        )

    def add(self, score: Score) -> None:
        """Keep a score, in the file too; it takes the place of one of the same set, row and seed."""
        known = next((i for i, s in enumerate(self.all) if _key(s) == _key(score)), None)
        if known is None:
            self.all.append(score)
        else:
            self.all[known] = score
        write_json(self.path, [s.to_json() for s in self.all])

    def names(self, of: str) -> list[str]:
        """Return the values of ``data`` or ``row`` in the order in which they came first."""
        return list(dict.fromkeys(getattr(score, of) for score in self.all))

    def whole_sets(self) -> list[str]:
        """Return the names of the sets that kept all labels: the same set with fewer is no further evidence."""
        return list(dict.fromkeys(score.data for score in self.all if score.label_share == 1.0))

    def spread(self, data: str, row: str, metric: str) -> Spread | None:
        """Return mean and deviation over seeds; ``None`` where nothing was measured."""
        values = [getattr(s, metric) for s in self.all if (s.data, s.row) == (data, row)]
        if not values:
            return None
        return Spread(float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0)

    def by_class(self, data: str, row: str) -> dict[str, ClassMean]:
        """Return the mean F1 and number of test texts of each class; empty where no seed has them."""
        found = [s for s in self.all if (s.data, s.row) == (data, row) and s.class_f1]
        names = dict.fromkeys(name for s in found for name in s.class_f1)
        return {
            name: ClassMean(
                float(np.mean([s.class_f1[name] for s in found if name in s.class_f1])),
                float(np.mean([s.class_texts[name] for s in found if name in s.class_f1])),
            )
            for name in names
        }

    def seeds(self, data: str, row: str) -> int:
        """Return how many seeds were measured."""
        return sum((s.data, s.row) == (data, row) for s in self.all)

    def paired(self, row: str, other: str, metric: str, data: Sequence[str] | None = None) -> Paired | None:
        """Return by how much ``row`` beats ``other`` on average, and the p-value of a two-sided paired t-test.

        Args:
            row: the one that should be better.
            other: what it is compared with.
            metric: one of :data:`METRICS`.
            data: sets to look at; all by default.
        """
        mine, theirs = self._by_run(row, metric), self._by_run(other, metric)
        runs = [run for run in mine if run in theirs and (data is None or run[0] in data)]
        if not runs:
            return None
        differences = [mine[run] - theirs[run] for run in runs]
        enough = len(runs) > 1 and len(set(differences)) > 1
        p_value = float(ttest_rel([mine[r] for r in runs], [theirs[r] for r in runs]).pvalue) if enough else 1.0
        return Paired(float(np.mean(differences)), p_value, len(runs))

    def _by_run(self, row: str, metric: str) -> dict[tuple[str, int], float]:
        return {(s.data, s.seed): getattr(s, metric) for s in self.all if s.row == row}


def _key(score: Score) -> tuple[str, str, int]:
    return score.data, score.row, score.seed
