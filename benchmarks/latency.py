"""How fast a label comes, ours and the peers': ``python -m benchmarks.latency --bundle BUNDLE``."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter_ns, thread_time_ns

import click

from benchmarks.contenders import lineup
from benchmarks.contenders.bundles import choose_bundle
from benchmarks.contenders.contender import Absent, Contender, Entry
from benchmarks.contenders.peer_models import Task
from benchmarks.contenders.texts import TITLE_LENGTHS, example_rows, make_texts, spread
from benchmarks.machine.facts import load, machine_facts
from benchmarks.machine.installed import installed_bytes
from benchmarks.machine.surroundings import surround
from benchmarks.speed import report
from benchmarks.speed.picture import draw
from benchmarks.speed.processes import cold_starts, trial
from benchmarks.speed.results import TITLES, Measurement, Result
from benchmarks.speed.targets import targets
from benchmarks.speed.timing import Quantiles, throughput, time_each
from runtime.bundles.bundle import Bundle
from runtime.command import run_command
from runtime.errors import BackendError
from runtime.files import write_json, write_text

KINDS: dict[str, Sequence[int]] = {TITLES: TITLE_LENGTHS, "10": [10], "30": [30], "100": [100], "300": [300]}
"""Lengths of the texts whose latency is measured, by the name of their column."""
CLOCKS = {"wall": perf_counter_ns, "cpu": thread_time_ns}
"""What a caller waits for, and, on a machine that others use at the same time, what the thread worked."""
RESULTS = Path(__file__).resolve().parent / "results"


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured.

    Attributes:
        titles: title-length texts for the latency of each contender.
        by_length: texts of each other kind in :data:`KINDS`.
        warm_up: further texts of each length, labelled before: OpenVINO compiles for a length that comes often.
        block: texts in a turn; the first of each is not timed.
        bulk: title-length texts for the throughput.
        chunk: of these, texts in a turn.
        processes: fresh processes of each contender, after one that is thrown away.
        calls: labels that each of these processes gives before its peak RSS is read.
        clock: of latencies, one of :data:`CLOCKS`.
    """

    titles: int
    by_length: int
    warm_up: int
    block: int
    bulk: int
    chunk: int
    processes: int
    calls: int
    clock: str = "wall"


FULL = Plan(titles=2100, by_length=1050, warm_up=80, block=21, bulk=10_000, chunk=2_000, processes=5, calls=1_000)
QUICK = Plan(titles=630, by_length=126, warm_up=80, block=21, bulk=2_000, chunk=500, processes=2, calls=1_000)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--bundle", type=click.Path(path_type=Path), help="Measure this bundle, with the backends it has.")
@click.option("--run", type=click.Path(path_type=Path), help="Export this run folder with all there is, measure that.")
@click.option("--untrained", is_flag=True, help="Measure a student of the default size with random weights.")
@click.option(
    "--clock", type=click.Choice(sorted(CLOCKS)), default="wall", show_default=True, help="Time of latencies."
)
@click.option("--quick", is_flag=True, help="About a minute: ours, tokenizers + onnxruntime, optimum; writes nothing.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for latency.json, .md and .png.")
def command(bundle: Path | None, run: Path | None, untrained: bool, clock: str, quick: bool, out: Path | None) -> None:
    """Measure latency, throughput, cold start, memory and size: ours and the peers', in turns.

    Weights do not change how long a layer takes: --untrained needs no training, and its figures are those of
    a trained student of which the export keeps no layer in float. It has no cascade, which random weights cannot
    have; --run exports one, and a bundle that has one is measured with it and, in the other rows, without.
    Without --quick the results go to benchmarks/results, or to --out.
    """
    surround()
    with tempfile.TemporaryDirectory(prefix="latency-") as scratch:
        chosen = choose_bundle(Path(scratch), bundle=bundle, run=run, untrained=untrained)
        plan = replace(QUICK if quick else FULL, clock=clock)
        peers = [*lineup.peers(Path(scratch), quick=quick), *(() if quick else lineup.sizes(Path(scratch)))]
        measurement = measure(Bundle.open(chosen), peers, Path(scratch), plan)
    click.echo(report.markdown(measurement))
    if out or not quick:
        save(measurement, out or RESULTS)


def measure(bundle: Bundle, peers: Sequence[Entry], folder: Path, plan: Plan) -> Measurement:
    """Take every figure of every contender that can run here.

    Args:
        bundle: our side; the peers' models take labels, vocabulary and length limit from it.
        peers: those to compare with, of :func:`benchmarks.contenders.lineup.peers`.
        folder: where the peers' models go.
        plan: how much is measured.

    Raises:
        BackendError: our own INT8 backend does not run.
    """
    facts = machine_facts()
    sources, labels = example_rows()
    titles = make_texts(sources, spread(TITLE_LENGTHS, max(plan.calls + 1, plan.bulk)))
    Task.of(bundle, sources, labels).save(folder)
    entries, absent = _line_up(bundle, peers, folder, titles[0])
    _say(f"cold starts, {plan.processes} each")
    cold = cold_starts(entries, titles[: plan.calls + 1], plan.processes)
    contenders = {entry.name: entry.open() for entry in entries}
    timings = _latencies(contenders, sources, plan)
    _say("bulk")
    bulk = throughput(contenders, titles[: plan.bulk], plan.chunk)
    sizes = {entry.name: installed_bytes(entry.needs) / 1e6 for entry in entries}
    results = [Result(name, timings[name], bulk[name], cold[name], round(sizes[name], 1)) for name in contenders]
    return Measurement({**facts, "load_after": load()}, asdict(plan), results, absent)


def save(measurement: Measurement, out: Path) -> None:
    """Write ``latency.json``, ``latency.md`` and, where matplotlib is installed, ``latency.png``."""
    stored = {**measurement.to_json(), "targets": [target.to_json() for target in targets(measurement)]}
    write_json(out / "latency.json", stored)
    write_text(out / "latency.md", report.markdown(measurement))
    if find_spec("matplotlib") is None:
        _say("no picture: pip install matplotlib")
    else:
        draw(measurement, out / "latency.png")
    _say(f"wrote {out}")


def _line_up(bundle: Bundle, peers: Sequence[Entry], folder: Path, text: str) -> tuple[list[Entry], list[Absent]]:
    entries, absent = lineup.ours(bundle)
    _say("making the peers' models")
    ready, missing = lineup.ready(peers, folder)
    able, broken = trial([*entries, *ready], text)
    for one in broken:
        if one.name == lineup.OURS_INT8:
            raise BackendError(one.reason)
    return able, [*absent, *missing, *broken]


def _latencies(
    contenders: Mapping[str, Contender], sources: Sequence[str], plan: Plan
) -> dict[str, dict[str, Quantiles]]:
    found: dict[str, dict[str, Quantiles]] = {name: {} for name in contenders}
    for kind, lengths in KINDS.items():
        _say(f"latency, {kind}")
        timed = plan.titles if kind == TITLES else plan.by_length
        warm = plan.warm_up * len(lengths)
        texts = make_texts(sources, spread(lengths, warm + timed), seed=1)
        timings = time_each(contenders, texts[warm:], plan.block, texts[:warm], CLOCKS[plan.clock])
        for name, values in timings.items():
            found[name][kind] = Quantiles.of(values)
    return found


def _say(stage: str) -> None:
    click.echo(f"... {stage}", err=True)


if __name__ == "__main__":
    run_command(command, "python -m benchmarks.latency")
