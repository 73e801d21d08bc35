"""Fine-tuning a tiny encoder: what it leaves, that it repeats, and that it survives a stop."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from distill.config.language_model import FinetuneTrainingConfig
from distill.lm.folder import read_finetuned
from distill.lm.provenance import learned_data
from distill.lm.teacher_cache import teacher_logits
from distill.models.lm_teacher import LMTeacher, load_encoder
from distill.recipes.finetune import Finetuning, finetune, optimisation
from distill.runs.events import Event
from distill.runs.run_folder import RunFolder
from distill.training.trainee import Trainee
from runtime.errors import ConfigError, DataError
from tests.distill.recipes.weights import weights
from tests.distill.tiny import make_rare, steps_of, stop_at, tiny_recipe, write_tiny_data
from tests.distill.tiny_lm import REAL_LM, tiny_finetune


@pytest.fixture(scope="module")
def finished(data: Path, lm: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A finished run of the tiny recipe."""
    out = tmp_path_factory.mktemp("finished") / "teacher"
    finetune(tiny_finetune(data, lm), out, "cpu")
    return RunFolder(out)


def test_folder_is_complete_and_its_encoder_is_an_ordinary_one(finished: RunFolder) -> None:
    names = {path.name for path in finished.path.iterdir()}
    assert names == {
        "recipe.toml",
        "metrics.jsonl",
        "labels.json",
        "learned.json",
        "environment.json",
        "encoder",
        "head.safetensors",
        "predictions",
    }
    encoder, tokenizer = load_encoder(finished.path / "encoder")
    assert encoder.config.num_hidden_layers == 2
    assert tokenizer("盐酸")["input_ids"][0] == tokenizer.cls_token_id


def test_read_teacher_gives_the_stored_predictions(finished: RunFolder) -> None:
    teacher = read_finetuned(finished.path, max_len=16)
    assert teacher.labels == finished.labels() == ("树脂", "碱", "酸")
    assert teacher.data_fingerprint == finished.environment()["data_fingerprint"]
    rows = finished.predictions("test")
    logits = teacher_logits(teacher, [row.text for row in rows], torch.device("cpu"))
    torch.testing.assert_close(logits, torch.tensor([row.logits for row in rows]), atol=1e-5, rtol=0)


def test_events_tell_every_epoch_and_the_final_scores(finished: RunFolder) -> None:
    events = finished.metrics()
    assert [event["event"] for event in events] == ["probe", "epoch", "epoch", "final"]
    assert events[-1]["dev"]["teacher"] == max(
        (event["dev"] for event in events[1:-1]), key=lambda dev: dev["macro_f1"]
    )
    assert set(events[-1]["test"]["teacher"]) == {"accuracy", "macro_f1"}


def test_tiny_teacher_learns_its_data(data: Path, lm: Path, tmp_path: Path) -> None:
    final = finetune(tiny_finetune(data, lm, "training.epochs=8"), tmp_path / "teacher", "cpu")
    assert final["test"]["teacher"]["accuracy"] > 0.6  # chance is a third


@pytest.mark.parametrize("epoch", [1, 2])
def test_resumed_run_ends_as_an_uninterrupted_one(
    finished: RunFolder, data: Path, lm: Path, tmp_path: Path, epoch: int
) -> None:
    recipe, out = tiny_finetune(data, lm), tmp_path / "teacher"
    with pytest.raises(KeyboardInterrupt):
        finetune(recipe, out, "cpu", report=stop_at(epoch))
    finetune(recipe, out, "cpu", resume=True)
    assert RunFolder(out).metrics() == finished.metrics()
    assert weights(RunFolder(out)) == weights(finished)
    assert not RunFolder(out).checkpoint.exists()


def test_stop_inside_an_epoch_goes_on_from_the_epoch_before(
    finished: RunFolder, data: Path, lm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, out = tiny_finetune(data, lm), tmp_path / "teacher"
    step, steps = Trainee.step, iter(range(1000))

    def step_until_the_tenth(self: Trainee, loss: torch.Tensor) -> None:
        if next(steps) == 10:
            raise KeyboardInterrupt
        step(self, loss)

    with monkeypatch.context() as patch:
        patch.setattr(Trainee, "step", step_until_the_tenth)
        with pytest.raises(KeyboardInterrupt):
            finetune(recipe, out, "cpu")
    finetune(recipe, out, "cpu", resume=True)
    assert RunFolder(out).metrics() == finished.metrics()
    assert weights(RunFolder(out)) == weights(finished)


def test_few_texts_come_again_until_an_epoch_is_long_enough(
    data: Path, lm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tiny_finetune(data, lm, "training.epoch_steps=9")
    with monkeypatch.context() as patch:
        steps = steps_of(Trainee, patch)
        finetune(recipe, tmp_path / "whole", "cpu")
    assert steps == [2 * 9]  # the texts alone make seven steps
    with pytest.raises(KeyboardInterrupt):
        finetune(recipe, tmp_path / "run", "cpu", report=stop_at(1))
    finetune(recipe, tmp_path / "run", "cpu", resume=True)
    assert weights(RunFolder(tmp_path / "run")) == weights(RunFolder(tmp_path / "whole"))


def test_head_starts_as_what_the_frozen_encoder_says_best(data: Path, lm: Path, tmp_path: Path) -> None:
    learned = {}
    for head in ("probe", "random"):
        finetune(tiny_finetune(data, lm, f'training.head="{head}"', "training.epochs=1"), tmp_path / head, "cpu")
        learned[head] = RunFolder(tmp_path / head).metrics()
    assert [event["event"] for event in learned["random"]] == ["epoch", "final"]
    assert learned["probe"][0]["dev"]["accuracy"] > 0.5  # chance is a third
    assert learned["probe"][1]["loss"]["labels"] < learned["random"][0]["loss"]["labels"] - 0.1


def test_probe_stays_where_training_spoils_it(data: Path, lm: Path, tmp_path: Path) -> None:
    spoil = ("training.lr=1.0", "training.head_lr=1.0", "training.warmup_share=0")
    finetune(tiny_finetune(data, lm, *spoil), tmp_path / "teacher", "cpu")
    probe, *epochs, final = RunFolder(tmp_path / "teacher").metrics()
    assert all(event["dev"]["macro_f1"] < probe["dev"]["macro_f1"] for event in epochs)
    assert final["dev"]["teacher"] == probe["dev"]


def test_stop_after_the_probe_fits_it_anew(finished: RunFolder, data: Path, lm: Path, tmp_path: Path) -> None:
    def stop(event: Event) -> None:
        if event["event"] == "probe":
            raise KeyboardInterrupt

    recipe, out = tiny_finetune(data, lm), tmp_path / "teacher"
    with pytest.raises(KeyboardInterrupt):
        finetune(recipe, out, "cpu", report=stop)
    finetune(recipe, out, "cpu", resume=True)
    assert RunFolder(out).metrics() == finished.metrics()


def test_other_seed_another_teacher(finished: RunFolder, data: Path, lm: Path, tmp_path: Path) -> None:
    finetune(tiny_finetune(data, lm, "training.seed=1"), tmp_path / "teacher", "cpu")
    assert weights(RunFolder(tmp_path / "teacher")) != weights(finished)


def test_losses_of_four_steps(data: Path, lm: Path, tmp_path: Path, losses: list[float]) -> None:
    """Pinned: a change of these numbers is a change of the method."""
    recipe = tiny_finetune(data, lm, "training.batch_size=16", "training.epochs=1")
    finetune(recipe, tmp_path / "teacher", "cpu")
    assert losses == pytest.approx(FOUR_STEPS, abs=1e-4)


FOUR_STEPS = [0.61275, 0.90758, 0.77417, 0.58795]


def test_classes_of_few_texts_weigh_more_where_asked(lm: Path, tmp_path: Path) -> None:
    data, losses = make_rare(write_tiny_data(tmp_path / "data"), "酸", rows=2), set()
    for key in ("class_weights=none", "class_weights=balanced", "logit_adjustment=1"):
        finetune(tiny_finetune(data, lm, f"imbalance.{key}", "training.epochs=1"), tmp_path / key, "cpu")
        losses.add(RunFolder(tmp_path / key).metrics()[1]["loss"]["labels"])
    assert len(losses) == 3


def rates(teacher: LMTeacher, *settings: tuple[str, Any]) -> dict[str, float]:
    """Return the peak learning rate of each parameter."""
    optimiser, _ = optimisation(teacher, FinetuneTrainingConfig(**dict(settings)), steps=10)
    rate = {id(p): group["initial_lr"] for group in optimiser.param_groups for p in group["params"]}
    return {name: rate[id(parameter)] for name, parameter in teacher.named_parameters()}


def test_each_layer_learns_slower_than_the_one_above(lm: Path) -> None:
    teacher = LMTeacher(load_encoder(lm)[0], classes=3)
    rate = rates(teacher, ("lr", 1e-4), ("head_lr", 1e-3), ("layer_decay", 0.5))
    assert rate["head.weight"] == pytest.approx(1e-3)
    assert rate["encoder.encoder.layer.1.output.dense.weight"] == pytest.approx(1e-4)
    assert rate["encoder.encoder.layer.0.output.dense.weight"] == pytest.approx(5e-5)
    assert rate["encoder.embeddings.word_embeddings.weight"] == pytest.approx(2.5e-5)


def test_vectors_have_no_weight_decay(lm: Path) -> None:
    teacher = LMTeacher(load_encoder(lm)[0], classes=3)
    optimiser, _ = optimisation(teacher, FinetuneTrainingConfig(weight_decay=0.1), steps=10)
    decays = {(p.ndim > 1, group["weight_decay"]) for group in optimiser.param_groups for p in group["params"]}
    assert decays == {(True, 0.1), (False, 0.0)}


@pytest.mark.parametrize(("schedule", "half"), [("linear", 0.5), ("cosine", 0.5)])
def test_rate_rises_then_falls_to_nothing(lm: Path, schedule: str, half: float) -> None:
    teacher = LMTeacher(load_encoder(lm)[0], classes=3)
    settings = FinetuneTrainingConfig(schedule=schedule, warmup_share=0.2, lr=1.0, head_lr=1.0)
    optimiser, steps = optimisation(teacher, settings, steps=20)
    seen = []
    for _ in range(20):
        seen.append(max(group["lr"] for group in optimiser.param_groups))
        optimiser.step()
        steps.step()
    assert seen[0] == 0.0
    assert seen[4] == 1.0
    assert seen[12] == pytest.approx(half)
    assert max(group["lr"] for group in optimiser.param_groups) == pytest.approx(0.0, abs=1e-6)


def test_early_stop_after_epochs_without_a_better_teacher(data: Path, lm: Path, tmp_path: Path) -> None:
    never = ("training.lr=1e-12", "training.head_lr=1e-12", "training.epochs=9", "training.patience=2")
    finetune(tiny_finetune(data, lm, *never), tmp_path / "teacher", "cpu")
    epochs = [event for event in RunFolder(tmp_path / "teacher").metrics() if event["event"] == "epoch"]
    assert len(epochs) == 2  # the probe is the best so far


def test_bfloat16_is_near_float32(finished: RunFolder, data: Path, lm: Path, tmp_path: Path) -> None:
    finetune(tiny_finetune(data, lm, "training.precision=bfloat16"), tmp_path / "teacher", "cpu")
    losses = [run.metrics()[1]["loss"]["labels"] for run in (finished, RunFolder(tmp_path / "teacher"))]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)
    assert losses[0] != losses[1]
    assert RunFolder(tmp_path / "teacher").environment()["precision"] == "bfloat16"


def test_missing_language_model_says_how_to_name_one(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--lm"):
        finetune(tiny_finetune(data, tmp_path / "nowhere"), tmp_path / "teacher", "cpu")


def test_an_encoder_that_learned_labels_of_other_data_is_refused(
    finished: RunFolder, data: Path, tmp_path: Path
) -> None:
    other = make_rare(write_tiny_data(tmp_path / "other"), "酸", 5)
    with pytest.raises(ConfigError, match="may know labels of dev and test"):
        finetune(tiny_finetune(other, finished.path / "encoder"), tmp_path / "teacher", "cpu")
    finetune(tiny_finetune(data, finished.path / "encoder", "training.epochs=1"), tmp_path / "again", "cpu")


def test_a_copy_of_such_an_encoder_is_refused_too(finished: RunFolder, data: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(finished.path / "encoder", tmp_path / "enc")
    other = make_rare(write_tiny_data(tmp_path / "other"), "酸", 5)
    with pytest.raises(ConfigError, match="enc learned other data"):
        finetune(tiny_finetune(other, copy), tmp_path / "teacher", "cpu")
    finetune(tiny_finetune(data, copy, "training.epochs=1"), tmp_path / "again", "cpu")
    assert learned_data(tmp_path / "again" / "encoder") == finished.environment()["data_fingerprint"]


def test_resume_refuses_another_recipe(data: Path, lm: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        finetune(tiny_finetune(data, lm), tmp_path / "teacher", "cpu", report=stop_at(1))
    with pytest.raises(ConfigError, match="another recipe"):
        finetune(tiny_finetune(data, lm, "training.lr=1"), tmp_path / "teacher", "cpu", resume=True)


@pytest.mark.parametrize("changed", ["tokenizer.json", "config.json"])
def test_resume_refuses_another_language_model_in_the_same_place(
    data: Path, lm: Path, tmp_path: Path, changed: str
) -> None:
    recipe = tiny_finetune(data, Path(shutil.copytree(lm, tmp_path / "lm")))
    with pytest.raises(KeyboardInterrupt):
        finetune(recipe, tmp_path / "teacher", "cpu", report=stop_at(1))
    (tmp_path / "lm" / changed).write_bytes((lm / changed).read_bytes() + b" ")
    with pytest.raises(ConfigError, match=r"or a model that it learns from did; train anew with another --out$"):
        finetune(recipe, tmp_path / "teacher", "cpu", resume=True)


def test_folder_of_a_student_is_no_teacher(data: Path, tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.save_recipe(tiny_recipe(data))
    run.save_labels(["a", "b"])
    with pytest.raises(DataError, match="gm-distill finetune"):
        read_finetuned(tmp_path, max_len=16)


@pytest.mark.parametrize("part", ["head.safetensors", "encoder/model.safetensors", "encoder/tokenizer.json"])
def test_damaged_part_is_one_line(finished: RunFolder, tmp_path: Path, part: str) -> None:
    for path in finished.path.rglob("*"):
        if path.is_file():
            copy = tmp_path / path.relative_to(finished.path)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(b"{" if copy == tmp_path / part else path.read_bytes())
    with pytest.raises(DataError, match="damaged") as caught:
        read_finetuned(tmp_path, max_len=16)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(not REAL_LM.is_dir(), reason="no ../shared/models/me5-small-zh")
def test_real_encoder_learns_the_tiny_data_in_two_epochs(data: Path, tmp_path: Path) -> None:
    """Without the checkpoints of half a gigabyte that a whole run would write."""
    recipe = tiny_finetune(data, REAL_LM, "training.batch_size=16", "training.lr=0.0003", "training.warmup_share=0")
    training = Finetuning(recipe, RunFolder(tmp_path), torch.device("cpu"), lambda event: None)
    first, second = training.learn(), training.learn()
    assert second["labels"] < first["labels"]
    assert training.judge()["accuracy"] > 0.6  # chance is a third
