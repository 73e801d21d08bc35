"""What a person sees while a run trains: a bar on a terminal, else one line for each epoch and round."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

import click

from distill.config.gate_mixup import TrainingConfig
from distill.layout import duration
from runtime.command import is_terminal

# A line that stays is written over the bar, which is drawn again below it.
_CLEAR_LINE = "\r\x1b[K"


class Report(Protocol):
    """Shows the events of a run."""

    def __call__(self, event: dict[str, Any]) -> None:
        """Show the event."""


class Line(NamedTuple):
    """What an event says.

    Attributes:
        text: for people.
        done: epochs and rounds that are done; ``None`` where the event is neither.
        at_most: whether training may stop before the last one.
    """

    text: str
    done: int | None = None
    at_most: bool = False


@contextmanager
def progress(total: int, describe: Callable[[dict[str, Any]], Line]) -> Iterator[Report]:
    """Yield what shows the events of a run of ``total`` epochs and rounds on standard error.

    What :mod:`distill` logs meanwhile, as the size of the corpus, is shown there too.
    """
    clock = _Clock(total)
    if not is_terminal(sys.stderr):
        with _log_shown(before=""):
            yield lambda event: click.echo(_with_time(describe(event), clock), err=True)
        return
    bar_of_click = click.progressbar(
        length=total, label="training", file=sys.stderr, show_eta=False, item_show_func=lambda line: line
    )
    with bar_of_click as bar, _log_shown(before=_CLEAR_LINE):

        def show(event: dict[str, Any]) -> None:
            line = _with_time(describe(event), clock)
            bar.update(clock.done - bar.pos, line)

        yield show


@contextmanager
def _log_shown(before: str) -> Iterator[None]:
    logger, handler = logging.getLogger("distill"), _Lines(before)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


class _Lines(logging.Handler):
    """Shows records on standard error, without their time and place; ``before`` goes in front of each."""

    def __init__(self, before: str) -> None:
        super().__init__()
        self._before = before

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record; logging calls this method by its name."""
        click.echo(self._before + self.format(record), err=True)


def mutual_learning(settings: TrainingConfig) -> tuple[int, Callable[[dict[str, Any]], Line]]:
    """Return the number of epochs and rounds of mutual learning, and what describes its events."""

    def describe(event: dict[str, Any]) -> Line:
        """Return what an epoch, a round, a language model's reading or the end of mutual learning says."""
        if event["event"] == "final":
            return Line(f"best student: dev macro-F1 {event['dev']['student']['macro_f1']:.3f}")
        if event["event"] == "language_model":
            return Line(f"the language model has read {event['texts']} of {event['of']} texts")
        dev = event["dev"]
        scores = f"dev macro-F1 {dev['student']['macro_f1']:.3f} (teacher {dev['teacher']['macro_f1']:.3f})"
        if event["event"] == "epoch":
            losses = f"loss {event['loss']['student']:.3f} (teacher {event['loss']['teacher']:.3f})"
            return Line(f"epoch {event['epoch']}/{settings.initial_epochs}  {losses}  {scores}", event["epoch"])
        text = f"round {event['round']}/{settings.rounds}  {_stages(event)}  {scores}"
        return Line(text, settings.initial_epochs + event["round"], at_most=True)

    return settings.initial_epochs + settings.rounds, describe


def epochs(most: int) -> tuple[int, Callable[[dict[str, Any]], Line]]:
    """Return the most epochs of a run that trains one network, and what describes its events."""

    def describe(event: dict[str, Any]) -> Line:
        """Return what a probe, an epoch, the teacher's answers or the end of a run says."""
        if event["event"] == "final":
            scores = ", ".join(f"{name} {dev['macro_f1']:.3f}" for name, dev in event["dev"].items())
            return Line(f"best on dev, macro-F1: {scores}")
        if event["event"] == "teacher":
            return Line(f"the teacher has read {event['texts']} of {event['of']} texts")
        if event["event"] == "probe":
            return Line(f"logistic regression on the encoder as it is: dev macro-F1 {event['dev']['macro_f1']:.3f}")
        losses = "  ".join(f"{name} {value:.3f}" for name, value in event["loss"].items())
        text = f"epoch {event['epoch']}/{most}  loss {losses}  dev macro-F1 {event['dev']['macro_f1']:.3f}"
        return Line(text, event["epoch"], at_most=True)

    return most, describe


class _Clock:
    """Estimates the time left from the mean duration of the epochs and rounds in this process."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0
        self._resumed_at: int | None = None
        self._started = time.monotonic()

    def begin(self) -> None:
        """Start again, unless an epoch is done: the time that teachers take to read is no part of an epoch."""
        if self._resumed_at is None:
            self._started = time.monotonic()

    def left(self, done: int) -> float:
        """Return the seconds left when ``done`` epochs and rounds are done."""
        if self._resumed_at is None:
            self._resumed_at = done - 1
        self.done = done
        return (time.monotonic() - self._started) / (done - self._resumed_at) * (self.total - done)


def _with_time(line: Line, clock: _Clock) -> str:
    if line.done is None:
        clock.begin()
        return line.text
    return f"{line.text}  {'at most ' if line.at_most else ''}{duration(clock.left(line.done))} left"


def _stages(event: dict[str, Any]) -> str:
    one, two = event["stage_one"], event["stage_two"]
    passed = f"{one['pass_rate']:.0%}"
    if "pass_rate" in two:
        passed += f" (teacher's lessons), {two['pass_rate']:.0%} (student's)"
    return f"loss {one['total']:.3f} (teacher {two['total']:.3f})  gate passed {passed}"
