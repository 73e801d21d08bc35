"""Training one network epoch by epoch: best weights, early stop, checkpoint, and going on from it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from distill.checkpoint import (
    random_state,
    read_checkpoint,
    restore_random_state,
    under_prefix,
    with_prefix,
    write_checkpoint,
)
from distill.learner import Trainee
from distill.run_folder import RunFolder
from distill.training import Event, Report
from runtime.errors import ConfigError


class Epochs:
    """Lets a network learn until its dev macro-F1 stops rising.

    Args:
        run: where state and events are kept.
        trainee: the network, in a phase that was begun.
        most: most epochs.
        patience: epochs without a better dev macro-F1 before it stops.
        fingerprint: of all that the network learns from.
        report: is told every event.
    """

    def __init__(
        self, run: RunFolder, trainee: Trainee, most: int, patience: int, fingerprint: str, report: Report
    ) -> None:
        self.run, self.trainee, self.report = run, trainee, report
        self.most, self.patience, self.fingerprint = most, patience, fingerprint
        self.done = self.since_best = 0
        self.events: list[Event] = []
        self._seconds_before, self._started = 0.0, time.monotonic()

    @property
    def seconds(self) -> float:
        """Time that the run took so far, with what it took before an interruption."""
        return self._seconds_before + time.monotonic() - self._started

    def resume(self) -> None:
        """Put back the state after the last epoch that was finished, if there is one.

        Raises:
            ConfigError: the data changed since.
            DataError: the checkpoint is damaged.
        """
        if not self._state.is_file():
            return
        tensors, state = read_checkpoint(self._state)
        if state["data_fingerprint"] != self.fingerprint:
            raise ConfigError(f"the data changed since {self.run.path} was begun; train anew with another --out")
        self.done, self.since_best = state["counters"]
        self.events, self._seconds_before = state["events"], state["seconds"]
        self.trainee.restore(under_prefix("trainee", tensors), state["trainee"])
        restore_random_state(under_prefix("random", tensors))

    def train(self, learn: Callable[[], dict[str, float]], judge: Callable[[], dict[str, float]]) -> None:
        """Repeat ``learn``, which gives the mean losses of an epoch, and ``judge``, which gives dev scores."""
        while self.done < self.most and self.since_best < self.patience:
            losses, dev = learn(), judge()
            self.done += 1
            self.since_best = 0 if self.trainee.keep_if_better(dev["macro_f1"]) else self.since_best + 1
            self._keep({"event": "epoch", "epoch": self.done, "loss": losses, "dev": dev})
        self.trainee.continue_from_best()

    def finish(self, final: Event, environment: dict[str, Any]) -> None:
        """Write the last event and the environment, remove the checkpoint: the run is complete."""
        self.run.save_metrics([*self.events, final])
        # Last, because a folder that has it counts as finished and is not resumed.
        self.run.save_environment(environment)
        shutil.rmtree(self.run.checkpoint, ignore_errors=True)
        self.report(final)

    def _keep(self, event: Event) -> None:
        """Write everything that a resumed run needs, then report the event."""
        self.events.append(event)
        tensors = {**with_prefix("trainee", self.trainee.tensors()), **with_prefix("random", random_state())}
        state = {
            "counters": [self.done, self.since_best],
            "events": self.events,
            "seconds": self.seconds,
            "data_fingerprint": self.fingerprint,
            "trainee": self.trainee.state(),
        }
        write_checkpoint(self._state, tensors, state)
        self.run.save_metrics(self.events)
        self.report(event)

    @property
    def _state(self) -> Path:
        return self.run.checkpoint / "state.safetensors"
