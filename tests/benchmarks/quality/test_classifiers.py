"""Peers are chosen by dev, whatever test would have liked better."""

from __future__ import annotations

import pytest

from benchmarks.quality.classifiers import COSTS, PEERS, Predict, Tried, best_cost, character_svm, word_svm
from benchmarks.quality.peer_rows import SETTINGS, WITHOUT_CHANCE
from benchmarks.quality.textcnn import text_cnn
from distill.data.corpus import Corpus, Example
from tests.threads import one_thread

__all__ = ["one_thread"]


def corpus(dev: dict[str, str], test: dict[str, str]) -> Corpus:
    """Return a set whose train has forty rows ``酸`` of which two, with one word more, are ``碱``."""
    train = (*[Example("工业 硫酸", "酸")] * 40, *[Example("工业 硫酸 钠盐", "碱")] * 2)
    given = [tuple(Example(text, label) for text, label in rows.items()) for rows in (dev, test)]
    return Corpus(train, given[0], given[1], ("碱", "酸"), {}, "")


COMMON, RARE = "工业 硫酸", "工业 硫酸 钠盐"
AS_TRAIN, AS_MOST = {COMMON: "酸", RARE: "碱"}, {COMMON: "酸", RARE: "酸"}
"""A C that is large learns the rare class, one that is small calls all texts by the frequent one."""


@pytest.mark.parametrize("peer", [character_svm, word_svm])
@pytest.mark.parametrize(("dev", "test"), [(AS_TRAIN, AS_MOST), (AS_MOST, AS_TRAIN)])
def test_c_is_the_one_that_dev_wants_and_not_the_one_of_test(
    peer: Predict, dev: dict[str, str], test: dict[str, str]
) -> None:
    found = peer(corpus(dev, test), 0)
    assert found.labels == list(dev.values()) != list(test.values())
    assert found.chosen in {f"C={cost:g}" for cost in COSTS}


def test_c_is_chosen_by_macro_f1_as_ours_are_and_then_by_accuracy() -> None:
    assert best_cost([Tried(0.3, 0.70, 0.90), Tried(3, 0.72, 0.88)]).cost == 3
    assert best_cost([Tried(1, 0.72, 0.88), Tried(10, 0.72, 0.89)]).cost == 10


def test_where_dev_sees_no_difference_c_is_near_1() -> None:
    assert best_cost([Tried(cost, 0.7, 0.8) for cost in COSTS]).cost == 1
    assert best_cost([Tried(cost, 0.7, 0.8) for cost in COSTS if cost > 1]).cost == 3
    assert best_cost([Tried(cost, 0.7, 0.8) for cost in (0.1, 0.3, 30)]).cost == 0.3


@pytest.mark.parametrize("row", sorted(WITHOUT_CHANCE))
def test_a_peer_without_chance_answers_the_same_whatever_the_seed(row: str) -> None:
    whole = corpus(AS_TRAIN, AS_MOST)
    assert PEERS[row](whole, 0) == PEERS[row](whole, 1)


def test_peers_that_choose_c_say_by_what() -> None:
    chosen = {row for row in WITHOUT_CHANCE if PEERS[row](corpus(AS_TRAIN, AS_MOST), 0).chosen}
    assert chosen == set(SETTINGS)


@pytest.mark.parametrize(("dev", "test"), [(AS_TRAIN, AS_MOST), (AS_MOST, AS_TRAIN)])
def test_the_convolutional_peer_keeps_the_epoch_that_dev_wants_and_not_the_last(
    dev: dict[str, str], test: dict[str, str]
) -> None:
    # The frequent class is all that it answers in the first epochs, in the last it knows both.
    assert text_cnn(corpus(dev, test), 0).labels == list(dev.values()) != list(test.values())
