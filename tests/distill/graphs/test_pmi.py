"""Positive pointwise mutual information."""

import math

import numpy as np
import pytest

from distill.graphs.pmi import PairWeights, positive_pmi


def ids(*values: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return np.array(values, dtype=np.int64)


def test_pmi_of_a_corpus_counted_by_hand() -> None:
    # Adjacent pairs: 0-1 three times, 1-2 once, 2-2 once. Members: 0 three, 1 four, 2 three of ten.
    corpus = [ids(0, 1), ids(0, 1), ids(1, 0), ids(1, 2, 2)]

    weights = positive_pmi(corpus, size=3, window=1, min_count=1)

    expected = [math.log(3 / 5 / (2 * 0.3 * 0.4)), 0, math.log(1 / 5 / (0.3 * 0.3)), 0]
    found = weights.of(ids(0, 1, 2, 0), ids(1, 2, 2, 2))
    assert found == pytest.approx(expected, abs=1e-4)


def test_weights_do_not_depend_on_the_order_of_a_pair() -> None:
    weights = positive_pmi([ids(0, 1), ids(2, 3)], size=4, window=1, min_count=1)
    assert weights.of(ids(0, 3), ids(1, 2)).tolist() == weights.of(ids(1, 2), ids(0, 3)).tolist()
    assert (weights.of(ids(0, 3), ids(1, 2)) > 0).all()


def test_the_window_bounds_the_distance() -> None:
    corpus = [ids(0, 1, 2), ids(3, 4)]
    near = positive_pmi(corpus, size=5, window=1, min_count=1)
    far = positive_pmi(corpus, size=5, window=2, min_count=1)
    assert near.of(ids(0), ids(2)).tolist() == [0]
    assert far.of(ids(0), ids(2))[0] > 0


def test_pairs_seen_too_seldom_weigh_nothing() -> None:
    corpus = [ids(0, 1), ids(0, 1), ids(2, 3)]
    weights = positive_pmi(corpus, size=4, window=1, min_count=2)
    assert weights.of(ids(0), ids(1))[0] > 0
    assert weights.of(ids(2), ids(3))[0] == 0


def test_a_corpus_without_pairs_weighs_nothing() -> None:
    weights = positive_pmi([ids(0), ids()], size=2, window=3, min_count=1)
    assert weights.of(ids(0, 1), ids(1, 1)).tolist() == [0, 0]
    assert PairWeights.empty().of(ids(0), ids(0)).tolist() == [0]


def test_joined_weights_have_the_pairs_of_all_parts() -> None:
    parts = [positive_pmi([ids(*pair)], size=4, window=1, min_count=1) for pair in ((2, 3), (0, 1))]
    joined = PairWeights.joined(parts)
    assert joined.of(ids(2, 0, 1), ids(3, 1, 2)).tolist() == pytest.approx([math.log(2), math.log(2), 0], abs=1e-4)
    assert PairWeights.joined([]).of(ids(0), ids(0)).tolist() == [0]
