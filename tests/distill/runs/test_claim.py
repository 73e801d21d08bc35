"""Who may train in a run folder, and whom it refuses."""

from pathlib import Path

import pytest

from distill.config.gate_mixup import GateMixupRecipe
from distill.data.corpus import Example
from distill.runs.claim import claimed
from distill.runs.run_folder import RunFolder
from runtime.errors import ConfigError, DataError


def begin(run: RunFolder, recipe: GateMixupRecipe, resume: bool) -> None:
    """Claim the folder, and be stopped before anything is learned."""
    with claimed(run, recipe, resume):
        pass


def test_a_run_that_never_began_does_not_block_its_folder(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    mistyped = GateMixupRecipe.model_validate({"data": {"path": "prodcuts.tsv"}})
    begin(run, mistyped, resume=False)
    right = GateMixupRecipe.model_validate({"data": {"path": "products.tsv"}})
    begin(run, right, resume=False)
    assert run.recipe() == right.with_paths_from(Path.cwd())


def test_a_recipe_is_kept_with_paths_that_say_the_same_wherever_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    begin(RunFolder(Path("run")), GateMixupRecipe.model_validate({"data": {"path": "products.tsv"}}), resume=False)
    assert Path(RunFolder(Path("run")).recipe().data.path) == tmp_path / "products.tsv"
    (tmp_path / "run" / "checkpoint" / "state.safetensors").touch()  # it has learned something
    monkeypatch.chdir(tmp_path / "sub")
    begin(
        RunFolder(tmp_path / "run"), GateMixupRecipe.model_validate({"data": {"path": "../products.tsv"}}), resume=True
    )


@pytest.mark.parametrize("resume", [False, True])
def test_one_process_at_a_time_trains_in_a_folder(tmp_path: Path, resume: bool) -> None:
    run = RunFolder(tmp_path / "run")
    with (
        claimed(run, GateMixupRecipe(), resume=False),
        pytest.raises(ConfigError, match=r"^another process trains in .*run; wait until it ends, stop it, or choose"),
    ):
        begin(run, GateMixupRecipe(), resume)
    begin(run, GateMixupRecipe(), resume)


def test_a_finished_run_keeps_no_lock_and_is_not_begun_again(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    with claimed(run, GateMixupRecipe(), resume=False):
        run.save_environment({})
    assert not run.checkpoint.exists()
    with pytest.raises(ConfigError, match="is finished"):
        begin(run, GateMixupRecipe(), resume=True)


def test_data_that_moved_are_no_other_recipe_and_are_named_where_they_are_now(tmp_path: Path) -> None:
    run, old, new = RunFolder(tmp_path / "run"), str(tmp_path / "old.tsv"), str(tmp_path / "new.tsv")
    begin(run, GateMixupRecipe.model_validate({"data": {"path": old}}), resume=False)
    (run.path / "metrics.jsonl").touch()
    begin(run, GateMixupRecipe.model_validate({"data": {"path": new}}), resume=True)
    assert run.recipe().data.path == new
    with pytest.raises(ConfigError, match=r"data\.text_column=\"text\", not \"名\"; leave out what differs"):
        begin(run, GateMixupRecipe.model_validate({"data": {"path": new, "text_column": "名"}}), resume=True)


def test_a_mistyped_place_of_the_data_does_not_take_the_place_of_the_right_one(tmp_path: Path) -> None:
    run, right, mistyped = RunFolder(tmp_path / "run"), str(tmp_path / "right.tsv"), str(tmp_path / "rihgt.tsv")
    begin(run, GateMixupRecipe.model_validate({"data": {"path": right}}), resume=False)
    (run.path / "metrics.jsonl").touch()
    with (
        pytest.raises(DataError, match="cannot read"),
        claimed(run, GateMixupRecipe.model_validate({"data": {"path": mistyped}}), resume=True),
    ):
        raise DataError(f"cannot read {mistyped}")
    assert run.recipe().data.path == right


def test_no_lock_is_left_in_a_folder_that_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").touch()
    with pytest.raises(ConfigError, match="not empty"):
        begin(RunFolder(tmp_path), GateMixupRecipe(), resume=False)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.doc"]


def test_a_process_that_was_killed_before_it_wrote_a_recipe_blocks_nothing(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    begin(run, GateMixupRecipe(), resume=False)
    (run.path / "recipe.toml").unlink()
    begin(run, GateMixupRecipe(), resume=False)
    assert run.recipe() == GateMixupRecipe()


def test_one_that_was_killed_while_it_wrote_the_recipe_blocks_nothing_either(tmp_path: Path) -> None:
    (tmp_path / ".recipe.toml.x7" / "recipe.toml").mkdir(parents=True)
    begin(RunFolder(tmp_path), GateMixupRecipe(), resume=False)
    assert RunFolder(tmp_path).recipe() == GateMixupRecipe()


def test_the_example_set_stays_the_empty_path(tmp_path: Path) -> None:
    begin(RunFolder(tmp_path), GateMixupRecipe(), resume=False)
    assert RunFolder(tmp_path).recipe() == GateMixupRecipe()


def test_a_recipe_that_a_person_wrote_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text("# mine\n[training]\nseed = 1\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="not empty"):
        begin(RunFolder(tmp_path), GateMixupRecipe(), resume=False)


def test_rows_left_out_by_a_run_that_never_began_do_not_block_its_folder(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    begin(run, GateMixupRecipe(), resume=False)
    run.save_left_out({"empty label": (Example("白油", "", "data.tsv", 7),)})
    begin(run, GateMixupRecipe(), resume=False)
    (run.path / "metrics.jsonl").touch()
    with pytest.raises(ConfigError, match="not empty"):
        begin(run, GateMixupRecipe(), resume=False)
