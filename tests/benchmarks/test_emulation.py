"""Replaying on another processor: here the other processor is this one, or a Python that is changed on purpose."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.emulation import NATIVE, main, qemu_commands, replay_bundle
from runtime.errors import BackendError, ConfigError
from tests.runtime.small_bundles import TEXTS, Model, edit_manifest, tokenizer, write_bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle with an fp32 model that states tolerances."""
    model = Model(tokenizer().size).onnx().SerializeToString()
    path = write_bundle(tmp_path / "bundle", fp32=model)
    edit_manifest(path, parity={"tolerance": {"onnx": 0.01, "fp32": 0.01}})
    return path


def _saturating(tmp_path: Path) -> list[str]:
    """Return how to start a Python in which the INT8 model, and not the fp32 one, answers a little wrong."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        "from runtime.backends.onnx import OnnxBackend as B\n"
        "run = B.run\n"
        "B.run = lambda self, ids: run(self, ids) + (0.2 if self.name == 'onnx' else 0)\n"
    )
    shell = shutil.which("env")
    if shell is None:
        pytest.skip("needs the command env")
    root = Path(__file__).resolve().parents[2]
    return [shell, f"PYTHONPATH={site}:{root}", sys.executable]


def test_the_same_processor_differs_in_nothing(bundle: Path) -> None:
    replays = replay_bundle(bundle, {"twin": [sys.executable]}, TEXTS)
    assert [(replay.backend, replay.machine) for replay in replays] == [
        ("onnx", NATIVE),
        ("onnx", "twin"),
        ("fp32", NATIVE),
        ("fp32", "twin"),
    ]
    for replay in replays:
        assert (replay.other_labels, replay.largest_difference, replay.texts) == (0, 0.0, len(TEXTS))
        assert (replay.golden["ok"], replay.serves) == (True, replay.backend)


def test_another_processor_is_told_by_its_logits_and_the_fp32_model_serves_there(bundle: Path, tmp_path: Path) -> None:
    replays = replay_bundle(bundle, {"other": _saturating(tmp_path)}, TEXTS)
    int8 = next(replay for replay in replays if (replay.backend, replay.machine) == ("onnx", "other"))
    assert int8.golden["label_agreement"] == 1.0
    assert int8.golden["ok"] is False
    assert int8.other_labels == 0
    np.testing.assert_allclose(int8.largest_difference, 0.2, atol=1e-5)
    assert int8.serves == "fp32"


def test_the_command_prints_a_table_and_writes_the_same(bundle: Path, tmp_path: Path) -> None:
    arguments = [
        str(bundle),
        "--machine",
        f"twin={sys.executable}",
        "--texts",
        "5",
        "--out",
        str(tmp_path / "out.json"),
    ]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0
    assert done.output.count("0 of 5") == 4
    stored = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert len(stored["replays"]) == 4
    assert stored["commands"] == {"twin": Path(sys.executable).name}


def test_an_emulator_that_is_missing_or_fails_is_one_line(bundle: Path) -> None:
    with pytest.raises(ConfigError, match="no-such-emulator is not installed"):
        replay_bundle(bundle, {"none": ["no-such-emulator"]}, TEXTS)
    with pytest.raises(BackendError, match="out of order"):
        replay_bundle(bundle, {"bad": [sys.executable, "-c", "raise SystemExit('out of order')"]}, TEXTS)
    assert CliRunner().invoke(main, [str(bundle), "--machine", "twin"]).exit_code == 2


def test_by_default_two_older_processors_are_emulated() -> None:
    assert [command[2] for command in qemu_commands().values()] == ["Haswell", "Nehalem"]
