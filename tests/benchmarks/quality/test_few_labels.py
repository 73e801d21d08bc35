"""Sets whose train loses most of its labels."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from benchmarks.accuracy import study_of
from benchmarks.quality.few_labels import drawn, few_labels
from benchmarks.quality.scores import Scores
from distill.config.sections import DataConfig
from distill.data.corpus import Corpus, Example, read_corpus
from tests.distill.tiny import write_tiny_data


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    """The tiny set: 54 texts to train on, three classes of equal size."""
    return read_corpus(DataConfig(path=str(write_tiny_data(tmp_path / "tiny"))), seed=0)


def test_every_class_keeps_its_share_and_at_least_one() -> None:
    examples = [
        Example(f"{label}{number}", label) for label, count in (("酸", 40), ("碱", 3)) for number in range(count)
    ]
    assert Counter(example.label for example in drawn(examples, 0.25, seed=0)) == {"酸": 10, "碱": 1}
    assert drawn(examples, 0.25, seed=0) == drawn(examples, 0.25, seed=0) != drawn(examples, 0.25, seed=1)


def test_what_is_drawn_stays_in_order() -> None:
    examples = [Example(str(number), "酸碱"[number % 2]) for number in range(20)]
    found = drawn(examples, 0.5, seed=0)
    assert found == sorted(found, key=lambda example: int(example.text))


def test_dev_and_test_stay_and_the_other_texts_lose_their_labels(corpus: Corpus, tmp_path: Path) -> None:
    few = few_labels(corpus, 0.2, 0, tmp_path / "few")
    found = read_corpus(DataConfig(path=str(few.data)), seed=0)
    assert (found.dev, found.test) == (corpus.dev, corpus.test)
    unlabelled = few.unlabelled.read_text(encoding="utf-8").splitlines()
    assert len(found.train) == 12
    assert sorted([*unlabelled, *(e.text for e in found.train)]) == sorted(e.text for e in corpus.train)


def test_text_with_a_comma_a_quote_and_a_line_break_comes_back(corpus: Corpus, tmp_path: Path) -> None:
    odd = Example('1,3-丁二烯 "工业级"\n99%\r袋', corpus.labels[0])
    whole = Corpus((odd, *corpus.train), corpus.dev, corpus.test, corpus.labels, {}, "")
    few = few_labels(whole, 1.0, 0, tmp_path / "few")
    assert odd in read_corpus(DataConfig(path=str(few.data)), seed=0).train


def test_a_study_of_few_labels_has_a_name_and_a_draw_of_its_own(tmp_path: Path) -> None:
    data, scores = write_tiny_data(tmp_path / "tiny"), Scores(tmp_path / "accuracy.json")
    one, other = (study_of(f"tiny={data}", seed, 0.2, tmp_path / "work", scores) for seed in (0, 1))
    assert one.name == other.name == "tiny, 20 % of the labels"
    assert one.corpus.train != other.corpus.train
    assert [path.is_file() for path in one.unlabelled] == [True]
    whole = study_of(f"tiny={data}", 0, 1.0, tmp_path / "work", scores)
    assert (whole.name, whole.path, whole.unlabelled) == ("tiny", str(data), ())
