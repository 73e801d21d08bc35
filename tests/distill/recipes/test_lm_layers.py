"""Students built from a tiny language model: what a run leaves, that it repeats, and what each part does."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from distill.config.language_model import LayersConfig
from distill.recipes.finetune import finetune
from distill.recipes.lm_layers import LayerDistillation, chosen_layers, train
from distill.runs.events import Event
from distill.runs.run_folder import RunFolder
from distill.training.trainee import Trainee
from export.source import read_source
from runtime.errors import ConfigError, DataError
from tests.distill.maps import can_be_told, watch_removals
from tests.distill.recipes.weights import weights
from tests.distill.tiny import make_rare, stop_at, write_tiny_data
from tests.distill.tiny_lm import tiny_finetune, tiny_layers


@pytest.fixture(scope="module")
def teacher(data: Path, lm: Path) -> Path:
    """A fine-tuned tiny language model."""
    out = data.parent / "teacher"
    finetune(tiny_finetune(data, lm, "training.epochs=6"), out, "cpu")
    return out


@pytest.fixture(scope="module")
def unlabelled(data: Path) -> str:
    """The override that names two files of texts without labels."""
    lines = data.parent / "names.txt"
    lines.write_text("氯化钠 工业级\n盐酸 试剂\n\n石灰 99%\n氯化钠 工业级\n", encoding="utf-8")
    table = data.parent / "more.csv"
    table.write_text("text,id\n乙酸乙酯,1\n聚四氟乙烯 薄膜级,2\n", encoding="utf-8")
    return f"data.unlabelled=['{lines}', '{table}']"


@pytest.fixture(scope="module")
def finished(data: Path, teacher: Path, unlabelled: str, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A finished run with unlabelled texts."""
    out = tmp_path_factory.mktemp("finished") / "run"
    train(tiny_layers(data, teacher, unlabelled), out, "cpu")
    return RunFolder(out)


def test_run_folder_is_what_export_reads(finished: RunFolder) -> None:
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
        "predictions/dev.jsonl",
        "predictions/test.jsonl",
    }
    source = read_source(finished.path)
    stored = torch.tensor([row.logits for row in finished.predictions("test")])
    torch.testing.assert_close(torch.from_numpy(source.reference), stored, atol=1e-5, rtol=0)


@can_be_told
def test_what_is_left_of_the_checkpoint_is_removed_when_no_file_of_it_is_mapped(
    data: Path, teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapped = watch_removals(monkeypatch)
    train(tiny_layers(data, teacher, "training.epochs=1"), tmp_path / "run", "cpu")
    assert mapped[0]  # else there is nothing to see
    assert not mapped[-1]


def test_events_tell_every_part_of_the_loss(finished: RunFolder) -> None:
    events = finished.metrics()
    assert [event["event"] for event in events] == ["epoch", "epoch", "final"]
    losses = events[0]["loss"]
    assert set(losses) == {"total", "labels", "outputs", "hidden", "attention", "embeddings"}
    config = LayersConfig()
    parts = (
        (1 - config.distill_weight) * losses["labels"]
        + config.distill_weight * losses["outputs"]
        + config.hidden_weight * losses["hidden"]
        + config.attention_weight * losses["attention"]
        + config.embedding_weight * losses["embeddings"]
    )
    assert set(events[-1]["test"]) == {"teacher", "student"}
    assert parts == pytest.approx(losses["total"], rel=0.1)  # means over batches of unequal shares of labelled texts


def test_environment_names_teacher_and_unlabelled_rows(finished: RunFolder) -> None:
    environment = finished.environment()
    assert environment["rows"] == {"train": 54, "dev": 18, "test": 18, "unlabelled": 3}
    assert len(environment["teacher_sha256"]) == 64


def test_characters_of_unlabelled_texts_are_known(finished: RunFolder) -> None:
    assert set("四氟乙") <= set(finished.tokenizer().characters)


def test_tiny_student_learns_its_data(data: Path, teacher: Path, tmp_path: Path) -> None:
    final = train(tiny_layers(data, teacher, "training.epochs=12"), tmp_path / "run", "cpu")
    assert final["test"]["student"]["accuracy"] > 0.6  # chance is a third


@pytest.mark.parametrize("epoch", [1, 2])
def test_resumed_run_ends_as_an_uninterrupted_one(
    finished: RunFolder,
    data: Path,
    teacher: Path,
    unlabelled: str,
    tmp_path: Path,
    epoch: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe, out = tiny_layers(data, teacher, unlabelled), tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train(recipe, out, "cpu", report=stop_at(epoch))
    asked: list[Event] = []
    train(recipe, out, "cpu", resume=True, report=asked.append)
    assert all(event["event"] != "teacher" for event in asked)  # its answers were kept
    assert RunFolder(out).metrics() == finished.metrics()
    assert weights(RunFolder(out)) == weights(finished)
    assert not RunFolder(out).checkpoint.exists()


@pytest.mark.parametrize("number", [0, 3, 11])
def test_stop_at_any_step_goes_on_from_the_epoch_before(
    finished: RunFolder,
    data: Path,
    teacher: Path,
    unlabelled: str,
    tmp_path: Path,
    number: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe, out = tiny_layers(data, teacher, unlabelled), tmp_path / "run"
    step, steps = Trainee.step, iter(range(1000))

    def step_until(self: Trainee, loss: torch.Tensor) -> None:
        if next(steps) == number:
            raise KeyboardInterrupt
        step(self, loss)

    with monkeypatch.context() as patch:
        patch.setattr(Trainee, "step", step_until)
        with pytest.raises(KeyboardInterrupt):
            train(recipe, out, "cpu")
    train(recipe, out, "cpu", resume=True)
    assert RunFolder(out).metrics() == finished.metrics()
    assert weights(RunFolder(out)) == weights(finished)


@pytest.mark.usefixtures("float32")
def test_losses_of_four_steps(data: Path, teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pinned: a change of these numbers is a change of the method."""
    parts: list[dict[str, float]] = []
    losses = LayerDistillation._losses

    def record(self: LayerDistillation, rows: list[int]) -> dict[str, torch.Tensor]:
        parts.append({name: float(part.detach()) for name, part in losses(self, rows).items()})
        return losses(self, rows)

    monkeypatch.setattr(LayerDistillation, "_losses", record)
    nothing_random = ("student.dropout=0", "training.character_dropout=0")
    once = ("training.batch_size=16", "training.epochs=1")
    train(tiny_layers(data, teacher, *nothing_random, *once), tmp_path / "run", "cpu")
    for name, pinned in FOUR_STEPS.items():
        assert [step[name] for step in parts] == pytest.approx(pinned, abs=1e-4), name


FOUR_STEPS = {
    "labels": [1.21831, 1.13936, 0.9531, 1.03433],
    "outputs": [1.0847, 1.05768, 0.90031, 0.45871],
    "hidden": [1.42469, 1.22584, 1.25022, 1.21553],
    "attention": [0.2802, 0.23284, 0.2, 0.17541],
    "embeddings": [0.13672, 0.14138, 0.13979, 0.14766],
}


def test_classes_of_few_texts_weigh_more_where_asked(lm: Path, unlabelled: str, tmp_path: Path) -> None:
    data, losses = make_rare(write_tiny_data(tmp_path / "data"), "酸", rows=2), set()
    finetune(tiny_finetune(data, lm, "training.epochs=1"), tmp_path / "teacher", "cpu")
    for key in ("class_weights=none", "class_weights=balanced", "logit_adjustment=1"):
        recipe = tiny_layers(data, tmp_path / "teacher", unlabelled, f"imbalance.{key}", "training.epochs=1")
        train(recipe, tmp_path / key, "cpu")
        losses.add(RunFolder(tmp_path / key).metrics()[0]["loss"]["labels"])
    assert len(losses) == 3


PARTS = [
    ("labels", "lm_layers.distill_weight=1"),
    ("outputs", "lm_layers.distill_weight=0"),
    ("hidden", "lm_layers.hidden_weight=0"),
    ("attention", "lm_layers.attention_weight=0"),
    ("embeddings", "lm_layers.embedding_weight=0"),
]


@pytest.mark.parametrize(("name", "switch"), PARTS)
def test_each_part_can_be_left_out(data: Path, teacher: Path, tmp_path: Path, name: str, switch: str) -> None:
    train(tiny_layers(data, teacher, switch, "training.epochs=1"), tmp_path / "run", "cpu")
    losses = RunFolder(tmp_path / "run").metrics()[0]["loss"]
    assert name not in losses
    assert len(losses) == 5


def learned(data: Path, teacher: Path, out: Path, *overrides: str) -> dict[str, float]:
    """Return the mean losses of the last of six epochs."""
    train(tiny_layers(data, teacher, "training.epochs=6", *overrides), out, "cpu")
    loss: dict[str, float] = RunFolder(out).metrics()[-2]["loss"]
    return loss


def test_student_comes_nearer_to_the_layers_when_they_count(data: Path, teacher: Path, tmp_path: Path) -> None:
    near = learned(data, teacher, tmp_path / "near")
    far = learned(data, teacher, tmp_path / "far", "lm_layers.hidden_weight=1e-9", "lm_layers.attention_weight=1e-9")
    assert near["attention"] < far["attention"]
    assert near["hidden"] < 0.9 * far["hidden"]


def test_cosine_of_hidden_states(data: Path, teacher: Path, tmp_path: Path) -> None:
    losses = learned(data, teacher, tmp_path / "run", "lm_layers.hidden_loss=cosine")
    assert 0.0 < losses["hidden"] < 0.9  # 1 is no likeness at all


def test_carried_embeddings_are_nearer_at_the_start(data: Path, teacher: Path, tmp_path: Path) -> None:
    def first(name: str, *overrides: str) -> float:
        recipe = tiny_layers(data, teacher, "training.epochs=1", "training.lr=1e-9", *overrides)
        train(recipe, tmp_path / name, "cpu")
        return float(RunFolder(tmp_path / name).metrics()[0]["loss"]["embeddings"])

    assert first("carried") < first("random", "lm_layers.carry_embeddings=false")


def test_unlabelled_texts_alone_can_fill_a_batch(data: Path, teacher: Path, tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("\n".join(f"氯化钠 {number}" for number in range(40)), encoding="utf-8")
    recipe = tiny_layers(data, teacher, f"data.unlabelled=['{names}']", "training.batch_size=1", "training.epochs=1")
    train(recipe, tmp_path / "run", "cpu")
    assert RunFolder(tmp_path / "run").metrics()[0]["loss"]["labels"] > 0


def test_the_loss_with_the_labels_is_a_mean_over_the_texts_that_have_one(
    data: Path, teacher: Path, tmp_path: Path
) -> None:
    names = tmp_path / "names.txt"
    names.write_text("\n".join(f"氯化钠 {number}" for number in range(400)), encoding="utf-8")

    def first(name: str, *overrides: str) -> float:
        recipe = tiny_layers(data, teacher, "training.epochs=1", "training.lr=1e-9", *overrides)
        train(recipe, tmp_path / name, "cpu")
        return float(RunFolder(tmp_path / name).metrics()[0]["loss"]["labels"])

    assert first("beside others", f"data.unlabelled=['{names}']") == pytest.approx(first("alone"), rel=0.3)


def test_missing_file_of_unlabelled_texts_is_named(data: Path, teacher: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing\.txt"):
        train(tiny_layers(data, teacher, "data.unlabelled=['nothing.txt']"), tmp_path / "run", "cpu")


@pytest.mark.parametrize(
    ("blocks", "teacher_layers", "chosen"), [(2, 12, (6, 12)), (1, 12, (12,)), (3, 2, (1, 2, 2)), (4, 6, (2, 3, 5, 6))]
)
def test_layers_are_evenly_spaced_to_the_last(blocks: int, teacher_layers: int, chosen: tuple[int, ...]) -> None:
    assert chosen_layers(LayersConfig(), blocks, teacher_layers) == chosen


def test_given_layers_are_taken_as_they_are() -> None:
    assert chosen_layers(LayersConfig(layers=(4, 3)), 2, 12) == (4, 3)


@pytest.mark.parametrize("layers", [(1,), (0, 2), (1, 13), (1, 2, 3)])
def test_layers_that_do_not_fit_are_refused(layers: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="1 to 12"):
        chosen_layers(LayersConfig(layers=layers), 2, 12)


def test_teacher_of_another_split_is_refused(data: Path, teacher: Path, tmp_path: Path) -> None:
    other = write_tiny_data(tmp_path / "data")
    with (other / "train.tsv").open("a", encoding="utf-8") as stream:
        stream.write("冰醋酸\t酸\n")
    with pytest.raises(ConfigError, match="labels of dev and test"):
        train(tiny_layers(other, teacher), tmp_path / "run", "cpu")


def test_changed_unlabelled_texts_are_not_resumed(data: Path, teacher: Path, tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("氯化钠\n", encoding="utf-8")
    recipe = tiny_layers(data, teacher, f"data.unlabelled=['{names}']")
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "run", "cpu", report=stop_at(1))
    names.write_text("氯化钾\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="data changed"):
        train(recipe, tmp_path / "run", "cpu", resume=True)


def test_folder_that_is_no_teacher_is_named(data: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not a run folder"):
        train(tiny_layers(data, data), tmp_path / "run", "cpu")


def test_teacher_reads_as_much_of_a_text_as_the_student(data: Path, teacher: Path, tmp_path: Path) -> None:
    long = tmp_path / "long.txt"
    long.write_text("氯化钠" * 20, encoding="utf-8")
    recipe = tiny_layers(data, teacher, f"data.unlabelled=['{long}']", "training.epochs=1", "student.max_len=12")
    train(recipe, tmp_path / "run", "cpu")
    assert RunFolder(tmp_path / "run").environment()["rows"]["unlabelled"] == 1
