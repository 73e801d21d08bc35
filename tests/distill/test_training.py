"""What every training method shares: its folder, and that it notices when training has diverged."""

from pathlib import Path

import pytest
import torch

from distill.recipe import Recipe
from distill.run_folder import RunFolder
from distill.training import Means, claim
from runtime.errors import ConfigError


def test_a_run_that_never_began_does_not_block_its_folder(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    mistyped = Recipe.model_validate({"data": {"path": "prodcuts.tsv"}})
    claim(run, mistyped, resume=False)
    right = Recipe.model_validate({"data": {"path": "products.tsv"}})
    claim(run, right, resume=False)
    assert run.recipe() == right.with_paths_from(Path.cwd())


def test_a_recipe_is_kept_with_paths_that_say_the_same_wherever_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    claim(RunFolder(Path("run")), Recipe.model_validate({"data": {"path": "products.tsv"}}), resume=False)
    assert Path(RunFolder(Path("run")).recipe().data.path) == tmp_path / "products.tsv"
    (tmp_path / "run" / "checkpoint").mkdir()  # it has begun
    monkeypatch.chdir(tmp_path / "sub")
    claim(RunFolder(tmp_path / "run"), Recipe.model_validate({"data": {"path": "../products.tsv"}}), resume=True)


def test_the_example_set_stays_the_empty_path(tmp_path: Path) -> None:
    claim(RunFolder(tmp_path), Recipe(), resume=False)
    assert RunFolder(tmp_path).recipe() == Recipe()


def test_a_recipe_that_a_person_wrote_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text("# mine\n[training]\nseed = 1\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="not empty"):
        claim(RunFolder(tmp_path), Recipe(), resume=False)


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
