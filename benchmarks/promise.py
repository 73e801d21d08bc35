"""Whether promised error rates hold on the test sets, and how many texts they let through.

``python -m benchmarks.promise --pair RUN BUNDLE [--pair RUN BUNDLE ...] [--out FILE.json]``; BUNDLE was exported from
RUN. A promise is fitted on the development set; the test set played no part in it. Each is kept with 95 %
confidence, so one in twenty development sets may break it. The error on a test set scatters around the true one:
whether it is within the promise, and whether it is too far above for that to be chance, are two questions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from benchmarks.contenders.bundles import PAIRS
from benchmarks.machine.facts import machine_facts
from distill.layout import table
from distill.runs.run_folder import RunFolder
from export.promise import tail
from runtime import Classifier, ConfigError, Reason
from runtime.bundles.bundle import Bundle
from runtime.bundles.reference import Reference, read_reference
from runtime.command import run_command
from runtime.files import write_json

_HALVINGS = 40
# Refused whatever the score is.
_NEVER = (Reason.EMPTY, Reason.UNKNOWN_TEXT)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One promise on a test set.

    Attributes:
        max_error: what was promised.
        accepted: test texts that the threshold accepts.
        wrong: how many of them get a wrong label.
        coverage: share of the test texts that are accepted.
        error: share of the accepted texts that get a wrong label.
        interval: 95 % interval of the true error.
        within: whether the error is no higher than promised.
        broken: whether even the lower end of the interval is higher than promised.
    """

    max_error: float
    accepted: int
    wrong: int
    coverage: float
    error: float
    interval: tuple[float, float]
    within: bool
    broken: bool


@dataclass(frozen=True, slots=True)
class Tested:
    """The promises of one bundle, on its test set."""

    name: str
    data_fingerprint: str
    development_texts: int
    test_texts: int
    test_error: float
    outcomes: Sequence[Outcome]


@click.command()
@PAIRS
@click.option("--out", type=click.Path(path_type=Path), help="JSON file for the figures.")
def main(pairs: Sequence[tuple[Path, Path]], out: Path | None) -> None:
    """Print error and coverage of every promise on the test sets of BUNDLEs."""
    found = [hold_promises(RunFolder(run), bundle) for run, bundle in pairs]
    header = ["data", "promised", "accepted", "of tests", "wrong", "error", "95 % interval", "within", "broken"]
    print(table(header, [_row(tested, outcome) for tested in found for outcome in tested.outcomes]))
    print(f"\n{summary(found)}")
    if out:
        write_json(out, {"machine": machine_facts(), "bundles": [asdict(tested) for tested in found]})


def hold_promises(run: RunFolder, bundle: Path) -> Tested:
    """Hold each promise of ``bundle`` against the test set of ``run``.

    Raises:
        ConfigError: the bundle carries no promises.
    """
    opened = Bundle.open(bundle)
    reference = read_reference(opened)
    if reference is None:
        raise ConfigError(f"{bundle}: carries no promises; export it again")
    rows = run.predictions("test")
    with Classifier(bundle) as classifier:
        predictions = classifier.classify_many([row.text for row in rows])
    right = [prediction.label == row.label for prediction, row in zip(predictions, rows, strict=True)]
    scores = [-1.0 if prediction.reason in _NEVER else prediction.score for prediction in predictions]
    return Tested(
        name=opened.manifest.name,
        data_fingerprint=opened.manifest.data_fingerprint,
        development_texts=reference.texts,
        test_texts=len(rows),
        test_error=right.count(False) / len(rows),
        outcomes=outcomes(reference, scores, right),
    )


def outcomes(reference: Reference, scores: Sequence[float], right: Sequence[bool]) -> list[Outcome]:
    """Return what becomes of the promises that can be given, on texts of these scores, right or wrong."""
    found = []
    for promise in reference.promises:
        if promise.threshold is None:
            continue
        accepted = [good for score, good in zip(scores, right, strict=True) if score >= promise.threshold]
        wrong = accepted.count(False)
        error = wrong / len(accepted) if accepted else 0.0
        low, high = interval(wrong, len(accepted))
        coverage = len(accepted) / len(scores)
        within, broken = error <= promise.max_error, low > promise.max_error
        found.append(Outcome(promise.max_error, len(accepted), wrong, coverage, error, (low, high), within, broken))
    return found


def summary(bundles: Iterable[Tested]) -> str:
    """Return in a sentence how many promises held.

    Promises of a bundle that accept the same texts are one, the strictest: the others say nothing more.
    """
    distinct = [
        outcome
        for tested in bundles
        # The last of a key stays.
        for outcome in {
            (one.accepted, one.wrong): one for one in sorted(tested.outcomes, key=lambda one: -one.max_error)
        }.values()
    ]
    within, broken = sum(one.within for one in distinct), sum(one.broken for one in distinct)
    return (
        f"Of {len(distinct)} promises that accept different texts, {within} have an error on test at or below what was "
        f"promised and {len(distinct) - within} above it; {broken} so far above that the whole 95 % interval is."
    )


def interval(wrong: int, texts: int) -> tuple[float, float]:
    """Return the exact 95 % interval of a rate (Clopper & Pearson 1934) after ``wrong`` of ``texts``."""
    low = 0.0 if not wrong else _solve(wrong - 1, texts, 0.975)
    high = 1.0 if wrong == texts else _solve(wrong, texts, 0.025)
    return low, high


def _solve(wrong: int, texts: int, probability: float) -> float:
    """Return the rate at which ``wrong`` of ``texts`` or fewer come with ``probability``."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if tail(wrong, texts, middle) > probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _row(tested: Tested, outcome: Outcome) -> list[str]:
    low, high = outcome.interval
    return [
        tested.name,
        f"{outcome.max_error:g}",
        str(outcome.accepted),
        f"{outcome.coverage:.1%}",
        str(outcome.wrong),
        f"{outcome.error:.2%}",
        f"{low:.2%} to {high:.2%}",
        "yes" if outcome.within else "NO",
        "YES" if outcome.broken else "no",
    ]


if __name__ == "__main__":
    run_command(main, "benchmarks.promise")
