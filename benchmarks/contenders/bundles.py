"""The bundle to measure: one that is there, or one exported for the occasion."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click

from benchmarks.contenders.texts import example_rows
from runtime.errors import BackendError

PAIRS = click.option(
    "--pair",
    "pairs",
    type=(click.Path(path_type=Path), click.Path(path_type=Path)),
    multiple=True,
    required=True,
    metavar="RUN BUNDLE",
    help="Run folder, and the bundle exported from it; may be given many times.",
)
"""The option of measurements on the test sets that bundles were not fitted on."""
_EVERY_BACKEND = ("--backend", "both", "--keep-fp32")


def choose_bundle(folder: Path, *, bundle: Path | None, run: Path | None, untrained: bool) -> Path:
    """Return the bundle that exactly one of the three options names; export it to ``folder`` if need be.

    Raises:
        click.UsageError: none of them is given, or more than one.
        BackendError: the export failed.
    """
    if sum((bundle is not None, run is not None, untrained)) != 1:
        raise click.UsageError("give one of --bundle, --run and --untrained")
    if bundle is not None:
        return bundle
    if run is not None:
        return export_run(run, folder / "bundle", "--cascade")
    # Imported here: it brings torch, which measuring a bundle does without.
    from benchmarks.contenders.untrained import write_untrained

    write_untrained(folder / "run", example_rows()[0])
    # Random weights leave many texts between two classes: parity has nothing to say about them.
    return export_run(folder / "run", folder / "bundle", "--min-agreement", "0", "--max-f1-drop", "1")


def export_run(run: Path, out: Path, *options: str) -> Path:
    """Export a run folder with every backend by ``gm-export``, in a process of its own.

    Raises:
        BackendError: it failed; the message is its last line.
    """
    code = "from export.cli import main; main()"
    command = [sys.executable, "-c", code, "--int8", str(run), *_EVERY_BACKEND, "--out", str(out), *options]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, env=os.environ, check=False)
    if done.returncode != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no message"]
        raise BackendError(f"cannot export {run}: {lines[-1]}")
    return out
