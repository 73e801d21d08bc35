"""Does a bundle decide the same on a processor that is not here? Replay it under an emulator and compare.

``python -m benchmarks.emulation BUNDLE... [--machine NAME=COMMAND]... [--out FILE.json]``; COMMAND starts a Python
that has numpy and onnxruntime, on the other processor. Without ``--machine``, QEMU's user mode stands in for an
x86 processor with AVX2 and without VNNI (Haswell) and for one with SSE4.2 only (Nehalem). Emulation computes what
the processor would, bit by bit; it says nothing about speed.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.contenders.texts import example_rows
from benchmarks.machine.facts import machine_facts
from benchmarks.machine.installed import ROOT
from distill.layout import table
from runtime.bundles.bundle import Bundle
from runtime.command import run_command
from runtime.errors import BackendError, ConfigError
from runtime.files import write_json

NATIVE = "this machine"
_CPUS = {"AVX2, no VNNI": "Haswell", "SSE4.2": "Nehalem"}
# Runs on the other processor: needs nothing of this package but the runtime.
_REPLAY = """
import json, sys
from dataclasses import asdict
from runtime import BackendError, Classifier
asked = json.load(sys.stdin)
with Classifier(asked["bundle"], backend=asked["backend"]) as classifier:
    found = asdict(classifier.selftest())
    logits = [classifier.classify(text).logits.tolist() for text in asked["texts"]]
try:
    with Classifier(asked["bundle"], backend=asked["backend"], selftest="load") as classifier:
        serves = classifier.stats().backend
except BackendError:
    serves = "nothing"
json.dump({"selftest": found, "logits": logits, "serves": serves}, sys.stdout)
"""


@dataclass(frozen=True, slots=True)
class Replay:
    """What one model of a bundle does on one processor.

    Attributes:
        bundle: name and target of the bundle.
        backend: key of the model in the manifest.
        machine: the processor.
        golden: outcome of the self-test, as JSON.
        texts: further texts classified.
        other_labels: of these, how many get another label than on this machine.
        largest_difference: of any of their logits from this machine's.
        serves: backend that a classifier with ``selftest="load"`` serves there, or ``nothing``.
    """

    bundle: str
    backend: str
    machine: str
    golden: dict[str, Any]
    texts: int
    other_labels: int
    largest_difference: float
    serves: str


@click.command()
@click.argument("bundles", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--machine", "machines", multiple=True, metavar="NAME=COMMAND", help="Processor, and how to start Python."
)
@click.option("--texts", default=300, show_default=True, help="Example texts to classify besides the golden ones.")
@click.option("--out", type=click.Path(path_type=Path), help="JSON file for the outcome.")
def main(bundles: tuple[Path, ...], machines: tuple[str, ...], texts: int, out: Path | None) -> None:
    """Replay the ONNX models of BUNDLES on emulated processors."""
    commands = dict(map(_named, machines)) or qemu_commands()
    titles = example_rows()[0][:texts]
    replays = [replay for path in bundles for replay in replay_bundle(path, commands, titles)]
    header = [
        "bundle",
        "model",
        "processor",
        "golden labels",
        "logits",
        "tolerance",
        "other labels",
        "logits",
        "serves",
    ]
    print(table(header, [_row(replay) for replay in replays]))
    if out:
        settings = {"commands": {name: _public(command) for name, command in commands.items()}}
        rows = [asdict(replay) for replay in replays]
        write_json(out, {"machine": machine_facts(), **settings, "replays": rows})


def qemu_commands() -> dict[str, list[str]]:
    """Return how to start this Python on the x86 processors that QEMU 7.2 and later can be."""
    return {name: ["qemu-x86_64", "-cpu", cpu, sys.executable] for name, cpu in _CPUS.items()}


def replay_bundle(path: Path, commands: dict[str, list[str]], texts: Sequence[str]) -> list[Replay]:
    """Return what each ONNX model of a bundle does here and on each machine.

    Raises:
        ConfigError: an emulator is not installed.
        BackendError: it ended with an error; the message is its last line.
    """
    manifest = Bundle.open(path).manifest
    replays = []
    for backend in [name for name in manifest.backends if name != "openvino"]:
        asked: dict[str, object] = {"bundle": str(path.resolve()), "backend": backend, "texts": list(texts)}
        here = run_replay([sys.executable], asked)
        for machine, command in {NATIVE: [sys.executable], **commands}.items():
            found = here if machine == NATIVE else run_replay(command, asked)
            ours, theirs = np.array(here["logits"]), np.array(found["logits"])
            replays.append(
                Replay(
                    bundle=f"{manifest.name}, {manifest.target}",
                    backend=backend,
                    machine=machine,
                    golden=found["selftest"],
                    texts=len(texts),
                    other_labels=int((ours.argmax(1) != theirs.argmax(1)).sum()),
                    largest_difference=float(np.abs(ours - theirs).max()),
                    serves=found["serves"],
                )
            )
    return replays


def run_replay(command: Sequence[str], asked: dict[str, object]) -> dict[str, Any]:
    """Run one replay in a process of its own and return its answer; errors as :func:`replay_bundle`."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            [*command, "-c", _REPLAY],
            input=json.dumps(asked).encode(),
            capture_output=True,
            env=environment,
            check=False,
        )
    except FileNotFoundError as error:
        raise ConfigError(f"{command[0]} is not installed; on Debian: apt install qemu-user") from error
    if done.returncode != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or [f"exit code {done.returncode}"]
        raise BackendError(f"{shlex.join(command)}: {lines[-1]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _named(machine: str) -> tuple[str, list[str]]:
    name, equals, command = machine.partition("=")
    if not (name and equals and command):
        raise click.BadParameter(f"{machine!r}; write NAME=COMMAND", param_hint="--machine")
    return name, shlex.split(command)


def _public(command: Sequence[str]) -> str:
    """Return the command without the folders of this machine."""
    return shlex.join(Path(part).name if os.path.isabs(part) else part for part in command)


def _row(replay: Replay) -> list[str]:
    golden = replay.golden
    tolerance = golden["tolerance"]
    return [
        replay.bundle,
        replay.backend,
        replay.machine,
        f"{golden['label_agreement']:.1%}",
        f"±{golden['largest_difference']:.2g}",
        "-" if tolerance is None else f"±{tolerance:.2g}",
        f"{replay.other_labels} of {replay.texts}",
        f"±{replay.largest_difference:.2g}",
        replay.serves,
    ]


if __name__ == "__main__":
    run_command(main, "python -m benchmarks.emulation")
