"""The journal of a run: its events, how long it took, and the state that it resumes from."""

from __future__ import annotations

import gc
import time
from pathlib import Path
from typing import Any

from distill.runs.checkpoint import Tensors, read_checkpoint, read_state, write_checkpoint
from distill.runs.events import Event, Report
from distill.runs.run_folder import RunFolder
from runtime.errors import ConfigError


class Journal:
    """Keeps the state of a run with each of its epochs, so that state and events never disagree.

    Args:
        run: where state and events are kept.
        fingerprint: of all that the run learns from.
        report: called with every event; with that of an epoch once it is saved.

    Raises:
        ConfigError: the run was begun on something else; raised before anything slow begins.
        DataError: the checkpoint is damaged.
    """

    def __init__(self, run: RunFolder, fingerprint: str, report: Report) -> None:
        self.run, self.fingerprint, self.report = run, fingerprint, report
        self.events: list[Event] = []
        self._seconds_before, self._started = 0.0, time.monotonic()
        if self._checkpoint.is_file() and read_state(self._checkpoint)["data_fingerprint"] != fingerprint:
            what = f"the data changed since {run.path} was begun, or a model that it learns from did"
            raise ConfigError(f"{what}; train anew with another --out")

    @property
    def seconds(self) -> float:
        """Time since the journal was opened, with what the run took before an interruption."""
        return self._seconds_before + time.monotonic() - self._started

    def resume(self) -> tuple[Tensors, dict[str, Any]] | None:
        """Put events and time back and return the state that was there; ``None`` if there was none."""
        if not self._checkpoint.is_file():
            return None
        tensors, state = read_checkpoint(self._checkpoint)
        self.events, self._seconds_before = state["events"], state["seconds"]
        return tensors, state

    def tell(self, event: Event) -> None:
        """Report an event that precedes the first saved state; it is written with that; a stop before loses it."""
        self.events.append(event)
        self.report(event)

    def keep(self, event: Event, tensors: Tensors, state: dict[str, Any]) -> None:
        """Write everything that a resumed run needs, ``state`` in values of JSON, then report the event."""
        self.events.append(event)
        own = {"events": self.events, "seconds": self.seconds, "data_fingerprint": self.fingerprint}
        write_checkpoint(self._checkpoint, tensors, {**state, **own})
        self.run.save_metrics(self.events)
        self.report(event)

    def finish(self, final: Event, environment: dict[str, Any]) -> None:
        """Write the last event and the environment, remove the checkpoint: the run is complete.

        Windows removes no file that is mapped: a run that maps files must call :func:`clear_checkpoint` at its end too.
        """
        self.run.save_metrics([*self.events, final])
        # Last, because a folder that has it counts as finished and is not resumed.
        self.run.save_environment(environment)
        self.run.remove_checkpoint()
        self.report(final)

    @property
    def _checkpoint(self) -> Path:
        return self.run.checkpoint / "state.safetensors"


def clear_checkpoint(run: RunFolder) -> None:
    """Remove what is left of the checkpoint of a finished run; nothing may refer to its training any more."""
    gc.collect()  # its parts refer to each other
    run.remove_checkpoint()
