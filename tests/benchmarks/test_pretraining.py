"""What pretraining is worth: both starts are trained once, and what is kept tells them apart."""

import json
from pathlib import Path

from click.testing import CliRunner

from benchmarks.pretraining import command
from tests.distill.tiny import write_tiny_data
from tests.distill.tiny_corpus import TINY_LM, write_tiny_corpus
from tests.threads import one_thread

__all__ = ["one_thread"]

QUICK = ("training.epochs=1", "training.batch_size=16", "lm.max_len=16")


def test_the_same_network_is_fine_tuned_with_pretraining_and_without(tmp_path: Path) -> None:
    data, texts = write_tiny_data(tmp_path / "data"), write_tiny_corpus(tmp_path / "texts.txt")
    arguments: list[object] = ["--texts", texts, "--data", data, "--seeds", "1", "--work", tmp_path / "work"]
    arguments += [word for key in TINY_LM for word in ("--set", key)]
    arguments += [word for key in QUICK for word in ("--finetune-set", key)]
    for _ in range(2):
        told = CliRunner().invoke(
            command, [str(argument) for argument in [*arguments, "--out", tmp_path]], catch_exceptions=False
        )
        assert told.exit_code == 0, told.output
    kept = json.loads((tmp_path / "pretraining.json").read_text(encoding="utf-8"))
    learned, began = kept["runs"]
    assert (learned["start"], began["start"]) == ("pretrained", "as it began")
    first, last = learned["held_out"][0], learned["held_out"][-1]
    assert last["loss"] < first["loss"]
    # One step at a rate of nothing: the network that pretraining began with.
    assert [point["loss"] for point in began["held_out"]] == [first["loss"], first["loss"]]
    assert kept["corpus"]["read"] == 80 + 54  # the texts and train, of which none stands in dev or test
    assert {"pretrained", "began"} <= set(told.output.split())
