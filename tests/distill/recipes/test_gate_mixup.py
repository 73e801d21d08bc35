"""Whole runs on a tiny data set: what they leave, that they repeat, and that they survive a stop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from distill.config.gate_mixup import GateMixupRecipe
from distill.recipes.gate_mixup import GateMixup, train
from distill.runs.run_folder import RunFolder
from distill.training.learner import Learner
from distill.training.metrics import accuracy
from runtime.errors import ConfigError, DataError
from tests.distill.recipes.weights import weights
from tests.distill.tiny import make_rare, steps_of, stop_at, tiny_recipe, write_tiny_data


@pytest.fixture(scope="module")
def finished(data: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A finished run of the tiny recipe."""
    out = tmp_path_factory.mktemp("finished") / "run"
    train(tiny_recipe(data), out, "cpu")
    return RunFolder(out)


def test_run_folder_is_complete(finished: RunFolder) -> None:
    names = {str(path.relative_to(finished.path)) for path in finished.path.rglob("*") if path.is_file()}
    assert names == {
        "recipe.toml",
        "metrics.jsonl",
        "labels.json",
        "learned.json",
        "tokenizer.json",
        "environment.json",
        "student/model.safetensors",
        "student/config.json",
        "teacher/model.safetensors",
        "teacher/config.json",
        "teacher/nodes.json",
        "predictions/dev.jsonl",
        "predictions/test.jsonl",
    }


def test_metrics_tell_every_epoch_and_round_and_the_final_scores(finished: RunFolder) -> None:
    events = finished.metrics()
    assert [event["event"] for event in events] == ["epoch", "epoch", "round", "round", "final"]
    assert set(events[2]) == {"event", "round", "stage_one", "stage_two", "dev"}
    assert 0.0 <= events[2]["stage_one"]["pass_rate"] <= 1.0
    assert set(events[-1]["test"]) == {"teacher", "initial_student", "student"}


def test_student_is_never_worse_on_dev_than_after_initial_training(finished: RunFolder) -> None:
    dev = finished.metrics()[-1]["dev"]
    in_training = [event["dev"]["student"]["macro_f1"] for event in finished.metrics()[:-1]]
    assert dev["student"]["macro_f1"] == max(in_training)
    assert dev["initial_student"]["macro_f1"] == max(in_training[:2])


def test_saved_student_gives_the_stored_predictions(finished: RunFolder) -> None:
    rows, names = finished.predictions("test"), finished.labels()
    ids = [torch.from_numpy(finished.tokenizer().encode(row.text).ids) for row in rows]
    with torch.no_grad():
        logits = torch.cat([finished.student()(one.unsqueeze(0)) for one in ids])
    torch.testing.assert_close(logits, torch.tensor([row.logits for row in rows]), atol=1e-5, rtol=0)
    assert [names[winner] for winner in logits.argmax(1).tolist()] == [row.predicted for row in rows]
    hits = accuracy(
        torch.tensor([names.index(row.label) for row in rows]).numpy(),
        torch.tensor([names.index(row.predicted) for row in rows]).numpy(),
    )
    assert finished.metrics()[-1]["test"]["student"]["accuracy"] == hits


def test_environment_says_what_the_run_ran_on(finished: RunFolder) -> None:
    environment = finished.environment()
    assert environment["seed"] == 0
    assert environment["device"] == "cpu"
    assert environment["rows"] == {"train": 54, "dev": 18, "test": 18}
    assert environment["versions"]["torch"] == torch.__version__
    assert len(environment["data_fingerprint"]) == 64
    assert environment["wall_s"] > 0


def test_tiny_run_learns_its_data(data: Path, tmp_path: Path) -> None:
    final = train(tiny_recipe(data, "training.initial_epochs=30", "training.rounds=8"), tmp_path / "run", "cpu")
    assert final["test"]["student"]["accuracy"] > 0.5  # chance is a third
    assert final["test"]["teacher"]["accuracy"] > 0.5  # chance is a third


def test_same_seed_same_run_and_other_seed_another(finished: RunFolder, data: Path, tmp_path: Path) -> None:
    train(tiny_recipe(data), tmp_path / "again", "cpu")
    train(tiny_recipe(data, "training.seed=1"), tmp_path / "other", "cpu")
    again, other = RunFolder(tmp_path / "again"), RunFolder(tmp_path / "other")
    assert again.metrics() == finished.metrics()
    assert weights(again, "student") == weights(finished, "student") != weights(other, "student")
    assert weights(again, "teacher") == weights(finished, "teacher") != weights(other, "teacher")


def test_without_stage_two_the_teacher_learns_on_from_labels_alone(
    finished: RunFolder, data: Path, tmp_path: Path
) -> None:
    for weight in ("0.2", "0.8"):
        recipe = tiny_recipe(data, "ablate.stage_two=true", f"gate_mixup.distill_weight={weight}")
        train(recipe, tmp_path / weight, "cpu")
    little, much = RunFolder(tmp_path / "0.2"), RunFolder(tmp_path / "0.8")
    assert set(much.metrics()[2]["stage_two"]) == {"total"}
    assert weights(little, "teacher") == weights(much, "teacher") != weights(finished, "teacher")
    assert weights(little, "student") != weights(much, "student")


@pytest.mark.parametrize(("kind", "number"), [("epoch", 1), ("epoch", 2), ("round", 1), ("round", 2)])
def test_resumed_run_ends_as_an_uninterrupted_one(
    finished: RunFolder, data: Path, tmp_path: Path, kind: str, number: int
) -> None:
    recipe, out = tiny_recipe(data), tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train(recipe, out, "cpu", report=stop_at(number, kind))
    assert RunFolder(out).metrics()[-1][kind] == number
    train(recipe, out, "cpu", resume=True)
    resumed = RunFolder(out)
    assert resumed.metrics() == finished.metrics()
    assert weights(resumed, "student") == weights(finished, "student")
    assert weights(resumed, "teacher") == weights(finished, "teacher")
    assert resumed.predictions("test") == finished.predictions("test")
    assert not resumed.checkpoint.exists()


def test_few_texts_come_again_until_an_epoch_is_long_enough(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tiny_recipe(data, "training.epoch_steps=9")
    with monkeypatch.context() as patch:
        steps = steps_of(Learner, patch)
        train(recipe, tmp_path / "whole", "cpu")
    assert steps == [9 * (2 * 2 + 2 * 2)]  # two networks in two epochs, two stages in two rounds
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "run", "cpu", report=stop_at(1, "round"))
    train(recipe, tmp_path / "run", "cpu", resume=True)
    assert weights(RunFolder(tmp_path / "run"), "student") == weights(RunFolder(tmp_path / "whole"), "student")


def test_stop_inside_a_round_goes_on_from_the_round_before(
    finished: RunFolder, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, out = tiny_recipe(data), tmp_path / "run"
    teach, steps = GateMixup._teach, iter(range(1000))

    def teach_until_step_20(self: GateMixup, *arguments: Any) -> dict[str, torch.Tensor]:  # noqa: ANN401
        if next(steps) == 20:
            raise KeyboardInterrupt
        return teach(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(GateMixup, "_teach", teach_until_step_20)
        with pytest.raises(KeyboardInterrupt):
            train(recipe, out, "cpu")
    train(recipe, out, "cpu", resume=True)
    assert RunFolder(out).metrics() == finished.metrics()
    assert weights(RunFolder(out), "student") == weights(finished, "student")


def test_resume_before_the_first_checkpoint_starts_anew(finished: RunFolder, data: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(data)
    RunFolder(tmp_path / "run").save_recipe(recipe)
    train(recipe, tmp_path / "run", "cpu", resume=True)
    assert RunFolder(tmp_path / "run").metrics() == finished.metrics()


def interrupted(recipe: GateMixupRecipe, out: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(recipe, out, "cpu", report=stop_at(1))


def test_resume_refuses_another_recipe(data: Path, tmp_path: Path) -> None:
    interrupted(tiny_recipe(data), tmp_path / "run")
    with pytest.raises(ConfigError, match="another recipe"):
        train(tiny_recipe(data, "training.seed=7"), tmp_path / "run", "cpu", resume=True)


def test_resume_refuses_other_data(tmp_path: Path) -> None:
    data = write_tiny_data(tmp_path / "data")
    interrupted(tiny_recipe(data), tmp_path / "run")
    with (data / "dev.tsv").open("a", encoding="utf-8") as stream:
        stream.write("冰醋酸\t酸\n")
    with pytest.raises(ConfigError, match="data changed"):
        train(tiny_recipe(data), tmp_path / "run", "cpu", resume=True)


def test_resume_of_a_damaged_checkpoint_is_refused(data: Path, tmp_path: Path) -> None:
    interrupted(tiny_recipe(data), tmp_path / "run")
    (tmp_path / "run" / "checkpoint" / "state.safetensors").write_bytes(b"half of it")
    with pytest.raises(DataError, match=r"state\.safetensors"):
        train(tiny_recipe(data), tmp_path / "run", "cpu", resume=True)


def test_finished_run_is_not_resumed(finished: RunFolder, data: Path) -> None:
    with pytest.raises(ConfigError, match="finished"):
        train(tiny_recipe(data), finished.path, "cpu", resume=True)


def test_folder_in_use_is_left_alone(data: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigError, match="not empty"):
        train(tiny_recipe(data), tmp_path, "cpu")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_missing_gpu_is_a_config_error(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--device cpu"):
        train(tiny_recipe(data), tmp_path / "run", "cuda")


def test_rare_class_is_found_at_least_as_often_where_asked(tmp_path: Path) -> None:
    data = make_rare(write_tiny_data(tmp_path / "data"), "酸", rows=4)
    found, losses = [], []
    for key in ("class_weights=none", "class_weights=balanced", "logit_adjustment=1"):
        run = RunFolder(tmp_path / key)
        train(tiny_recipe(data, f"imbalance.{key}", "training.initial_epochs=8", "training.seed=1"), run.path, "cpu")
        found.append(sum(row.label == row.predicted == "酸" for row in run.predictions("test")))
        losses.append(run.metrics()[0]["loss"])
    assert found[0] <= min(found[1:])
    for network in ("student", "teacher"):
        assert len({loss[network] for loss in losses}) == 3


NOTHING_RANDOM = (
    "student.dropout=0",
    "teacher.dropout=0",
    "teacher.node_dropout=0",
    "training.character_dropout=0",
    "gate_mixup.dropout=0",
    "gate_mixup.residual=sum",
)


def test_losses_of_four_steps_of_each_phase(data: Path, tmp_path: Path, losses: list[float]) -> None:
    """Pinned: a change of these numbers is a change of the method."""
    one_of_each = ("training.initial_epochs=1", "training.rounds=1", "training.batch_size=16")
    train(tiny_recipe(data, *one_of_each, *NOTHING_RANDOM), tmp_path / "run", "cpu")
    assert losses[0:8:2] == pytest.approx(STUDENT_ON_LABELS, abs=1e-4)
    assert losses[1:8:2] == pytest.approx(TEACHER_ON_LABELS, abs=1e-4)
    assert losses[8:12] == pytest.approx(STAGE_ONE, abs=1e-4)
    assert losses[12:16] == pytest.approx(STAGE_TWO, abs=1e-4)
    assert len(losses) == 16


STUDENT_ON_LABELS = [1.02191, 1.42862, 1.06929, 1.0199]
TEACHER_ON_LABELS = [1.10151, 1.34421, 1.03412, 0.99095]
STAGE_ONE = [0.64554, 0.55053, 0.6297, 0.48229]
STAGE_TWO = [0.4913, 0.46889, 0.46941, 0.38831]
