"""What pretraining is worth: both starts are trained once, and what is kept tells them apart."""

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from benchmarks.pretraining import command
from distill.config.sections import DataConfig
from distill.data.corpus import read_corpus
from runtime.text import normalise
from tests.distill.tiny import write_tiny_data
from tests.distill.tiny_corpus import TINY_LM, write_tiny_corpus
from tests.threads import one_thread

__all__ = ["one_thread"]

QUICK = ("training.epochs=1", "training.epoch_steps=1", "training.batch_size=16", "lm.max_len=16")


def run(tmp_path: Path, data: Path, texts: Path, *, seeds: int = 1) -> dict[str, Any]:
    """Run the study with tiny networks and return what it keeps."""
    arguments: list[object] = ["--texts", texts, "--data", data, "--seeds", seeds, "--work", tmp_path / "work"]
    arguments += [word for key in TINY_LM for word in ("--set", key)]
    arguments += [word for key in QUICK for word in ("--finetune-set", key)]
    called = [str(argument) for argument in [*arguments, "--out", tmp_path]]
    told = CliRunner().invoke(command, called, catch_exceptions=False)
    assert told.exit_code == 0, told.output
    assert {"pretrained", "began"} <= set(told.output.split())
    kept: dict[str, Any] = json.loads((tmp_path / "pretraining.json").read_text(encoding="utf-8"))
    return kept


def test_the_same_network_is_fine_tuned_with_pretraining_and_without(tmp_path: Path) -> None:
    data, texts = write_tiny_data(tmp_path / "data"), write_tiny_corpus(tmp_path / "texts.txt")
    kept = run(tmp_path, data, texts)
    learned, began = kept["runs"]
    assert (learned["start"], began["start"]) == ("pretrained", "as it began")
    first, last = learned["held_out"][0], learned["held_out"][-1]
    assert last["loss"] < first["loss"]
    # One step at a rate of nothing: the network that pretraining began with.
    assert [point["loss"] for point in began["held_out"]] == [first["loss"], first["loss"]]
    assert learned["corpus"]["read"] == 80 + 54  # the texts and train, of which none stands in dev or test
    assert run(tmp_path, data, texts)["runs"] == kept["runs"]  # and nothing was trained again
    texts.write_text("氯化铵 颗粒\n" + texts.read_text(encoding="utf-8"), encoding="utf-8")
    assert run(tmp_path, data, texts)["runs"][0]["corpus"]["read"] == 1 + 80 + 54


def test_a_set_in_one_file_keeps_dev_and_test_of_each_seed_out_of_the_texts(tmp_path: Path) -> None:
    parts = sorted(write_tiny_data(tmp_path / "data").glob("*.tsv"))
    rows = {row for part in parts for row in part.read_text(encoding="utf-8").splitlines()[1:]}
    data = tmp_path / "one.tsv"
    data.write_text("\n".join(["text\tlabel", *sorted(rows), ""]), encoding="utf-8")
    run(tmp_path, data, write_tiny_corpus(tmp_path / "texts.txt"), seeds=2)
    folders = sorted((tmp_path / "work").glob("texts-*"))
    assert len(folders) == 2
    for seed in range(2):
        corpus = read_corpus(DataConfig(path=str(data)), seed)
        clean = next(folder for folder in folders if corpus.fingerprint[:8] in folder.name)
        read = {line for shard in clean.glob("*.txt") for line in shard.read_text(encoding="utf-8").splitlines()}
        assert read.isdisjoint(normalise(example.text) for example in (*corpus.dev, *corpus.test))
