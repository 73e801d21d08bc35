"""The events of a run, checked: scores on dev after each epoch and round, the gate, the final scores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ValidationError

from distill.config.values import Share
from distill.runs.run_folder import RunFolder, damaged


class Scores(BaseModel):
    """Scores of one network on one split."""

    accuracy: Share
    macro_f1: Share


class Step(NamedTuple):
    """Where in its training a run was.

    Attributes:
        phase: ``probe``, ``epoch`` or ``round``.
        number: of the step in its phase, from 1; 0 for a probe.
    """

    phase: str
    number: int


class _Stage(BaseModel):
    """What is read of a stage of a round; one without lessons has no gate."""

    pass_rate: Share | None = None


class _Event(BaseModel):
    """What is read of a line of ``metrics.jsonl``."""

    event: str
    epoch: int = 0
    round: int = 0
    dev: Scores | dict[str, Scores] = {}
    test: dict[str, Scores] = {}
    stage_one: _Stage = _Stage()
    stage_two: _Stage = _Stage()

    @property
    def step(self) -> Step:
        return Step(self.event, self.round if self.event == "round" else self.epoch)

    def dev_of(self, alone: str) -> dict[str, Scores]:
        """Return the scores by network; where but one learns, and has no name, it is called ``alone``."""
        return {alone: self.dev} if isinstance(self.dev, Scores) else self.dev


@dataclass(frozen=True, slots=True)
class History:
    """How a run learned.

    Attributes:
        steps: in order.
        dev: scores on dev, for each network that learned and each of the steps.
        gate: for each stage that has a gate, and each round, the share of the lessons that it let pass.
        final_dev: scores on dev at the end, by network; teachers that did not learn and the student before mutual
            learning are there too.
        final_test: the same on test.
    """

    steps: tuple[Step, ...]
    dev: dict[str, tuple[Scores, ...]]
    gate: dict[str, tuple[float, ...]]
    final_dev: dict[str, Scores]
    final_test: dict[str, Scores]

    @property
    def rounds(self) -> tuple[Step, ...]:
        """The rounds of mutual learning."""
        return tuple(step for step in self.steps if step.phase == "round")

    def kept(self, network: str) -> int:
        """Return the place in ``steps`` of the weights that were kept of ``network``: the first of the best macro-F1.

        Initial weights do not compete with rounds, see :mod:`distill.recipes.gate_mixup`.
        """
        first = len(self.steps) - len(self.rounds) if self.rounds else 0
        f1 = [scores.macro_f1 for scores in self.dev[network][first:]]
        return first + f1.index(max(f1))


def read_history(run: RunFolder, network: str) -> History:
    """Read how a finished run learned.

    Args:
        run: its folder.
        network: the one that the run is about; where but one learns, events do not name it.

    Raises:
        DataError: ``metrics.jsonl`` is missing or damaged, or does not end with the final scores.
    """
    path = run.path / "metrics.jsonl"
    events = [_checked(event, path, line) for line, event in enumerate(run.metrics(), start=1)]
    if len(events) < 2 or events[-1].event != "final":
        raise damaged(path, "it does not tell of training and end with the final scores")
    *learned, final = events
    dev = _aligned([event.dev_of(network) for event in learned])
    if network not in dev:
        raise damaged(path, f"its lines do not all score the {network} on dev")
    steps = tuple(event.step for event in learned)
    return History(steps, dev, _gate(learned), final.dev_of(network), final.test)


def _checked(event: dict[str, object], path: Path, line: int) -> _Event:
    try:
        return _Event.model_validate(event)
    except ValidationError as error:
        raise damaged(path, f"line {line} tells of no training") from error


def _aligned(scores: list[dict[str, Scores]]) -> dict[str, tuple[Scores, ...]]:
    """Return the scores by network; none where the steps score different ones."""
    networks = scores[0].keys()
    if any(step.keys() != networks for step in scores):
        return {}
    return {network: tuple(step[network] for step in scores) for network in networks}


def _gate(events: list[_Event]) -> dict[str, tuple[float, ...]]:
    rounds = [event for event in events if event.event == "round"]
    stages = {
        "lessons of the teacher": [event.stage_one.pass_rate for event in rounds],
        "lessons of the student": [event.stage_two.pass_rate for event in rounds],
    }
    told = {name: tuple(rate for rate in rates if rate is not None) for name, rates in stages.items()}
    return {name: rates for name, rates in told.items() if rates and len(rates) == len(rounds)}
