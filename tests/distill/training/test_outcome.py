"""What logits come to: scores, and the files that every run on labels leaves."""

from pathlib import Path

import pytest
import torch

from distill.config.sections import DataConfig
from distill.data.corpus import read_corpus
from distill.runs.run_folder import RunFolder, learned_hashes
from distill.training.outcome import save_outcome, score


def test_scores_are_of_the_largest_logits() -> None:
    scores = score(torch.tensor([0, 0, 0, 1]), torch.tensor([[2.0, 1.0], [0.0, -1.0], [0.0, 1.0], [0.0, 3.0]]))
    assert scores == {"accuracy": 0.75, "macro_f1": pytest.approx((0.8 + 2 / 3) / 2)}


def test_predictions_stand_beside_the_labels_in_the_order_of_the_data(data: Path, tmp_path: Path) -> None:
    corpus, run = read_corpus(DataConfig(path=str(data)), seed=0), RunFolder(tmp_path / "run")
    logits = {split: torch.tensor([[1.0, 3.0, 2.0]] * 18) for split in ("dev", "test")}
    save_outcome(run, corpus, logits)
    assert run.labels() == corpus.labels
    assert run.learned() == learned_hashes(corpus.train + corpus.dev)
    for split, examples in (("dev", corpus.dev), ("test", corpus.test)):
        rows = run.predictions(split)
        assert [(row.text, row.label) for row in rows] == [(example.text, example.label) for example in examples]
        assert {(row.predicted, row.logits) for row in rows} == {(corpus.labels[1], (1.0, 3.0, 2.0))}
