"""Texts laid end to end are found again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from distill.lm.text_layout import TextLayout, read_array, starts, write_layout
from distill.lm.tokens import NOWHERE
from runtime.errors import DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two texts: of three tokens and two characters, and of two tokens and three characters."""
    write_layout(tmp_path, np.array([3, 2]), [torch.tensor([0, 1]), torch.tensor([1, NOWHERE, 0])])
    return tmp_path


def test_each_text_has_its_tokens_and_places(folder: Path) -> None:
    layout = TextLayout(folder)
    assert layout.tokens.tolist() == [3, 2]
    assert layout.first_token.tolist() == [0, 3]
    assert layout.places(0).tolist() == [0, 1]
    assert layout.places(1).tolist() == [1, NOWHERE, 0]


def test_places_of_a_batch_are_padded_with_nowhere(folder: Path) -> None:
    assert TextLayout(folder).padded_places(np.array([1, 0])).tolist() == [[1, NOWHERE, 0], [0, 1, NOWHERE]]


@pytest.mark.parametrize("name", ["tokens", "characters", "places"])
def test_damaged_array_is_named(folder: Path, name: str) -> None:
    (folder / f"{name}.npy").write_bytes(b"half")
    with pytest.raises(DataError, match=rf"{name}\.npy.*--resume"):
        TextLayout(folder)


def test_writing_to_a_private_map_leaves_the_file_as_it_is(folder: Path) -> None:
    read_array(folder, "tokens", "c")[0] = 99
    assert read_array(folder, "tokens").tolist() == [3, 2]


def test_runs_begin_where_those_before_end() -> None:
    assert starts(np.array([3, 0, 2])).tolist() == [0, 3, 3]
