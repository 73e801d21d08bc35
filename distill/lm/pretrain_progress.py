"""What a person sees while a language model is pretrained: a line for each point of the curve."""

from __future__ import annotations

import time
from typing import Any

import click

from distill.layout import duration


class PretrainingProgress:
    """Prints a line on standard error for each event of pretraining."""

    def __init__(self) -> None:
        self._first: tuple[int, float] | None = None

    def __call__(self, event: dict[str, Any]) -> None:
        """Show the event."""
        click.echo(f"{_pretraining_line(event)}{self._left(event['step'], event['steps'])}", err=True)

    def _left(self, step: int, steps: int) -> str:
        """Return the time left, from the pace since the first event of this process."""
        if self._first is None:
            self._first = step, time.monotonic()
        first, started = self._first
        if not first < step < steps:
            return ""
        return f"  {duration((time.monotonic() - started) / (step - first) * (steps - step))} left"


def _pretraining_line(event: dict[str, Any]) -> str:
    held_out = "held-out loss {loss:.3f}, {accuracy:.1%} guessed".format(**event["held_out"])
    if event["event"] == "start":
        sizes = "{texts:,} texts, {tokens:,} tokens, vocabulary {vocabulary:,}, {parameters:,} parameters".format(
            **event
        )
        return f"{sizes}, {event['steps']:,} steps  {held_out}"
    if event["event"] == "final":
        return f"finished: {held_out}"
    return f"step {event['step']}/{event['steps']}  loss {event['loss']:.3f}  {held_out}"
