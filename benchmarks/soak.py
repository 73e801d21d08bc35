"""A classifier under load: many threads, reloads in between, corrupt bundles among them; then rest.

``python -m benchmarks.soak BUNDLE OTHER [--threads 16] [--calls 100000] [--memory-calls 100000] [--reloads 50]
[--idle 60] [--out FILE.json]``; OTHER is any second bundle, to reload in turn with BUNDLE. A sound run ends with 0,
any fault with 1.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from pathlib import Path

import click

from benchmarks.contenders.texts import example_rows
from benchmarks.machine.facts import machine_facts
from benchmarks.machine.surroundings import ONE_THREAD
from benchmarks.speed.processes import environment
from runtime import BundleError, Classifier, Prediction
from runtime.bundles.manifest import MANIFEST
from runtime.command import run_command
from runtime.files import write_json

Answer = tuple[str, bool, str]
Answers = Mapping[str, frozenset[Answer]]

_TEXTS = 500
_WARM_CALLS = 10_000
_MOST_GROWTH_MB = 1.0
_MOST_IDLE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory in MB (10^6 bytes) of a process that does nothing but classify; 0 where the system does not tell.

    Attributes:
        calls: that lie between the two.
        warm: after the first 10,000 calls, from which growth counts.
        end: after all calls.
    """

    calls: int
    warm: float
    end: float


@dataclass(frozen=True, slots=True)
class Load:
    """What became of the calls and reloads of all threads.

    Attributes:
        threads: that called.
        calls: made.
        wrong: answers that neither bundle gives alone.
        reloads: of a sound bundle, after each of which a corrupt one was tried.
        refused: corrupt ones that were refused.
        seconds: of the clock on the wall.
    """

    threads: int
    calls: int
    wrong: int
    reloads: int
    refused: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Idle:
    """CPU seconds that the process used while it did nothing."""

    seconds: float
    cpu: float


@dataclass(frozen=True, slots=True)
class OneCpu:
    """A process of its own, allowed one CPU and told to use four threads.

    Attributes:
        threads: most that it had.
        stderr: what it printed there.
    """

    threads: int
    stderr: str


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("other", type=click.Path(path_type=Path))
@click.option("--threads", default=16, show_default=True, type=click.IntRange(min=1))
@click.option("--calls", default=100_000, show_default=True, type=click.IntRange(min=1), help="Of each thread.")
@click.option(
    "--memory-calls",
    type=click.IntRange(min=1),
    help="Of one thread alone, over which memory may not grow.  [default: as --calls]",
)
@click.option("--reloads", default=50, show_default=True, type=click.IntRange(min=1))
@click.option("--idle", default=60.0, show_default=True, type=click.FloatRange(min=0.0), help="Seconds of rest.")
@click.option("--out", type=click.Path(path_type=Path), help="JSON file for the figures.")
def main(
    bundle: Path,
    other: Path,
    threads: int,
    calls: int,
    memory_calls: int | None,
    reloads: int,
    idle: float,
    out: Path | None,
) -> None:
    """Print what BUNDLE does under load, and whether anything went wrong."""
    texts = example_rows()[0][:_TEXTS]
    with Classifier(bundle) as classifier, corrupt_copies(bundle) as corrupt:
        # The load's own memory is that of several bundles at a time, and of the benchmark: it is measured apart.
        memory = hold_memory(bundle, texts, memory_calls or calls)
        load = hold_load(classifier, (bundle, other), corrupt, texts, threads=threads, calls=calls, reloads=reloads)
        rest = hold_still(idle)
    one_cpu = on_one_cpu(bundle) if sys.platform == "linux" else None
    faults = find_faults(memory, load, rest, one_cpu)
    figures = {
        "memory": asdict(memory),
        "load": asdict(load),
        "idle": asdict(rest),
        "one_cpu": asdict(one_cpu) if one_cpu else None,
        "faults": faults,
    }
    for name, value in figures.items():
        print(f"{name}: {value}")
    if out:
        write_json(out, {"machine": machine_facts(), **figures})
    if faults:
        sys.exit(1)


@contextmanager
def corrupt_copies(bundle: Path) -> Iterator[list[Path]]:
    """Yield copies of a bundle folder: one with a flipped bit in the model, one cut short, one without a manifest."""
    with tempfile.TemporaryDirectory() as folder:
        flipped, cut, bare = (Path(shutil.copytree(bundle, Path(folder) / name)) for name in ("flipped", "cut", "bare"))
        model = bytearray((flipped / "model.onnx").read_bytes())
        model[len(model) // 2] ^= 1
        (flipped / "model.onnx").write_bytes(model)
        (cut / "model.onnx").write_bytes(model[: len(model) // 2])
        (bare / MANIFEST).unlink()
        yield [flipped, cut, bare]


def hold_memory(bundle: Path, texts: Sequence[str], calls: int) -> Memory:
    """Call in a fresh process, 10,000 times and then ``calls`` times; see what memory that takes."""
    code = f"""
from benchmarks.speed.child import hold
from benchmarks.contenders.ours import Runtime
hold(Runtime({str(bundle.resolve())!r}, "auto", "cascade"), {_WARM_CALLS}, {calls})
"""
    done = _run(code, "\n".join(texts))
    warm, end = (round(int(line) / 1e6, 2) for line in done.stdout.split())
    return Memory(calls, warm, end)


def hold_load(
    classifier: Classifier,
    bundles: Sequence[Path],
    corrupt: Sequence[Path],
    texts: Sequence[str],
    *,
    threads: int,
    calls: int,
    reloads: int,
) -> Load:
    """Let ``threads`` call, and reload sound and corrupt bundles in turn, evenly spread over their calls."""
    allowed = answers_alone(bundles, texts)
    before = classifier.stats().texts
    start = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        jobs = [pool.submit(_count_wrong, classifier, texts[number:], calls, allowed) for number in range(threads)]
        refused = 0
        for number, (sound, bad) in enumerate(islice(zip(cycle(bundles), cycle(corrupt), strict=False), reloads)):
            while classifier.stats().texts - before < threads * calls * number // reloads:
                time.sleep(0.02)
            classifier.reload(sound)
            refused += _is_refused(classifier, bad)
        wrong = sum(job.result() for job in jobs)
    made = classifier.stats().texts - before
    return Load(threads, made, wrong, reloads, refused, round(time.perf_counter() - start, 1))


def answers_alone(bundles: Sequence[Path], texts: Sequence[str]) -> Answers:
    """Return by text what each of the bundles answers in one thread that nobody disturbs."""
    found: dict[str, set[Answer]] = {text: set() for text in texts}
    for bundle in bundles:
        with Classifier(bundle) as classifier:
            for text in texts:
                found[text].add(_answer(classifier.classify(text)))
    return {text: frozenset(answers) for text, answers in found.items()}


def hold_still(seconds: float) -> Idle:
    """Do nothing, and see what that costs."""
    start = time.process_time()
    time.sleep(seconds)
    return Idle(seconds, round(time.process_time() - start, 4))


def on_one_cpu(bundle: Path) -> OneCpu:
    """Classify in a process that may use one CPU, having asked for four threads."""
    code = f"""
import os
os.sched_setaffinity(0, {{min(os.sched_getaffinity(0))}})
from runtime import Classifier
classifier = Classifier({str(bundle.resolve())!r}, threads=4)
for _ in range(2000): classifier.classify("乙醇")
print(len(os.listdir("/proc/self/task")))
"""
    done = _run(code, "")
    return OneCpu(int(done.stdout), done.stderr)


def find_faults(memory: Memory, load: Load, idle: Idle, one_cpu: OneCpu | None) -> list[str]:
    """Return what is not as it should be, in words."""
    faults = {
        f"memory grew by {memory.end - memory.warm:.1f} MB": memory.end - memory.warm > _MOST_GROWTH_MB,
        f"{load.wrong} wrong answers under load": load.wrong > 0,
        f"{load.reloads - load.refused} corrupt bundles were taken": load.refused < load.reloads,
        f"{idle.cpu} CPU seconds at rest": idle.cpu > _MOST_IDLE_SECONDS,
    }
    if one_cpu:
        faults["more threads than the one CPU has use for"] = one_cpu.threads > 1
        faults[f"on one CPU it complains: {one_cpu.stderr:.200}"] = bool(one_cpu.stderr)
    return [fault for fault, found in faults.items() if found]


def _run(code: str, given: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in a fresh process, which may import the benchmarks."""
    # Libraries under numpy bring threads of their own, which the runtime neither uses nor can stop.
    one_thread = {**environment(), **ONE_THREAD}
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, input=given, env=one_thread, capture_output=True, text=True, encoding="utf-8", check=True
    )


def _count_wrong(classifier: Classifier, texts: Sequence[str], calls: int, allowed: Answers) -> int:
    return sum(_answer(classifier.classify(text)) not in allowed[text] for text in islice(cycle(texts), calls))


def _is_refused(classifier: Classifier, bundle: Path) -> bool:
    try:
        classifier.reload(bundle)
    except BundleError:
        return True
    return False


def _answer(prediction: Prediction) -> Answer:
    return prediction.label, prediction.accepted, prediction.reason.value


if __name__ == "__main__":
    run_command(main, "benchmarks.soak")
