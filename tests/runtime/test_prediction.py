"""What a prediction tells, and that it stays as it is."""

import dataclasses
import json
import pickle
from typing import Any

import numpy as np
import pytest

from runtime import Prediction, Reason
from runtime.prediction import Sealed


def _prediction(logits: list[float], temperature: float = 1.0) -> Prediction:
    labels = tuple("abcd"[: len(logits)])
    return Prediction("a", 0.5, np.array(logits, np.float32), True, Reason.OK, 0.0, labels, temperature)


def test_top_is_sorted_and_ties_keep_the_order_of_the_labels() -> None:
    top = _prediction([0.0, 1.0, 1.0, -1.0]).top(3)
    assert [label for label, _ in top] == ["b", "c", "a"]
    assert top[0][1] == top[1][1] > top[2][1]


def test_top_gives_all_labels_when_asked_for_more() -> None:
    top = _prediction([1.0, 2.0, 3.0]).top(99)
    assert len(top) == 3
    assert sum(score for _, score in top) == pytest.approx(1.0)


def test_top_uses_the_temperature() -> None:
    assert _prediction([1.0, 2.0], 10.0).top(1)[0][1] == pytest.approx(1 / (1 + np.exp(-0.1)))


def test_top_of_an_empty_text_is_empty() -> None:
    assert _prediction([]).top(2) == []


def test_top_of_none_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        _prediction([1.0]).top(0)


def test_a_prediction_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        _prediction([1.0]).label = "b"  # type: ignore[misc]


def test_a_sealed_prediction_is_one_like_any_other() -> None:
    fields = ("a", 0.5, np.array([1.0, 2.0], np.float32), True, Reason.OK, 0.25, ("a", "b"), 2.0, True)
    made: Any = Sealed(*fields)
    plain = Prediction(*fields)
    assert type(made) is Prediction
    assert all(getattr(made, name) is getattr(plain, name) for name in Prediction.__slots__)
    assert (made, hash(made), repr(made)) == (plain, hash(plain), repr(plain))
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.label = "b"  # type: ignore[misc]


def test_predictions_compare_hash_and_pickle() -> None:
    one, other = _prediction([1.0, 2.0]), _prediction([1.0, 2.5])
    assert one == other
    assert len({one, other}) == 1
    assert pickle.loads(pickle.dumps(one)).top(2) == one.top(2)


def test_a_reason_is_a_plain_string_too() -> None:
    assert f"{Reason.LOW_CONFIDENCE}" == str(Reason.LOW_CONFIDENCE) == "low_confidence"
    assert {"ok": 1}[Reason.OK] == 1
    assert json.dumps(Reason.OK) == '"ok"'
    assert {reason.value for reason in Reason} == {"ok", "low_confidence", "unknown_text", "empty", "truncated"}
