"""Texts nearly like others are found as by comparing each with all."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.data.similarity import SimilarTexts
from tests.distill.jaccard import jaccard

TEXTS = st.text(alphabet="氢氧化钠钾 1a", max_size=9)
THRESHOLDS = st.sampled_from([0.3, 0.55, 0.7, 0.8, 1.0])


@given(st.lists(TEXTS, max_size=30), TEXTS.filter(bool), THRESHOLDS)
def test_answers_are_those_of_comparing_with_all(texts: list[str], text: str, threshold: float) -> None:
    expected = any(jaccard(text, other) >= threshold for other in texts)
    assert SimilarTexts(texts, threshold).any_like(text) == expected


@settings(max_examples=20)
@given(st.integers(0, 9999), st.sampled_from([0.6, 0.8, 0.9]))
def test_answers_about_long_texts_are_exact_too(seed: int, threshold: float) -> None:
    random = Random(seed)
    texts = ["".join(random.choices("氢氧化钠钾钙镁铝硫酸盐碱水", k=random.randint(60, 90))) for _ in range(10)]
    index = SimilarTexts(texts, threshold)
    for text in texts:
        changed = list(text)
        for place in random.sample(range(len(text)), 4):
            changed[place] = random.choice("氯锌")
        other = "".join(changed)
        assert index.any_like(other) == any(jaccard(other, one) >= threshold for one in texts)


@pytest.mark.parametrize(
    ("text", "like"),
    [("工业级片碱 99% 25kg/袋", True), ("工业级片碱 98% 25kg/袋", True), ("片碱 98% 25kg/袋", False), ("盐酸", False)],
)
def test_another_packing_is_nearly_the_same(text: str, like: bool) -> None:
    assert SimilarTexts(["工业级片碱 99% 25kg/袋", "硫酸"], 0.7).any_like(text) == like


def test_nothing_is_like_no_texts() -> None:
    assert not SimilarTexts([], 0.8).any_like("盐酸")
