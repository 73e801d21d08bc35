"""The graph network alone: it learns, it is measured once, and published figures are held against it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from benchmarks.graph_network import ROW, GraphTraining, command, markdown, measured, targets
from benchmarks.quality.scores import Score, Scores
from distill.training.batches import EncodedExamples
from runtime.errors import ConfigError
from tests.distill.tiny import tiny_recipe, write_tiny_data
from tests.distill.tiny_lm import write_tiny_lm
from tests.threads import one_thread

__all__ = ["one_thread"]

FAST = ("teacher.width=16", "teacher.layers=1", "training.initial_epochs=2", "graph.nodes=['word']")


def test_it_is_measured_once_for_each_seed(tmp_path: Path) -> None:
    data = write_tiny_data(tmp_path / "data")
    settings = [word for setting in FAST for word in ("--set", setting)]
    arguments = ["--data", f"R8={data}", "--seeds", "2", *settings, "--out", str(tmp_path)]
    seen = []
    for _ in range(2):
        told = CliRunner().invoke(command, arguments, catch_exceptions=False)
        assert told.exit_code == 0, told.output
        seen.append(Scores(tmp_path / "graph_network.json").all)
    assert seen[0] == seen[1]
    assert [(score.data, score.row, score.seed) for score in seen[0]] == [("R8", ROW, 0), ("R8", ROW, 1)]
    assert seen[0][0].settings == " ".join(FAST)
    told = CliRunner().invoke(command, [*arguments, "--set", "teacher.dropout=0"])
    assert isinstance(told.exception, ConfigError)
    assert "choose another --out" in str(told.exception)
    assert "graph network on R8: ≥ 97 % accuracy" in (tmp_path / "graph_network.md").read_text(encoding="utf-8")


def test_the_best_epoch_on_dev_is_the_one_that_is_tested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = tiny_recipe(write_tiny_data(tmp_path / "data"), *FAST, "training.initial_epochs=3")
    training, dev = GraphTraining(recipe, tmp_path), iter([0.4, 0.9, 0.6])
    test = iter([0.5, 0.8, 0.99])
    epochs, learn = list[dict[str, object]](), training.learn

    def learn_and_keep() -> None:
        learn()
        epochs.append({name: tensor.clone() for name, tensor in training.network.state_dict().items()})

    monkeypatch.setattr(training, "learn", learn_and_keep)

    def scored(examples: EncodedExamples) -> dict[str, float]:
        # Asked after each epoch, test would have the last.
        return {"accuracy": next(dev if examples is training.dev_set else test), "macro_f1": 0.0}

    monkeypatch.setattr(training, "score", scored)
    assert measured("tiny", training).accuracy == 0.5
    assert all(bool((tensor == epochs[1][name]).all()) for name, tensor in training.network.state_dict().items())


def test_a_network_beside_a_bag_of_nodes_has_a_row_of_its_own(tmp_path: Path) -> None:
    data = write_tiny_data(tmp_path / "data")
    training = GraphTraining(tiny_recipe(data, *FAST, "teacher.bag_width=4"), tmp_path)
    assert training.network.bag is not None
    before = training.network.bag.head.weight.detach().clone()
    assert measured("tiny", training).row == f"{ROW} and bag of nodes"
    assert not torch.equal(training.network.bag.head.weight, before)


def test_nodes_may_have_the_states_of_a_language_model(tmp_path: Path) -> None:
    data = write_tiny_data(tmp_path / "data")
    lm = write_tiny_lm(tmp_path / "lm", data)
    states = ("teacher.features=lm", f"teacher.lm={json.dumps(str(lm))}")
    training = GraphTraining(tiny_recipe(data, *FAST, *states), tmp_path / "work")
    assert training.network.features is not None
    assert training.train_set.graphs[0].states.shape[1] == 32
    assert measured("tiny", training).row == f"{ROW}, states of lm"
    assert len(list((tmp_path / "work").iterdir())) == 1


def test_a_set_has_a_name_and_a_path() -> None:
    told = CliRunner().invoke(command, ["--data", "R8"])
    assert told.exit_code == 2
    assert "give a set as NAME=PATH" in told.output


def test_no_published_figure_is_held_against_another_set(tmp_path: Path) -> None:
    scores = Scores(tmp_path / "graph_network.json")
    for data, accuracy in (("MR", 0.77), ("MR", 0.765), ("tax_chem", 0.5)):
        scores.add(Score(data, ROW, len(scores.all), accuracy, accuracy, "f"))
    assert [target.line for target in targets(scores)] == [
        "met           graph network on MR: ≥ 76.7 % accuracy, measured 76.75 % accuracy"
    ]
    assert "## tax_chem" in markdown(scores)
