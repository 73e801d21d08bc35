"""Whole runs whose graph teacher has the token states of a tiny language model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from distill.config.gate_mixup import GateMixupRecipe, TeacherConfig
from distill.models.gnn_teacher import GNNTeacher
from distill.recipes.finetune import finetune
from distill.recipes.gate_mixup import GateMixup, train
from distill.runs.events import Event
from distill.runs.run_folder import RunFolder
from export.source import read_source
from runtime.errors import ConfigError
from tests.distill.maps import can_be_told, watch_removals
from tests.distill.recipes.test_gate_mixup import NOTHING_RANDOM, STUDENT_ON_LABELS
from tests.distill.recipes.weights import weights
from tests.distill.tiny import stop_at, tiny_recipe, write_tiny_data
from tests.distill.tiny_lm import tiny_finetune


def with_states(data: Path, lm: Path, *overrides: str) -> GateMixupRecipe:
    return tiny_recipe(data, "teacher.features=lm", f"teacher.lm={json.dumps(str(lm))}", *overrides)


@pytest.fixture(scope="module")
def finished(data: Path, lm: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A finished run of the tiny recipe with states."""
    out = tmp_path_factory.mktemp("finished") / "run"
    train(with_states(data, lm), out, "cpu")
    return RunFolder(out)


def test_run_leaves_what_it_leaves_without_states(finished: RunFolder) -> None:
    names = {str(path.relative_to(finished.path)) for path in finished.path.rglob("*") if path.is_file()}
    assert {"teacher/model.safetensors", "teacher/config.json", "teacher/nodes.json"} <= names
    assert len(names) == 13
    assert [event["event"] for event in finished.metrics()] == ["epoch", "epoch", "round", "round", "final"]


@can_be_told
def test_what_is_left_of_the_checkpoint_is_removed_when_no_file_of_it_is_mapped(
    data: Path, lm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapped = watch_removals(monkeypatch)
    train(with_states(data, lm, "training.initial_epochs=1"), tmp_path / "run", "cpu")
    assert mapped[0]  # else there is nothing to see
    assert not mapped[-1]


def test_student_is_exported_as_any_other(finished: RunFolder) -> None:
    stored = torch.tensor([row.logits for row in finished.predictions("test")])
    reference = torch.from_numpy(read_source(finished.path).reference)
    torch.testing.assert_close(reference, stored, atol=1e-5, rtol=0)


def test_teacher_comes_back_from_its_folder(finished: RunFolder) -> None:
    folder = finished.path / "teacher"
    stored = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert stored["feature_width"] == 32
    config = TeacherConfig.model_validate(stored["teacher"])
    teacher = GNNTeacher(config, stored["nodes"], stored["classes"], stored["feature_width"])
    teacher.load_state_dict(load_file(folder / "model.safetensors"))


def test_environment_names_the_language_model(finished: RunFolder) -> None:
    assert len(finished.environment()["lm_sha256"]) == 64


def test_tiny_run_learns_its_data(data: Path, lm: Path, tmp_path: Path) -> None:
    final = train(with_states(data, lm, "training.initial_epochs=20"), tmp_path / "run", "cpu")
    assert final["test"]["teacher"]["accuracy"] > 0.5  # chance is a third


def test_language_model_is_asked_about_every_text_once_and_stays_as_it_was(
    data: Path, lm: Path, tmp_path: Path
) -> None:
    before = (lm / "model.safetensors").read_bytes()
    events: list[Event] = []
    train(with_states(data, lm), tmp_path / "run", "cpu", report=events.append)
    asked = [event for event in events if event["event"] == "language_model"]
    assert asked[-1] == {"event": "language_model", "texts": 90, "of": 90}
    assert (lm / "model.safetensors").read_bytes() == before


@pytest.mark.parametrize(("kind", "number"), [("epoch", 1), ("round", 1)])
def test_resumed_run_ends_as_an_uninterrupted_one(
    finished: RunFolder, data: Path, lm: Path, tmp_path: Path, kind: str, number: int
) -> None:
    recipe, out = with_states(data, lm), tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train(recipe, out, "cpu", report=stop_at(number, kind))
    events: list[Event] = []
    train(recipe, out, "cpu", resume=True, report=events.append)
    assert all(event["event"] != "language_model" for event in events)  # its states were kept
    assert RunFolder(out).metrics() == finished.metrics()
    assert weights(RunFolder(out), "student") == weights(finished, "student")
    assert weights(RunFolder(out), "teacher") == weights(finished, "teacher")
    assert not RunFolder(out).checkpoint.exists()


def test_stop_while_the_language_model_reads_starts_anew(
    finished: RunFolder, data: Path, lm: Path, tmp_path: Path
) -> None:
    recipe, out = with_states(data, lm), tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train(recipe, out, "cpu", report=stop_at(90, "texts"))
    train(recipe, out, "cpu", resume=True)
    assert weights(RunFolder(out), "teacher") == weights(finished, "teacher")


def test_resume_refuses_another_language_model(data: Path, lm: Path, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    own = tmp_path / "lm"
    own.mkdir()
    for file in lm.iterdir():
        (own / file.name).write_bytes(file.read_bytes())
    recipe, out = with_states(data, own), tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train(recipe, out, "cpu", report=stop_at(1))
    changed = {name: 2 * tensor for name, tensor in load_file(own / "model.safetensors").items()}
    save_file(changed, own / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConfigError, match="data changed"):
        train(recipe, out, "cpu", resume=True)


def test_fine_tuned_language_model_of_the_same_data(data: Path, lm: Path, tmp_path: Path) -> None:
    finetune(tiny_finetune(data, lm, "training.epochs=1"), tmp_path / "lm", "cpu")
    train(with_states(data, tmp_path / "lm", "training.initial_epochs=1"), tmp_path / "run", "cpu")
    other = write_tiny_data(tmp_path / "data")
    with (other / "train.tsv").open("a", encoding="utf-8") as stream:
        stream.write("冰醋酸\t酸\n")
    with pytest.raises(ConfigError, match="labels of dev and test"):
        train(with_states(other, tmp_path / "lm"), tmp_path / "other", "cpu")


def test_states_without_a_language_model_are_refused_before_anything_is_written(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--set teacher\.lm=FOLDER"):
        train(tiny_recipe(data, "teacher.features=lm"), tmp_path / "run", "cpu")
    assert not (tmp_path / "run").exists()


def test_a_language_model_that_nothing_would_read_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"add --set teacher\.features=lm, or leave it out"):
        train(tiny_recipe(data, "teacher.lm=nowhere"), tmp_path / "run", "cpu")
    assert not (tmp_path / "run").exists()


def test_all_other_weights_begin_as_without_states(data: Path, lm: Path, tmp_path: Path) -> None:
    cpu = torch.device("cpu")
    plain = GateMixup(tiny_recipe(data), RunFolder(tmp_path / "plain"), cpu, lambda event: None)
    rich = GateMixup(with_states(data, lm), RunFolder(tmp_path / "rich"), cpu, lambda event: None)
    for name in ("student", "teacher"):
        own, other = getattr(plain, name).module.state_dict(), getattr(rich, name).module.state_dict()
        assert all(torch.equal(tensor, other[key]) for key, tensor in own.items())
    assert set(other) - set(own) == {"features.mean", "features.scale", "features.projection.weight"}


@pytest.mark.usefixtures("float32")
def test_losses_of_four_steps_of_each_phase(data: Path, lm: Path, tmp_path: Path, losses: list[float]) -> None:
    """Pinned: a change of these numbers is a change of the method."""
    one_of_each = ("training.initial_epochs=1", "training.rounds=1", "training.batch_size=16")
    train(with_states(data, lm, *one_of_each, *NOTHING_RANDOM), tmp_path / "run", "cpu")
    assert losses[0:8:2] == pytest.approx(STUDENT_ON_LABELS, abs=1e-4)  # as without states
    assert losses[1:8:2] == pytest.approx(TEACHER_ON_LABELS, abs=1e-4)
    assert losses[8:12] == pytest.approx(STAGE_ONE, abs=1e-4)
    assert losses[12:16] == pytest.approx(STAGE_TWO, abs=1e-4)
    assert len(losses) == 16


TEACHER_ON_LABELS = [1.03893, 1.29946, 1.04988, 1.0081]
STAGE_ONE = [0.64439, 0.5202, 0.54497, 0.44418]
STAGE_TWO = [0.49408, 0.51504, 0.5478, 0.37119]
