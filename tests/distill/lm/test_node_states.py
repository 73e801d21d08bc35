"""Each node has the mean of the states of its tokens, whatever the text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from distill.config.gate_mixup import GraphConfig
from distill.graphs.graph import GraphBuilder
from distill.lm.folder import FrozenLM, read_frozen
from distill.lm.node_states import GraphsWithStates, covers, graphs_with_states
from distill.lm.tokens import NOWHERE
from tests.distill.tiny import write_tiny_data
from tests.distill.tiny_lm import write_tiny_lm

KNOWN, ASTRAL, LONG = "盐酸 试剂", "盐😀酸", "盐酸" + "😀" * 20 + "试剂"
TEXTS = [KNOWN, ASTRAL, LONG, "ＰＶＣ"]


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> FrozenLM:
    """A tiny language model of one token a character, [CLS] and [SEP] around, blanks dropped."""
    place = tmp_path_factory.mktemp("lm")
    return read_frozen(write_tiny_lm(place / "lm", write_tiny_data(place / "data")), "data", 8)


@pytest.fixture(scope="module")
def graphs(frozen: FrozenLM, tmp_path_factory: pytest.TempPathFactory) -> GraphsWithStates:
    """What builds graphs of texts of at most eight characters, longer ones of six and two."""
    builder = GraphBuilder.from_texts(TEXTS, GraphConfig(nodes=("char", "bigram"), min_count=1, max_len=8))
    return graphs_with_states(builder, frozen, TEXTS, tmp_path_factory.mktemp("states") / "s", torch.device("cpu"))


@torch.no_grad()
def asked(frozen: FrozenLM, text: str) -> Tensor:
    """Return the states ``[T, d]`` of a text that is normalised and short already."""
    (encoded,) = frozen.tokenizer.encode_clean([text])
    states: Tensor = frozen.encoder(input_ids=encoded.ids[None]).last_hidden_state[0]
    return states


def node_means(graph: Data) -> Tensor:
    """Return ``[n, d]``, the mean of the states that each node covers, written out."""
    node, token = graph.covers
    rows = [graph.states[token[node == number]].float() for number in range(graph.num_nodes)]
    return torch.stack([row.mean(0) if len(row) else torch.zeros(graph.states.shape[1]) for row in rows])


def same(own: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(own, expected, atol=2e-3, rtol=0)


def test_nodes_of_a_text_with_an_astral_character(frozen: FrozenLM, graphs: GraphsWithStates) -> None:
    start, first, astral, last, end = asked(frozen, ASTRAL)
    characters = [start, first, astral, last, end]
    bigrams = [(start + first) / 2, (first + astral) / 2, (astral + last) / 2, (last + end) / 2]
    same(node_means(graphs.build(ASTRAL)), torch.stack(characters + bigrams))


def test_nodes_of_a_long_text_are_those_of_its_head_and_tail(frozen: FrozenLM, graphs: GraphsWithStates) -> None:
    states = asked(frozen, "盐酸😀😀😀😀试剂")
    graph = graphs.build(LONG)
    assert graph.num_nodes == 10 + 9
    same(node_means(graph), torch.cat([states, (states[:-1] + states[1:]) / 2]))


def test_blank_has_no_token_and_its_bigrams_have_that_of_the_other_character(
    frozen: FrozenLM, graphs: GraphsWithStates
) -> None:
    states, nodes = asked(frozen, KNOWN), node_means(graphs.build(KNOWN))
    assert not nodes[3].any()  # start, 盐, 酸, blank
    same(nodes[9], states[2])  # 酸 and blank, after seven characters and two bigrams
    same(nodes[10], states[3])  # blank and 试


def test_text_is_read_as_the_graph_normalises_it(frozen: FrozenLM, graphs: GraphsWithStates) -> None:
    same(node_means(graphs.build("ＰＶＣ"))[:5], asked(frozen, "pvc"))


def test_graph_is_otherwise_that_of_the_builder(graphs: GraphsWithStates) -> None:
    graph = graphs.build(KNOWN).to_dict()
    for name, value in graphs.builder.build(KNOWN).to_dict().items():
        assert torch.equal(graph[name], value), name


def test_graphs_of_a_batch_keep_their_states(graphs: GraphsWithStates) -> None:
    alone = [graphs.build(text) for text in TEXTS]
    batch = Batch.from_data_list(alone)
    same(node_means(batch), torch.cat([node_means(graph) for graph in alone]))
    for graph, own in zip(batch.to_data_list(), alone, strict=True):
        assert torch.equal(graph.covers, own.covers)
        assert torch.equal(graph.states, own.states)


def test_same_text_written_twice_is_asked_about_once(frozen: FrozenLM, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    builder = GraphBuilder.from_texts(["pvc"], GraphConfig(min_count=1))
    graphs_with_states(
        builder, frozen, ["pvc", "ＰＶＣ"], tmp_path / "s", torch.device("cpu"), lambda *said: told.append(said)
    )
    assert told == [(1, 1)]


def test_token_of_two_characters_counts_once() -> None:
    spans = np.array([[0, 1], [1, 4], [2, 3], [3, 5]])
    places = np.array([0, 1, 1, NOWHERE, 2])
    assert covers(spans, places).T.tolist() == [[0, 0], [1, 1], [2, 1], [3, 2]]


def test_node_without_any_token_is_in_no_pair() -> None:
    assert covers(np.array([[0, 1], [1, 2]]), np.array([0, NOWHERE])).T.tolist() == [[0, 0]]
