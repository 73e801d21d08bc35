"""The whole benchmark on a real bundle with the real runtime, and what its command refuses."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from benchmarks import latency
from benchmarks.contenders import lineup
from benchmarks.contenders.bundles import choose_bundle, export_run
from benchmarks.contenders.contender import Entry
from benchmarks.speed.targets import targets
from runtime.bundles.bundle import Bundle
from runtime.errors import BackendError
from tests.runtime.small_bundles import edit_manifest, write_bundle

TINY = latency.Plan(titles=6, by_length=3, warm_up=1, block=3, bulk=4, chunk=2, processes=1, calls=3)
ECHO = Entry("echo", "tests.benchmarks.echo:Echo", ("class ",), ("click",))
UNKNOWN = Entry("unknown peer", "nowhere:Peer", (), ("no-such-distribution-anywhere",))


@pytest.fixture
def both(tmp_path: Path) -> Path:
    """A bundle with an fp32 model beside the one that counts as INT8."""
    folder = write_bundle(tmp_path / "both")
    (folder / "fp32.onnx").write_bytes((folder / "model.onnx").read_bytes())
    edit_manifest(folder, backends={"onnx": "model.onnx", "fp32": "fp32.onnx"})
    return folder


def test_every_figure_of_every_contender_that_can_run(both: Path, tmp_path: Path) -> None:
    found = latency.measure(Bundle.open(both), [ECHO, UNKNOWN], tmp_path / "work", TINY)
    assert [result.name for result in found.results] == [lineup.OURS_INT8, lineup.OURS_FP32, "echo"]
    assert {one.name for one in found.absent} == {lineup.OURS_OPENVINO, lineup.OURS_CASCADE, "unknown peer"}
    ours = found.results[0]
    assert {kind: timing.n for kind, timing in ours.latency.items()} == {
        "titles": 4, "10": 2, "30": 2, "100": 2, "300": 2,
    }  # fmt: skip
    assert min(ours.bulk, ours.cold.best, ours.cold.peak_rss_mb, ours.installed_mb) > 0

    latency.save(found, tmp_path / "out")
    stored = json.loads((tmp_path / "out" / "latency.json").read_text(encoding="utf-8"))
    assert stored["targets"] == [target.to_json() for target in targets(found)]
    assert stored["results"][2]["latency"]["titles"]["n"] == 4
    assert "not installed: pip install 'no-such-distribution-anywhere'" in (tmp_path / "out" / "latency.md").read_text(
        encoding="utf-8"
    )
    assert (tmp_path / "out" / "latency.png").stat().st_size > 10_000


def test_a_bundle_that_does_not_run_ends_the_benchmark(tmp_path: Path) -> None:
    broken = Bundle.open(write_bundle(tmp_path / "broken", model=b"no onnx file"))
    with pytest.raises(BackendError, match=r"does not run in a process of its own: .*is no ONNX model"):
        latency.measure(broken, [], tmp_path / "work", TINY)


def test_the_runtime_process_imports_nothing_heavy() -> None:
    import subprocess

    code = "import benchmarks.speed.child, benchmarks.contenders.ours, sys; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, cwd=latency.RESULTS.parents[1])
    loaded = set(done.stdout.decode().split())
    assert "benchmarks.contenders.ours" in loaded
    assert not loaded & {"torch", "transformers", "click", "importlib.metadata", "benchmarks.contenders.contender"}


@pytest.mark.parametrize(("bundle", "run", "untrained"), [(None, None, False), (Path("b"), None, True)])
def test_exactly_one_source_of_a_bundle(bundle: Path | None, run: Path | None, untrained: bool) -> None:
    with pytest.raises(click.UsageError, match="one of --bundle, --run and --untrained"):
        choose_bundle(Path("unused"), bundle=bundle, run=run, untrained=untrained)


def test_a_given_bundle_is_taken_as_it_is(tmp_path: Path) -> None:
    assert choose_bundle(tmp_path, bundle=Path("given"), run=None, untrained=False) == Path("given")


def test_an_export_that_fails_gives_its_last_line(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=f"cannot export {tmp_path / 'none'}: gm-export: "):
        export_run(tmp_path / "none", tmp_path / "bundle")


def test_wrong_use_of_the_command_ends_with_2(tmp_path: Path) -> None:
    outcome = CliRunner().invoke(latency.command, ["--out", str(tmp_path / "out")])
    assert outcome.exit_code == 2
    assert "give one of --bundle, --run and --untrained" in outcome.output
    assert not (tmp_path / "out").exists()
