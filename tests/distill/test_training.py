"""What every training method shares: its folder, and that it notices when training has diverged."""

from pathlib import Path

import pytest
import torch

from distill.corpus import Example
from distill.recipe import DataConfig, Recipe
from distill.run_folder import RunFolder
from distill.training import Means, claim, read_data
from runtime.errors import ConfigError
from runtime.tables import read_table
from tests.distill.tiny import write_tiny_data


def test_a_run_that_never_began_does_not_block_its_folder(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    mistyped = Recipe.model_validate({"data": {"path": "prodcuts.tsv"}})
    claim(run, mistyped, resume=False)
    right = Recipe.model_validate({"data": {"path": "products.tsv"}})
    claim(run, right, resume=False)
    assert run.recipe() == right


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
    claim(run, Recipe(), resume=False)
    run.save_left_out({"empty label": (Example("白油", "", "data.tsv", 7),)})
    claim(run, Recipe(), resume=False)
    (run.path / "metrics.jsonl").touch()
    with pytest.raises(ConfigError, match="not empty"):
        claim(run, Recipe(), resume=False)
