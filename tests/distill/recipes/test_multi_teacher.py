"""Students of several tiny teachers: what a run leaves, that it repeats, and what each part does."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from distill.recipes.multi_teacher import MultiTeacher, train
from distill.runs.events import Event
from distill.runs.run_folder import RunFolder
from distill.training.trainee import Trainee
from export.source import read_source
from runtime.errors import ConfigError
from tests.distill.recipes.weights import weights
from tests.distill.teachers.runs import finished_teachers, tiny_multi_teacher
from tests.distill.tiny import make_rare, stop_at, write_tiny_data

NO_OTHERS = ("teachers.dictionary_words=0", "teachers.replaced_words=0")


@pytest.fixture(scope="module")
def folders(data: Path, lm: Path) -> tuple[Path, Path]:
    return finished_teachers(data, lm)


@pytest.fixture(scope="module")
def finished(data: Path, folders: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    out = tmp_path_factory.mktemp("finished") / "run"
    train(tiny_multi_teacher(data, folders), out, "cpu")
    return RunFolder(out)


def test_run_folder_is_what_export_reads(finished: RunFolder) -> None:
    source = read_source(finished.path)
    stored = torch.tensor([row.logits for row in finished.predictions("test")])
    torch.testing.assert_close(torch.from_numpy(source.reference), stored, atol=1e-5, rtol=0)
    assert not finished.checkpoint.exists()
    rows = finished.environment()["rows"]
    assert 90 <= rows.pop("made") <= 100  # a text that is made may stand in train, dev or test
    assert rows == {"train": 54, "dev": 18, "test": 18, "unlabelled": 0}


def test_events_tell_every_part_of_the_loss(finished: RunFolder) -> None:
    events = finished.metrics()
    assert [event["event"] for event in events] == ["epoch", "epoch", "final"]
    losses = events[0]["loss"]
    assert set(losses) == {"total", "labels", "answers", "others"}
    assert losses["total"] == pytest.approx((losses["labels"] + losses["answers"]) / 2 + 3 * losses["others"])
    assert set(events[-1]["test"]) == {"teachers", "student"}


def test_tiny_student_learns_its_data(data: Path, folders: tuple[Path, Path], tmp_path: Path) -> None:
    final = train(tiny_multi_teacher(data, folders, "training.epochs=12"), tmp_path / "run", "cpu")
    assert final["test"]["student"]["accuracy"] > 0.6  # chance is a third


def test_student_follows_its_teachers_where_labels_do_not_count(
    data: Path, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    train(tiny_multi_teacher(data, folders, "teachers.distill_weight=1", "training.epochs=8"), tmp_path / "run", "cpu")
    losses = [event["loss"] for event in RunFolder(tmp_path / "run").metrics()[:-1]]
    assert losses[-1]["others"] < 0.5 * losses[0]["others"]


@pytest.mark.parametrize("setting", ["training.epoch_steps=9", "student.bigram_buckets=64"])
def test_run_resumed_where_texts_come_again_or_bigrams_learn_ends_as_an_uninterrupted_one(
    data: Path, folders: tuple[Path, Path], tmp_path: Path, setting: str
) -> None:
    recipe = tiny_multi_teacher(data, folders, setting)
    train(recipe, tmp_path / "whole", "cpu")
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "run", "cpu", report=stop_at(1))
    train(recipe, tmp_path / "run", "cpu", resume=True)
    assert weights(RunFolder(tmp_path / "run")) == weights(RunFolder(tmp_path / "whole"))


@pytest.mark.parametrize("epoch", [1, 2])
def test_resumed_run_ends_as_an_uninterrupted_one(
    finished: RunFolder, data: Path, folders: tuple[Path, Path], tmp_path: Path, epoch: int
) -> None:
    recipe, out = tiny_multi_teacher(data, folders), tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train(recipe, out, "cpu", report=stop_at(epoch))
    asked: list[Event] = []
    train(recipe, out, "cpu", resume=True, report=asked.append)
    assert all(event["event"] != "teacher" for event in asked)  # their answers were kept
    assert RunFolder(out).metrics() == finished.metrics()
    assert weights(RunFolder(out)) == weights(finished)


def test_a_run_within_the_folder_of_its_teacher_can_be_resumed(
    finished: RunFolder, data: Path, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    copies = [Path(shutil.copytree(folder, tmp_path / folder.name)) for folder in folders]
    recipe, out = tiny_multi_teacher(data, copies), copies[0] / "student-of-it"
    with pytest.raises(KeyboardInterrupt):
        train(recipe, out, "cpu", report=stop_at(1))
    train(recipe, out, "cpu", resume=True)
    assert RunFolder(out).metrics() == finished.metrics()
    sha256 = RunFolder(out).environment()["teachers_sha256"]
    assert sha256 == finished.environment()["teachers_sha256"]


@pytest.mark.usefixtures("float32")
def test_losses_of_four_steps(
    data: Path, folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pinned: a change of these numbers is a change of the method."""
    steps: dict[str, list[float]] = {"labels": [], "answers": [], "others": []}
    labelled, others = MultiTeacher._losses_of_labelled, MultiTeacher._loss_of_others

    def record(self: MultiTeacher, rows: list[int]) -> dict[str, torch.Tensor]:
        parts = labelled(self, rows)
        for name, part in parts.items():
            steps[name].append(float(part.detach()))
        return parts

    def record_others(self: MultiTeacher, rows: list[int]) -> torch.Tensor:
        loss = others(self, rows)
        steps["others"].append(float(loss.detach()))
        return loss

    monkeypatch.setattr(MultiTeacher, "_losses_of_labelled", record)
    monkeypatch.setattr(MultiTeacher, "_loss_of_others", record_others)
    nothing_random = ("student.dropout=0", "training.character_dropout=0")
    once = ("training.batch_size=16", "training.epochs=1")
    train(tiny_multi_teacher(data, folders, *nothing_random, *once), tmp_path / "run", "cpu")
    for name, pinned in FOUR_STEPS.items():
        assert steps[name] == pytest.approx(pinned, abs=1e-4), name


FOUR_STEPS = {
    "labels": [1.07924, 0.91476, 1.03598, 0.85578],
    "answers": [0.38342, 0.24413, 0.31075, 0.27775],
    "others": [0.24116, 0.06643, 0.10686, 0.05407],
}


def test_few_labelled_texts_come_again_until_an_epoch_is_long_enough(
    data: Path, folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates, seen = list[float](), list[int]()
    losses_of_labelled, step = MultiTeacher._losses_of_labelled, Trainee.step

    def record(self: MultiTeacher, rows: list[int]) -> dict[str, torch.Tensor]:
        seen.extend(rows)
        return losses_of_labelled(self, rows)

    def record_rate(self: Trainee, loss: torch.Tensor) -> None:
        step(self, loss)
        rates.append(float(self.schedule.get_last_lr()[0]))

    monkeypatch.setattr(MultiTeacher, "_losses_of_labelled", record)
    monkeypatch.setattr(Trainee, "step", record_rate)
    recipe = tiny_multi_teacher(data, folders, "training.epochs=1", "training.epoch_steps=9")
    train(recipe, tmp_path / "run", "cpu")
    assert len(rates) == 9  # seven batches of eight texts, the last of six, and two of them again
    assert sorted(seen[:54]) == list(range(54))
    assert set(seen[54:]) <= set(range(54))
    assert rates[-1] == pytest.approx(0.0)
    assert min(rates[:-1]) > 0


def test_without_other_texts_labels_and_answers_remain(data: Path, folders: tuple[Path, Path], tmp_path: Path) -> None:
    train(tiny_multi_teacher(data, folders, *NO_OTHERS), tmp_path / "run", "cpu")
    assert set(RunFolder(tmp_path / "run").metrics()[0]["loss"]) == {"total", "labels", "answers"}


def test_texts_of_the_user_come_before_those_that_are_made(
    data: Path, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    names = tmp_path / "names.txt"
    names.write_text("氯化钠\n氯化钾\n盐酸 试剂\n", encoding="utf-8")  # the last one is labelled
    recipe = tiny_multi_teacher(data, folders, *NO_OTHERS, f"data.unlabelled=['{names}']")
    train(recipe, tmp_path / "run", "cpu")
    assert RunFolder(tmp_path / "run").environment()["rows"]["unlabelled"] == 2
    assert set("氯钾") <= set(RunFolder(tmp_path / "run").tokenizer().characters)


def test_fewer_other_texts_than_steps_come_again(data: Path, folders: tuple[Path, Path], tmp_path: Path) -> None:
    recipe = tiny_multi_teacher(data, folders, "teachers.dictionary_words=3", "teachers.replaced_words=0")
    train(recipe, tmp_path / "run", "cpu")
    assert RunFolder(tmp_path / "run").metrics()[0]["loss"]["others"] > 0


def test_classes_of_few_texts_weigh_more_where_asked(lm: Path, tmp_path: Path) -> None:
    data, losses = make_rare(write_tiny_data(tmp_path / "data"), "酸", rows=2), set()
    folders = finished_teachers(data, lm)
    for key in ("class_weights=none", "class_weights=balanced", "logit_adjustment=1"):
        recipe = tiny_multi_teacher(data, folders, *NO_OTHERS, f"imbalance.{key}", "training.epochs=1")
        train(recipe, tmp_path / key, "cpu")
        losses.add(RunFolder(tmp_path / key).metrics()[0]["loss"]["labels"])
    assert len(losses) == 3


def test_a_teacher_that_changed_is_not_resumed(lm: Path, tmp_path: Path) -> None:
    data = write_tiny_data(tmp_path / "data")
    folders = finished_teachers(data, lm)
    recipe = tiny_multi_teacher(data, folders, *NO_OTHERS)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "run", "cpu", report=stop_at(1))
    path = folders[1] / "student" / "model.safetensors"
    stored = bytearray(path.read_bytes())
    stored[-1] ^= 1
    path.write_bytes(stored)
    with pytest.raises(ConfigError, match="data changed"):
        train(recipe, tmp_path / "run", "cpu", resume=True)


def test_no_teacher_is_said_in_one_line(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="each folder by --teacher FOLDER"):
        train(tiny_multi_teacher(data, []), tmp_path / "run", "cpu")
