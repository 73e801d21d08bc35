"""What every training method shares: its folder, and that it notices when training has diverged."""

from pathlib import Path

import pytest
import torch

from distill.corpus import Example
from distill.recipe import DataConfig, Recipe
from distill.run_folder import RunFolder
from distill.training import Means, claimed, read_data
from runtime.errors import ConfigError, DataError
from runtime.tables import read_table
from tests.distill.tiny import write_tiny_data


def begin(run: RunFolder, recipe: Recipe, resume: bool) -> None:
    """Claim the folder, and be stopped before anything is learned."""
    with claimed(run, recipe, resume):
        pass


def test_a_run_that_never_began_does_not_block_its_folder(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    mistyped = Recipe.model_validate({"data": {"path": "prodcuts.tsv"}})
    begin(run, mistyped, resume=False)
    right = Recipe.model_validate({"data": {"path": "products.tsv"}})
    begin(run, right, resume=False)
    assert run.recipe() == right.with_paths_from(Path.cwd())


def test_a_recipe_is_kept_with_paths_that_say_the_same_wherever_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    begin(RunFolder(Path("run")), Recipe.model_validate({"data": {"path": "products.tsv"}}), resume=False)
    assert Path(RunFolder(Path("run")).recipe().data.path) == tmp_path / "products.tsv"
    (tmp_path / "run" / "checkpoint" / "state.safetensors").touch()  # it has learned something
    monkeypatch.chdir(tmp_path / "sub")
    begin(RunFolder(tmp_path / "run"), Recipe.model_validate({"data": {"path": "../products.tsv"}}), resume=True)


@pytest.mark.parametrize("resume", [False, True])
def test_one_process_at_a_time_trains_in_a_folder(tmp_path: Path, resume: bool) -> None:
    run = RunFolder(tmp_path / "run")
    with (
        claimed(run, Recipe(), resume=False),
        pytest.raises(ConfigError, match=r"^another process trains in .*run; wait until it ends, stop it, or choose"),
    ):
        begin(run, Recipe(), resume)
    begin(run, Recipe(), resume)


def test_a_finished_run_keeps_no_lock_and_is_not_begun_again(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    with claimed(run, Recipe(), resume=False):
        run.save_environment({})
    assert not run.checkpoint.exists()
    with pytest.raises(ConfigError, match="is finished"):
        begin(run, Recipe(), resume=True)


def test_data_that_moved_are_no_other_recipe_and_are_named_where_they_are_now(tmp_path: Path) -> None:
    run, old, new = RunFolder(tmp_path / "run"), str(tmp_path / "old.tsv"), str(tmp_path / "new.tsv")
    begin(run, Recipe.model_validate({"data": {"path": old}}), resume=False)
    (run.path / "metrics.jsonl").touch()
    begin(run, Recipe.model_validate({"data": {"path": new}}), resume=True)
    assert run.recipe().data.path == new
    with pytest.raises(ConfigError, match=r"data\.text_column=\"text\", not \"名\"; leave out what differs"):
        begin(run, Recipe.model_validate({"data": {"path": new, "text_column": "名"}}), resume=True)


def test_a_mistyped_place_of_the_data_does_not_take_the_place_of_the_right_one(tmp_path: Path) -> None:
    run, right, mistyped = RunFolder(tmp_path / "run"), str(tmp_path / "right.tsv"), str(tmp_path / "rihgt.tsv")
    begin(run, Recipe.model_validate({"data": {"path": right}}), resume=False)
    (run.path / "metrics.jsonl").touch()
    with (
        pytest.raises(DataError, match="cannot read"),
        claimed(run, Recipe.model_validate({"data": {"path": mistyped}}), resume=True),
    ):
        raise DataError(f"cannot read {mistyped}")
    assert run.recipe().data.path == right


def test_no_lock_is_left_in_a_folder_that_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").touch()
    with pytest.raises(ConfigError, match="not empty"):
        begin(RunFolder(tmp_path), Recipe(), resume=False)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.doc"]


def test_a_process_that_was_killed_before_it_wrote_a_recipe_blocks_nothing(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    begin(run, Recipe(), resume=False)
    (run.path / "recipe.toml").unlink()
    begin(run, Recipe(), resume=False)
    assert run.recipe() == Recipe()


def test_one_that_was_killed_while_it_wrote_the_recipe_blocks_nothing_either(tmp_path: Path) -> None:
    (tmp_path / ".recipe.toml.x7" / "recipe.toml").mkdir(parents=True)
    begin(RunFolder(tmp_path), Recipe(), resume=False)
    assert RunFolder(tmp_path).recipe() == Recipe()


def test_the_example_set_stays_the_empty_path(tmp_path: Path) -> None:
    begin(RunFolder(tmp_path), Recipe(), resume=False)
    assert RunFolder(tmp_path).recipe() == Recipe()


def test_a_recipe_that_a_person_wrote_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text("# mine\n[training]\nseed = 1\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="not empty"):
        begin(RunFolder(tmp_path), Recipe(), resume=False)


def test_means_weigh_batches_by_their_texts() -> None:
    means = Means()
    means.add(1, {"loss": torch.tensor(4.0)})
    means.add(3, {"loss": torch.tensor(0.0)})
    assert means.values() == {"loss": 1.0}


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_says_what_to_do(loss: float) -> None:
    means = Means()
    means.add(2, {"student": torch.tensor(loss)})
    with pytest.raises(ConfigError, match=r"^training diverged: the loss 'student' is (nan|inf); lower"):
        means.values()


def test_people_see_what_a_run_learns_from(data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "distill"):
        corpus = read_data(RunFolder(tmp_path), DataConfig(path=str(data)), seed=0)
    assert len(corpus.train) == 54
    assert caplog.messages == ["54 train, 18 dev, 18 test texts of 3 classes"]
    assert not any(tmp_path.iterdir())


def test_rows_left_out_lie_in_the_run_folder_until_the_data_are_mended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run, train = RunFolder(tmp_path / "run"), write_tiny_data(tmp_path / "data") / "train.tsv"
    good = train.read_text(encoding="utf-8")
    train.write_text(good + "盐酸 试剂\t碱\n", encoding="utf-8")
    config = DataConfig(path=str(train.parent))
    with caplog.at_level("INFO", "distill"):
        read_data(run, config, seed=0)
    assert caplog.messages == [
        f"53 train, 18 dev, 18 test texts of 3 classes; left out: 2 with conflicting labels ({run.left_out})"
    ]
    assert [list(row.values.values()) for row in read_table(run.left_out)] == [
        ["train.tsv", "2", "conflicting labels", "盐酸 试剂", "酸"],
        ["train.tsv", "56", "conflicting labels", "盐酸 试剂", "碱"],
    ]
    train.write_text(good, encoding="utf-8")
    read_data(run, config, seed=0)
    assert not run.left_out.exists()


def test_rows_left_out_by_a_run_that_never_began_do_not_block_its_folder(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    begin(run, Recipe(), resume=False)
    run.save_left_out({"empty label": (Example("白油", "", "data.tsv", 7),)})
    begin(run, Recipe(), resume=False)
    (run.path / "metrics.jsonl").touch()
    with pytest.raises(ConfigError, match="not empty"):
        begin(run, Recipe(), resume=False)
