"""Fine-tuning a tiny encoder that learns from finished teachers beside the labels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from distill.lm.folder import read_finetuned
from distill.recipes.finetune import Finetuning, finetune
from distill.runs.events import Event, Means
from distill.runs.run_folder import RunFolder
from runtime.errors import ConfigError
from tests.distill.recipes.weights import weights
from tests.distill.teachers.runs import finished_teachers, tiny_multi_teacher, tiny_taught_finetune
from tests.distill.tiny import stop_at, write_tiny_data

NO_OTHERS = ("teachers.dictionary_words=0", "teachers.replaced_words=0")


@pytest.fixture(scope="module")
def folders(data: Path, lm: Path) -> tuple[Path, Path]:
    return finished_teachers(data, lm)


@pytest.fixture(scope="module")
def finished(data: Path, lm: Path, folders: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    out = tmp_path_factory.mktemp("finished") / "second"
    finetune(tiny_taught_finetune(data, lm, folders), out, "cpu")
    return RunFolder(out)


def test_events_tell_every_part_of_the_loss_and_the_scores_of_the_teachers(finished: RunFolder) -> None:
    events = finished.metrics()
    assert [event["event"] for event in events] == ["probe", "epoch", "epoch", "final"]
    losses, others = events[1]["loss"], finished.environment()["rows"]["made"]
    assert 90 <= others <= 100  # a text that is made may stand in train, dev or test
    labelled = (losses["labels"] + losses["answers"]) / 2
    assert losses["total"] == pytest.approx((54 * labelled + others * losses["others"]) / (54 + others))
    assert set(events[-1]["test"]) == {"teachers", "teacher"}


def test_it_follows_its_teachers_where_labels_do_not_count(
    data: Path, lm: Path, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    last = {}
    for weight in (0, 1):
        recipe = tiny_taught_finetune(data, lm, folders, *NO_OTHERS, f"teachers.distill_weight={weight}")
        finetune(recipe, tmp_path / str(weight), "cpu")
        last[weight] = RunFolder(tmp_path / str(weight)).metrics()[-2]["loss"]
    assert last[1]["answers"] < last[0]["answers"]
    assert last[0]["labels"] < last[1]["labels"]


def test_it_teaches_as_the_first_one_does(
    data: Path, finished: RunFolder, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    from distill.recipes.multi_teacher import train

    assert read_finetuned(finished.path, max_len=16).labels == ("树脂", "碱", "酸")
    final = train(tiny_multi_teacher(data, [finished.path, folders[1]]), tmp_path / "run", "cpu")
    assert set(final["test"]) == {"teachers", "student"}


@pytest.mark.parametrize("epoch", [1, 2])
def test_resumed_run_asks_nobody_again_and_ends_as_an_uninterrupted_one(
    finished: RunFolder, data: Path, lm: Path, folders: tuple[Path, Path], tmp_path: Path, epoch: int
) -> None:
    recipe, out = tiny_taught_finetune(data, lm, folders), tmp_path / "second"
    with pytest.raises(KeyboardInterrupt):
        finetune(recipe, out, "cpu", report=stop_at(epoch))
    told: list[Event] = []
    finetune(recipe, out, "cpu", resume=True, report=told.append)
    assert all(event["event"] != "teacher" for event in told)
    assert RunFolder(out).metrics() == finished.metrics()
    assert weights(RunFolder(out)) == weights(finished)
    assert not RunFolder(out).checkpoint.exists()


def test_a_stop_while_teachers_are_asked_changes_nothing(
    data: Path, lm: Path, folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(event: Event) -> None:
        if event["event"] == "teacher":
            raise KeyboardInterrupt

    monkeypatch.setattr("distill.teachers.answers._CHUNK", 60)
    recipe, out, told = tiny_taught_finetune(data, lm, folders), tmp_path / "second", list[Event]()
    finetune(recipe, tmp_path / "whole", "cpu")
    with pytest.raises(KeyboardInterrupt):
        finetune(recipe, out, "cpu", report=stop)
    finetune(recipe, out, "cpu", resume=True, report=told.append)
    assert next(event["texts"] for event in told if event["event"] == "teacher") == 120  # the first part was kept
    assert weights(RunFolder(out)) == weights(RunFolder(tmp_path / "whole"))


@pytest.mark.usefixtures("float32")
def test_losses_of_four_steps(
    data: Path, lm: Path, folders: tuple[Path, Path], tmp_path: Path, losses: list[float]
) -> None:
    """Pinned: a change of these numbers is a change of the method."""
    recipe = tiny_taught_finetune(data, lm, folders, "training.batch_size=40", "training.epochs=1")
    finetune(recipe, tmp_path / "second", "cpu")
    assert losses == pytest.approx(FOUR_STEPS, abs=1e-4)


FOUR_STEPS = [0.11231, 0.5836, 0.43709, 0.25985]


def test_every_text_of_a_batch_weighs_the_same(
    data: Path, lm: Path, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    recipe = tiny_taught_finetune(data, lm, folders, "teachers.distill_weight=0.25")
    training = Finetuning(recipe, RunFolder(tmp_path / "second"), torch.device("cpu"), lambda event: None)
    assert training.answers is not None
    logits = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))

    def loss(rows: list[int], places: list[int]) -> float:
        answers = training.answers[rows] if training.answers is not None else torch.empty(0)
        return float(training._loss_where_taught(logits[places], rows, answers, Means()))

    alone = [loss([row], [place]) for place, row in enumerate([0, 60, 1, 61])]
    assert loss([0, 60, 1, 61], [0, 1, 2, 3]) == pytest.approx(sum(alone) / 4)
    by_label = float(torch.nn.functional.cross_entropy(logits[:1], training.train_set.labels[:1]))
    taught = training.answers[:1].softmax(1)
    by_answer = float((taught * (taught.log() - logits[:1].log_softmax(1))).sum())
    assert alone[0] == pytest.approx(0.75 * by_label + 0.25 * by_answer, abs=1e-5)


def test_without_other_texts_labels_and_answers_remain(
    data: Path, lm: Path, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    finetune(tiny_taught_finetune(data, lm, folders, *NO_OTHERS), tmp_path / "second", "cpu")
    assert set(RunFolder(tmp_path / "second").metrics()[1]["loss"]) == {"total", "labels", "answers"}


def test_texts_of_the_user_are_read(data: Path, lm: Path, folders: tuple[Path, Path], tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("氯化钠\n氯化钾\n盐酸 试剂\n", encoding="utf-8")  # the last one is labelled
    recipe = tiny_taught_finetune(data, lm, folders, *NO_OTHERS, f"data.unlabelled=['{names}']")
    finetune(recipe, tmp_path / "second", "cpu")
    rows = RunFolder(tmp_path / "second").environment()["rows"]
    assert (rows["unlabelled"], rows["made"]) == (2, 0)


def test_a_teacher_of_other_data_is_refused(lm: Path, folders: tuple[Path, Path], tmp_path: Path) -> None:
    data = write_tiny_data(tmp_path / "data")
    train = (data / "train.tsv").read_text(encoding="utf-8").splitlines(keepends=True)
    (data / "train.tsv").write_text("".join(train[:-1]), encoding="utf-8")
    with pytest.raises(ConfigError, match="may know labels of dev and test"):
        finetune(tiny_taught_finetune(data, lm, folders), tmp_path / "second", "cpu")


def test_a_language_model_that_is_not_there_is_told_before_teachers_are_asked(
    data: Path, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    recipe, told = tiny_taught_finetune(data, tmp_path / "nowhere", folders), list[Event]()
    with pytest.raises(ConfigError, match="nowhere"):
        finetune(recipe, tmp_path / "second", "cpu", report=told.append)
    assert told == []


def test_texts_that_nobody_labels_are_refused(data: Path, lm: Path, tmp_path: Path) -> None:
    recipe = tiny_taught_finetune(data, lm, [], "data.unlabelled=['names.txt']")
    with pytest.raises(ConfigError, match="name who by --teacher FOLDER"):
        finetune(recipe, tmp_path / "second", "cpu")
    assert not (tmp_path / "second").exists()


def test_the_command_takes_teachers_and_texts(
    gm_distill: Callable[..., int],
    data: Path,
    lm: Path,
    folders: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = tmp_path / "names.txt"
    names.write_text("氯化钠\n氯化钾\n", encoding="utf-8")
    teachers = [word for folder in folders for word in ("--teacher", folder)]
    small = ["--set", "training.epochs=1", "--set", "teachers.dictionary_words=9", "--set", "teachers.replaced_words=9"]
    out = ["--out", tmp_path / "second", "--device", "cpu"]
    assert gm_distill("finetune", "--lm", lm, "--data", data, *teachers, "--unlabelled", names, *small, *out) == 0
    told = capsys.readouterr().out
    assert "its teachers together" in told
    assert "teacher (language model)" in told
    rows = RunFolder(tmp_path / "second").environment()["rows"]
    assert rows["unlabelled"] == 2
    assert rows["made"] > 2
