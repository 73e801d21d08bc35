"""Near-duplicates: estimates near the exact similarity, answers that do not depend on the cutting."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.unlabelled.near_duplicates import NearDuplicates, minhash
from tests.distill.jaccard import jaccard

HAN = [chr(code) for code in range(0x4E00, 0x9000)]


def estimated(one: str, other: str) -> float:
    signatures = minhash([one, other])
    return float((np.mean(signatures[0] == signatures[1]) - 1 / 256) / (1 - 1 / 256))


def random_text(random: Random, length: int) -> str:
    return "".join(random.choices(HAN, k=length))


def changed(random: Random, text: str, places: int) -> str:
    """Return ``text`` with other characters at ``places`` random places."""
    characters = list(text)
    for place in random.sample(range(len(text)), places):
        characters[place] = random.choice(HAN)
    return "".join(characters)


def test_estimates_are_near_the_exact_similarity() -> None:
    random = Random(0)
    texts = [random_text(random, length) for length in (8, 20, 60, 300) for _ in range(10)]
    pairs = [(text, changed(random, text, len(text) // 8)) for text in texts]
    errors = [estimated(one, other) - jaccard(one, other) for one, other in pairs]
    assert np.abs(errors).max() < 0.2
    assert abs(np.mean(errors)) < 0.02


def test_a_signature_depends_on_the_set_of_grams_alone() -> None:
    assert estimated("氢氧化钠氢氧化钠氢", "氢氧化钠氢") == 1.0
    assert estimated("氢氧", "氧氢") < 1.0  # the pair is another one
    assert estimated("\U00020000酸", "\U00020001酸") < 1.0


@given(st.lists(st.text("氢氧化钠钾1a", min_size=1), min_size=1, max_size=9))
def test_signatures_do_not_depend_on_the_other_texts(texts: list[str]) -> None:
    assert np.array_equal(minhash(texts), np.concatenate([minhash([text]) for text in texts]))


def test_slightly_changed_texts_are_found_and_others_are_not() -> None:
    random = Random(1)
    texts = [random_text(random, 100) for _ in range(5000)]
    index = NearDuplicates(0.85, window=100_000)
    assert all(index.novel(texts))  # also when the tables grow
    copies = [changed(random, text, 3) for text in texts]
    assert np.mean(index.novel(copies)) < 0.02  # of similarity 0.91
    assert all(index.novel([changed(random, text, 30) for text in texts[:500]]))


def test_a_text_is_compared_with_those_before_it_in_the_same_call() -> None:
    assert NearDuplicates(0.9, 10).novel(["工业级片碱", "工业级纯碱", "工业级片碱"]) == [True, True, False]


@settings(max_examples=20)
@given(st.lists(st.text("氢氧化钠钾1a", min_size=1, max_size=6), max_size=60), st.integers(1, 20), st.integers(1, 9))
def test_answers_do_not_depend_on_where_the_stream_is_cut(texts: list[str], size: int, window: int) -> None:
    whole, pieces = NearDuplicates(0.8, window), NearDuplicates(0.8, window)
    parts = [texts[start : start + size] for start in range(0, len(texts), size)]
    assert whole.novel(texts) == [answer for part in parts for answer in pieces.novel(part)]


def test_only_the_window_is_remembered() -> None:
    random = Random(2)
    texts = [random_text(random, 50) for _ in range(30)]
    index = NearDuplicates(0.9, window=10)
    assert all(index.novel(texts))
    assert not any(index.novel(texts[20:]))
    assert all(index.novel(texts[:20]))


def test_nothing_is_similar_to_an_empty_memory() -> None:
    index = NearDuplicates(0.9, 5)
    assert index.novel([]) == []
    assert index.novel(["碱"]) == [True]


@pytest.mark.parametrize("similarity", [0.8, 0.9])
def test_pairs_above_the_threshold_are_almost_all_found(similarity: float) -> None:
    random = Random(3)
    texts = [random_text(random, 200) for _ in range(400)]
    # One changed character of a text of unlike ones takes three of its grams and brings three others.
    places = round(200 * 2 / 3 * (1 - similarity) / (1 + similarity))
    pairs = [(text, changed(random, text, places)) for text in texts]
    assert np.mean([jaccard(*pair) for pair in pairs]) == pytest.approx(similarity, abs=0.02)
    index = NearDuplicates(similarity - 0.12, 1000)
    index.novel(texts)
    found = index.novel([other for _, other in pairs])
    assert np.mean(found) <= (0.09 if similarity == 0.8 else 0.005)
