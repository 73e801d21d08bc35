"""What a person sees while a run trains: a bar on a terminal, else one line for each epoch and round."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import click

from distill.layout import duration
from distill.recipe import TrainingConfig


class Report(Protocol):
    """Is told the events of a run."""

    def __call__(self, event: dict[str, Any]) -> None:
        """Show the event."""


@contextmanager
def progress(settings: TrainingConfig) -> Iterator[Report]:
    """Yield what shows the events of a run on standard error."""
    total = settings.initial_epochs + settings.rounds
    clock = _Clock(total)
    if not sys.stderr.isatty():
        yield lambda event: click.echo(_line(event, settings, clock), err=True)
        return
    with click.progressbar(
        length=total, label="training", file=sys.stderr, show_eta=False, item_show_func=lambda line: line
    ) as bar:

        def show(event: dict[str, Any]) -> None:
            line = _line(event, settings, clock)
            bar.update(clock.done - bar.pos, line)

        yield show


class _Clock:
    """Guesses the time left from the mean of the epochs and rounds of this process."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0
        self._resumed_at: int | None = None
        self._started = time.monotonic()

    def left(self, done: int) -> float:
        if self._resumed_at is None:
            self._resumed_at = done - 1
        self.done = done
        return (time.monotonic() - self._started) / (done - self._resumed_at) * (self.total - done)


def _line(event: dict[str, Any], settings: TrainingConfig, clock: _Clock) -> str:
    if event["event"] == "final":
        return f"best student: dev macro-F1 {event['dev']['student']['macro_f1']:.3f}"
    if event["event"] == "epoch":
        what = f"epoch {event['epoch']}/{settings.initial_epochs}"
        losses = f"loss {event['loss']['student']:.3f} (teacher {event['loss']['teacher']:.3f})"
        left = f"{duration(clock.left(event['epoch']))} left"
    else:
        what = f"round {event['round']}/{settings.rounds}"
        losses = _stages(event)
        # Mutual learning may stop before its last round.
        left = f"at most {duration(clock.left(settings.initial_epochs + event['round']))} left"
    dev = event["dev"]
    scores = f"dev macro-F1 {dev['student']['macro_f1']:.3f} (teacher {dev['teacher']['macro_f1']:.3f})"
    return f"{what}  {losses}  {scores}  {left}"


def _stages(event: dict[str, Any]) -> str:
    one, two = event["stage_one"], event.get("stage_two")
    text = f"loss {one['total']:.3f}" + (f" (teacher {two['total']:.3f})" if two else "")
    passed = f"{one['pass_rate']:.0%}" + (f" (teacher's lessons), {two['pass_rate']:.0%} (student's)" if two else "")
    return f"{text}  gate passed {passed}"
