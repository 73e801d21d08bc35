"""What is saved comes back; what is missing or damaged is a DataError that names the file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from distill.config.gate_mixup import GateMixupRecipe, read_gate_mixup
from distill.config.language_model import FinetuneRecipe
from distill.config.pretraining import PretrainRecipe
from distill.config.sections import StudentConfig
from distill.data.corpus import Example
from distill.models.student import Student
from distill.runs.run_folder import PredictionRow, RunFolder, learned_hash
from runtime.errors import DataError
from runtime.tokenizer import CharTokenizer

SMALL = StudentConfig(layers=1, width=8, heads=2, feed_forward=16, max_len=12)
LABELS = ("acid", "base")
ROWS = [
    PredictionRow("盐酸\u2028 31%", "acid", "acid", 0.75, (1.5, 0.25)),
    PredictionRow("片碱", "base", "acid", 0.5, (0, 0)),
]


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A complete run folder of an untrained student."""
    folder = RunFolder(tmp_path / "run")
    tokenizer = CharTokenizer.from_texts(["盐酸 31%", "片碱"], SMALL.max_len)
    folder.save_recipe(read_gate_mixup(None, ["training.seed=3"]))
    folder.save_labels(LABELS)
    folder.save_learned([Example("盐酸 31%", "acid"), Example("片碱", "base")])
    folder.save_tokenizer(tokenizer)
    torch.manual_seed(0)
    student = Student(SMALL, tokenizer.size, len(LABELS))
    folder.save_student(student)
    folder.save_predictions("test", ROWS)
    folder.save_environment({"seed": 3})
    folder.save_metrics([{"event": "initial", "epoch": 1}, {"event": "final"}])
    return folder


def test_everything_saved_comes_back(run: RunFolder) -> None:
    assert run.recipe().training.seed == 3
    assert run.labels() == LABELS
    assert run.learned() == frozenset(map(learned_hash, ["片碱", "盐酸　31％"]))
    assert run.predictions("test") == ROWS
    assert run.environment() == {"seed": 3}
    assert run.metrics() == [{"event": "initial", "epoch": 1}, {"event": "final"}]


def test_what_is_learned_lies_in_the_folder_as_hashes(tmp_path: Path) -> None:
    RunFolder(tmp_path).save_learned([Example("氢氧化钠", "base")])
    assert json.loads((tmp_path / "learned.json").read_text(encoding="utf-8")) == ["17758e8b6d72139d"]


def test_an_older_run_does_not_tell_what_it_learned(run: RunFolder) -> None:
    (run.path / "learned.json").unlink()
    assert run.learned() is None


@pytest.mark.parametrize("content", ["{", "{}", '["x"]', "[3]"])
def test_damaged_hashes_are_named(run: RunFolder, content: str) -> None:
    (run.path / "learned.json").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=r"learned\.json is damaged: "):
        run.learned()


def test_student_comes_back_with_its_weights_ready_to_classify(run: RunFolder) -> None:
    ids = torch.from_numpy(run.tokenizer().encode("片碱").ids).unsqueeze(0)
    torch.manual_seed(0)
    original = Student(SMALL, run.tokenizer().size, len(LABELS)).eval()
    student = run.student()
    assert not student.training
    assert torch.equal(student(ids), original(ids))


def test_student_of_a_release_without_bigrams_comes_back(run: RunFolder) -> None:
    path = run.path / "student" / "config.json"
    stored = json.loads(path.read_text(encoding="utf-8"))
    assert stored["student"].pop("bigram_buckets") == 0
    path.write_text(json.dumps(stored), encoding="utf-8")
    assert run.student().config == SMALL


def test_saved_recipe_is_the_resolved_one(run: RunFolder) -> None:
    assert run.recipe().sha256 == read_gate_mixup(None, ["training.seed=3"]).sha256 != GateMixupRecipe().sha256


READERS: list[tuple[str, Callable[[RunFolder], object]]] = [
    ("recipe.toml", RunFolder.recipe),
    ("labels.json", RunFolder.labels),
    ("tokenizer.json", RunFolder.tokenizer),
    ("student/config.json", RunFolder.student),
    ("student/model.safetensors", RunFolder.student),
    ("predictions/test.jsonl", lambda run: run.predictions("test")),
    ("environment.json", RunFolder.environment),
    ("metrics.jsonl", RunFolder.metrics),
]


@pytest.mark.parametrize(("part", "read"), READERS)
def test_missing_part_is_named(run: RunFolder, part: str, read: Callable[[RunFolder], object]) -> None:
    (run.path / part).unlink()
    with pytest.raises(DataError, match=Path(part).name):
        read(run)


@pytest.mark.parametrize("content", [b"{", b"3", b"\xff\xfe\x00"])
@pytest.mark.parametrize(("part", "read"), READERS)
def test_damaged_part_is_named(run: RunFolder, part: str, read: Callable[[RunFolder], object], content: bytes) -> None:
    (run.path / part).write_bytes(content)
    with pytest.raises(DataError, match=Path(part).name):
        read(run)


def test_labels_must_be_names(run: RunFolder) -> None:
    (run.path / "labels.json").write_text("[1, 2]", encoding="utf-8")
    with pytest.raises(DataError, match="class names"):
        run.labels()


@pytest.mark.parametrize("names", [["acid"], ["acid", "base", "resin"]])
def test_labels_are_those_of_the_student(run: RunFolder, names: list[str]) -> None:
    run.save_labels(names)
    message = rf"labels\.json is damaged: it names {len(names)} classes and the student knows 2: they are"
    with pytest.raises(DataError, match=message):
        run.student()


@pytest.mark.parametrize("about", [{}, {"data_fingerprint": None}])
def test_environment_that_does_not_tell_the_data_is_named(run: RunFolder, about: dict[str, None]) -> None:
    run.save_environment({"data_fingerprint": "ab12"})
    assert run.data_fingerprint() == "ab12"
    run.save_environment(about)
    with pytest.raises(DataError, match=r"environment\.json is damaged: it does not say by data_fingerprint"):
        run.data_fingerprint()


def test_weights_of_another_student_are_refused(run: RunFolder) -> None:
    config_path = run.path / "student" / "config.json"
    config = json.loads(config_path.read_text(encoding="utf-8"))
    config_path.write_text(json.dumps({**config, "classes": 5}), encoding="utf-8")
    with pytest.raises(DataError, match=r"model\.safetensors"):
        run.student()


def test_unfinished_run_says_how_to_go_on_and_a_finished_one_does_not(run: RunFolder) -> None:
    assert run.finished
    (run.path / "labels.json").unlink()
    with pytest.raises(DataError, match=r"labels\.json is missing, though the run is finished; copy"):
        run.labels()
    (run.path / "environment.json").unlink()
    assert not run.finished
    with pytest.raises(
        DataError, match=f"the run is not finished; go on with 'gm-distill run --out {run.path} --resume'"
    ):
        run.labels()
    run.save_recipe(FinetuneRecipe())
    with pytest.raises(DataError, match=f"go on with 'gm-distill finetune --out {run.path} --resume'"):
        run.labels()


@pytest.mark.parametrize("name", ["run", "teacher", "student"])
def test_finished_language_model_has_no_student_whatever_its_folder_is_called(tmp_path: Path, name: str) -> None:
    teacher = RunFolder(tmp_path / name)
    teacher.save_recipe(FinetuneRecipe())
    teacher.save_environment({"seed": 3})
    for read in (RunFolder.student, RunFolder.tokenizer):
        with pytest.raises(DataError, match=f"{name} holds a fine-tuned language model and no student; train one with"):
            read(teacher)
    with pytest.raises(DataError, match=r"labels\.json is missing, though"):
        teacher.labels()


def test_pretrained_language_model_is_sent_to_finetuning(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "lm")
    run.save_recipe(PretrainRecipe())
    with pytest.raises(DataError, match=f"knows no classes; teach it yours: gm-distill finetune --lm {run.path}"):
        run.recipe()


def test_folder_that_is_no_run_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="gm-distill run"):
        RunFolder(tmp_path).recipe()
