"""Training one network epoch by epoch: best weights, early stop, and going on after a stop."""

from __future__ import annotations

from collections.abc import Callable

from distill.runs.checkpoint import random_state, restore_random_state, under_prefix, with_prefix
from distill.runs.events import Event
from distill.runs.journal import Journal
from distill.training.trainee import Trainee


class Epochs:
    """Lets a network learn until its dev macro-F1 stops rising.

    Args:
        journal: of the run; it keeps the state after each epoch.
        trainee: the network, in a phase that was begun.
        most: most epochs.
        patience: epochs without a better dev macro-F1 before it stops.
    """

    def __init__(self, journal: Journal, trainee: Trainee, most: int, patience: int) -> None:
        self.journal, self.trainee, self.most, self.patience = journal, trainee, most, patience
        self.done = self.since_best = 0

    def resume(self) -> None:
        """Put back the state after the last epoch that was finished, if there is one."""
        kept = self.journal.resume()
        if kept is None:
            return
        tensors, state = kept
        self.done, self.since_best = state["counters"]
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

    def _keep(self, event: Event) -> None:
        tensors = {**with_prefix("trainee", self.trainee.tensors()), **with_prefix("random", random_state())}
        state = {"counters": [self.done, self.since_best], "trainee": self.trainee.state()}
        self.journal.keep(event, tensors, state)
