"""The data of a run: what people are told of them, and where the rows left out lie."""

from pathlib import Path

import pytest

from distill.config.sections import DataConfig
from distill.runs.run_data import read_data
from distill.runs.run_folder import RunFolder
from runtime.tables.rows import read_table
from tests.distill.tiny import write_tiny_data


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
