"""``gm-distill pretrain`` as users meet it: a line for each point, SIGKILL, Ctrl-C, several processes, no network."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from distill.config.pretraining import PretrainRecipe
from distill.config.recipe import read_recipe_of
from distill.recipes.pretrain import Pretraining, pretrain
from distill.runs.run_folder import RunFolder
from tests.distill.tiny_corpus import TINY_LM, tiny_pretraining, write_tiny_corpus

Command = Callable[..., int]
Output = pytest.CaptureFixture[str]
FAST = [word for key in TINY_LM for word in ("--set", key)]
# Ends the process as soon as Python code asks for a connection or a host name other than this machine.
GUARD = """
import os, sys
def refuse(event, arguments):
    if event == "socket.getaddrinfo" and arguments[0] not in ("localhost", "127.0.0.1", None):
        os._exit(99)
sys.addaudithook(refuse)
from distill.cli import main
main()
"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny texts."""
    return write_tiny_corpus(tmp_path_factory.mktemp("tiny") / "texts.txt")


@contextmanager
def started(*arguments: object, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Start the command in a process of its own."""
    command = [sys.executable, "-c", GUARD, "pretrain", *map(str, arguments), "--device", "cpu"]
    variables = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=variables) as process:
        yield process


def test_it_prints_a_line_for_each_point_and_leaves_a_model(
    gm_distill: Command, corpus: Path, tmp_path: Path, capsys: Output
) -> None:
    assert gm_distill("pretrain", corpus, *FAST, "--out", tmp_path / "lm", "--device", "cpu") == 0
    printed = capsys.readouterr()
    lines = printed.err.splitlines()
    assert lines[0].startswith("80 texts, ")
    assert [line.split("  ")[0] for line in lines[1:5]] == ["step 6/22", "step 12/22", "step 18/22", "step 22/22"]
    assert "left" in lines[1]
    assert lines[5].startswith("finished: held-out loss")
    assert printed.out == f"language model: {tmp_path / 'lm'}\n"
    again = [
        "--from",
        tmp_path / "lm",
        "--recipe",
        "pretrain",
        "--set",
        "model.max_len=10",
        "--set",
        "training.epochs=1",
    ]
    assert gm_distill("pretrain", corpus, *again, "--out", tmp_path / "more", "--device", "cpu") == 0
    assert read_recipe_of(PretrainRecipe, tmp_path / "more" / "recipe.toml").model.start == str(tmp_path / "lm")


def test_paths_of_a_recipe_count_from_its_folder(
    gm_distill: Command, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = corpus.parent / "recipe.toml"
    recipe.write_text(tiny_pretraining(Path("texts.txt"), "training.epochs=0.1").to_toml(), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert gm_distill("pretrain", "--recipe", recipe, "--out", "lm", "--device", "cpu") == 0
    assert RunFolder(Path("lm")).environment()["texts"] == 80


def test_killed_run_goes_on_and_ends_as_an_uninterrupted_one(gm_distill: Command, corpus: Path, tmp_path: Path) -> None:
    arguments = [corpus, *FAST, "--set", "training.epochs=30", "--set", "training.report_every=30"]
    assert gm_distill("pretrain", *arguments, "--out", tmp_path / "whole", "--device", "cpu") == 0
    with started(*arguments, "--out", tmp_path / "killed") as process:
        assert process.stderr is not None
        while not process.stderr.readline().startswith("step 30/"):
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
    assert not (tmp_path / "killed" / "environment.json").exists()
    assert gm_distill("pretrain", "--out", tmp_path / "killed", "--resume", "--device", "cpu") == 0
    whole, killed = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "killed")
    assert killed.metrics() == whole.metrics()
    assert (killed.path / "model.safetensors").read_bytes() == (whole.path / "model.safetensors").read_bytes()


def test_ctrl_c_says_how_to_go_on(
    gm_distill: Command, corpus: Path, tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    def press(self: Pretraining, *arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Pretraining, "_learn_from", press)
    out = tmp_path / "lm"
    assert gm_distill("pretrain", corpus, *FAST, "--out", out, "--device", "cpu") == 130
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == f"interrupted; go on with: gm-distill pretrain --out {out} --resume"
    assert (out / "checkpoint" / "state.safetensors").is_file()


def test_two_processes_learn_what_one_learns(corpus: Path, tmp_path: Path) -> None:
    arguments = [corpus, *FAST, "--set", "model.dropout=0", "--set", "training.epochs=1"]
    place = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(29_000 + os.getpid() % 4000)}
    both = [{**place, "RANK": rank, "LOCAL_RANK": rank} for rank in ("0", "1")]
    out = ["--out", tmp_path / "two"]
    with started(*arguments, *out, **both[0]) as first, started(*arguments, *out, **both[1]) as second:
        assert first.stderr is not None
        assert first.stderr.readline().startswith("80 texts, ")
    assert (first.returncode, second.returncode) == (0, 0)
    recipe = tiny_pretraining(corpus, "model.dropout=0", "training.epochs=1")
    pretrain(recipe, tmp_path / "one", "cpu")
    one, two = RunFolder(tmp_path / "one"), RunFolder(tmp_path / "two")
    assert (one.environment()["processes"], two.environment()["processes"]) == (1, 2)
    assert [event["step"] for event in two.metrics()] == [event["step"] for event in one.metrics()]
    for alone, together in zip(one.metrics(), two.metrics(), strict=True):
        assert together["held_out"] == pytest.approx(alone["held_out"], abs=1e-4)
        assert together.get("loss", 0.0) == pytest.approx(alone.get("loss", 0.0), abs=1e-4)


def test_faults_are_one_line_with_their_exit_code(
    gm_distill: Command, corpus: Path, tmp_path: Path, capsys: Output
) -> None:
    for arguments, code, message in (
        (["--out", tmp_path / "a"], 2, "no texts to learn from"),
        ([tmp_path / "nothing", "--out", tmp_path / "b"], 3, "nothing"),
        ([tmp_path, "--out", tmp_path / "c"], 3, "holds no shards"),
        ([corpus, "--from", tmp_path, "--out", tmp_path / "d"], 3, "holds no language model"),
        ([corpus, "--set", "training.lr=-1", "--out", tmp_path / "e"], 2, "training.lr"),
        ([corpus, "--out", corpus.parent], 2, "is not empty"),
    ):
        assert gm_distill("pretrain", *arguments) == code
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
