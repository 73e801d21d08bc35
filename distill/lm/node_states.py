"""Graphs whose nodes know what a language model makes of their characters.

Node and token meet in the characters of the text: a node covers some, and each of them has its token. The
states stay those of the tokens until the teacher needs them: a text has fewer tokens than nodes, so a graph
is a third of the size and a batch has less to multiply.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch_geometric.data import Data

from distill.graphs.graph import GraphBuilder
from distill.lm.folder import FrozenLM
from distill.lm.text_layout import Integers
from distill.lm.token_states import TokenStates, cached_states
from distill.lm.tokens import NOWHERE


class GraphWithStates(Data):  # type: ignore[misc]
    """A graph of :class:`GraphBuilder` with what a language model knows of it.

    Attributes:
        states: float16 ``[T, d]``, states of the text's tokens.
        covers: int64 ``[2, m]``, pairs of a node and a row of ``states`` that it covers.
    """

    def __inc__(self, key: str, value: Any, *args: Any, **keys: Any) -> Any:  # noqa: ANN401 - as in torch-geometric
        """Return what joined graphs add to an attribute of the next one."""
        if key == "covers":
            return torch.tensor([[self.num_nodes], [len(self.states)]])
        return super().__inc__(key, value, *args, **keys)

    def __cat_dim__(self, key: str, value: Any, *args: Any, **keys: Any) -> Any:  # noqa: ANN401 - as above
        """Return the dimension along which graphs are joined."""
        return 1 if key == "covers" else super().__cat_dim__(key, value, *args, **keys)


class GraphsWithStates:
    """Builds graphs of the texts that a language model was asked about.

    Args:
        builder: builds them without states.
        states: of the texts.
        rows: which text, as ``builder`` marks it, has which row of ``states``.
    """

    def __init__(self, builder: GraphBuilder, states: TokenStates, rows: dict[str, int]) -> None:
        self.builder, self.states, self.rows = builder, states, rows

    @property
    def width(self) -> int:
        """Width of the states."""
        return self.states.width

    def build(self, text: str) -> GraphWithStates:
        """Return the graph of ``text``."""
        row = self.rows[self.builder.marked(text)]
        pairs = covers(self.builder.spans(text), self.states.places(row))
        return GraphWithStates(
            **self.builder.build(text).to_dict(), states=self.states.states(row), covers=torch.from_numpy(pairs)
        )


def graphs_with_states(
    builder: GraphBuilder,
    lm: FrozenLM,
    texts: Sequence[str],
    folder: Path,
    device: torch.device,
    report: Callable[[int, int], None] = lambda texts, of: None,
) -> GraphsWithStates:
    """Ask a language model about ``texts``, each once, and return what builds their graphs.

    Args:
        builder: builds them without states.
        lm: is asked.
        texts: as read.
        folder: where the answers are kept; of one language model and one list of texts.
        device: where the language model computes.
        report: is told about ten times how many texts of how many it has read.
    """
    rows = {text: row for row, text in enumerate(dict.fromkeys(builder.marked(text) for text in texts))}
    unmarked = [text[1:-1] for text in rows]
    states = cached_states(folder, lm, unmarked, device, lambda done: report(done, len(unmarked)))
    return GraphsWithStates(builder, states, rows)


def covers(spans: Integers, places: Integers) -> Integers:
    """Return which tokens each node covers.

    Args:
        spans: ``[n, 2]``, the characters ``[start, end)`` of each node.
        places: ``[L]``, the token of each character, or ``NOWHERE``.

    Returns:
        int64 ``[2, m]``: nodes and their tokens, each pair once, in the order of the nodes.
    """
    start, length = spans[:, 0], spans[:, 1] - spans[:, 0]
    node = np.repeat(np.arange(len(spans)), length)
    within = np.arange(len(node)) - np.repeat(np.cumsum(length) - length, length)
    token = places[start[node] + within]
    size = int(places.max()) + 1
    return np.stack(np.divmod(np.unique((node * size + token)[token != NOWHERE]), size))
