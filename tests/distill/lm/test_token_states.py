"""States that are kept are those of the language model, and it is asked once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from distill.lm.folder import FrozenLM, read_frozen
from distill.lm.token_states import TokenStates, cached_states
from distill.lm.tokens import NOWHERE
from runtime.errors import DataError
from tests.distill.tiny import write_tiny_data
from tests.distill.tiny_lm import write_tiny_lm

TEXTS = ["盐酸 试剂", "片碱", "聚乙烯颗粒 薄膜级"]
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> FrozenLM:
    """A tiny language model of one token a character, [CLS] and [SEP] around, blanks dropped."""
    place = tmp_path_factory.mktemp("lm")
    return read_frozen(write_tiny_lm(place / "lm", write_tiny_data(place / "data")), "data", 16)


@torch.no_grad()
def asked(frozen: FrozenLM, text: str) -> Tensor:
    """Return the last layer's states ``[T, d]`` of one text alone."""
    (encoded,) = frozen.tokenizer.encode_clean([text])
    states: Tensor = frozen.encoder(input_ids=encoded.ids[None]).last_hidden_state[0]
    return states


def test_states_are_those_of_the_last_layer_in_the_order_of_the_texts(frozen: FrozenLM, tmp_path: Path) -> None:
    states = cached_states(tmp_path / "states", frozen, TEXTS, CPU)
    assert states.width == 32
    for row, text in enumerate(TEXTS):
        assert states.states(row).dtype == torch.float16
        torch.testing.assert_close(states.states(row).float(), asked(frozen, text), atol=2e-3, rtol=0)


def test_states_are_kept_in_float16_whatever_the_precision_they_come_in(frozen: FrozenLM, tmp_path: Path) -> None:
    exact, near = (
        cached_states(tmp_path / precision, replace(frozen, precision=precision), TEXTS, CPU).states(0)
        for precision in ("float32", "bfloat16")
    )
    assert exact.dtype == near.dtype == torch.float16
    assert not torch.equal(exact, near)
    torch.testing.assert_close(exact.float(), near.float(), atol=0.05, rtol=0)


def test_places_begin_and_end_with_the_special_tokens(frozen: FrozenLM, tmp_path: Path) -> None:
    states = cached_states(tmp_path / "states", frozen, TEXTS, CPU)
    assert states.places(0).tolist() == [0, 1, 2, NOWHERE, 3, 4, 5]


def test_astral_character_and_lone_surrogate_are_one_place_each(frozen: FrozenLM, tmp_path: Path) -> None:
    states = cached_states(tmp_path / "states", frozen, ["盐😀酸", "盐\ud83d\ude00酸"], CPU)
    assert states.places(0).tolist() == [0, 1, 2, 3, 4]
    assert states.places(1).tolist() == [0, 1, 2, 3, 4, 5]


def test_without_special_tokens_start_and_end_have_the_mean(frozen: FrozenLM, tmp_path: Path) -> None:
    from tokenizers import processors

    reader = frozen.tokenizer
    inner = reader.tokenizer.backend_tokenizer
    around = inner.post_processor
    inner.post_processor = processors.TemplateProcessing(single="$A", special_tokens=[])
    try:
        states = cached_states(tmp_path / "states", frozen, ["片碱", "盐酸 试剂"], CPU)
        own = asked(frozen, "片碱")
    finally:
        inner.post_processor = around
    assert states.places(0).tolist() == [2, 0, 1, 2]
    torch.testing.assert_close(states.states(0).float(), torch.cat([own, own.mean(0)[None]]), atol=2e-3, rtol=0)
    assert states.states(1).shape == (5, 32)


def test_language_model_is_asked_once(frozen: FrozenLM, tmp_path: Path) -> None:
    def again(texts: int) -> None:
        raise AssertionError("the language model was asked again")

    told: list[int] = []
    first = cached_states(tmp_path / "states", frozen, TEXTS, CPU, told.append)
    assert told == [3]
    second = cached_states(tmp_path / "states", frozen, TEXTS, CPU, again)
    assert torch.equal(first.states(1), second.states(1))


def test_interrupted_asking_leaves_nothing(frozen: FrozenLM, tmp_path: Path) -> None:
    def stop(texts: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached_states(tmp_path / "states", frozen, TEXTS, CPU, stop)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["states", "places"])
def test_damaged_array_is_named(frozen: FrozenLM, tmp_path: Path, name: str) -> None:
    cached_states(tmp_path / "states", frozen, TEXTS, CPU)
    (tmp_path / "states" / f"{name}.npy").write_bytes(b"half")
    with pytest.raises(DataError, match=rf"{name}\.npy"):
        TokenStates(tmp_path / "states")
