"""Texts as graphs."""

import json
import random
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from torch_geometric.data import Data

from distill.config.gate_mixup import GraphConfig
from distill.graphs.graph import AROUND, CO_OCCURS, EDGE_FEATURES, END, NEXT, PREVIOUS, START, WITHIN, GraphBuilder
from runtime.errors import DataError

EVERY_EDGE = ("adjacency", "containment", "cooccurrence")


def builder(*texts: str, **keys: object) -> GraphBuilder:
    return GraphBuilder.from_texts(texts, GraphConfig.model_validate({"min_count": 1, **keys}))


def names(graphs: GraphBuilder, graph: Data) -> list[str]:
    """Node ids as their items; "?" and the kind for an unknown one."""
    items = [f"?{kind}" for kind in graphs.kinds] + [item for kind in graphs.kinds for item in graphs.items[kind]]
    return [items[number] for number in graph.x.tolist()]


def edges(graphs: GraphBuilder, graph: Data, relation: int) -> set[tuple[str, str]]:
    item = names(graphs, graph)
    chosen = graph.edge_index[:, graph.edge_attr[:, relation] == 1]
    return {(item[source], item[target]) for source, target in chosen.T.tolist()}


def test_nodes_are_the_characters_and_bigrams_between_start_and_end() -> None:
    graphs = builder("硫酸", nodes=("char", "bigram"))
    graph = graphs.build("硫酸")
    assert names(graphs, graph) == [START, "硫", "酸", END, START + "硫", "硫酸", "酸" + END]
    assert graph.kind.tolist() == [0, 0, 0, 0, 1, 1, 1]


def test_edges_of_a_known_text() -> None:
    graphs = builder("硫酸", nodes=("char", "bigram"), edges=("adjacency", "containment"))
    graph = graphs.build("硫酸")
    first, middle, last = START + "硫", "硫酸", "酸" + END
    forward = {(START, "硫"), ("硫", "酸"), ("酸", END), (first, middle), (middle, last)}
    within = {(START, first), ("硫", first), ("硫", middle), ("酸", middle), ("酸", last), (END, last)}
    assert edges(graphs, graph, PREVIOUS) == forward
    assert edges(graphs, graph, NEXT) == {(target, source) for source, target in forward}
    assert edges(graphs, graph, WITHIN) == within
    assert edges(graphs, graph, AROUND) == {(target, source) for source, target in within}
    assert graph.num_edges == 2 * len(forward) + 2 * len(within)
    assert graph.edge_attr.shape == (graph.num_edges, EDGE_FEATURES)


def test_independent_characters_are_not_close_whatever_other_nodes_there_are() -> None:
    draw = random.Random(0)
    texts = ["".join(draw.choices("硫酸铵钠钾", k=20)) for _ in range(500)]
    alone = builder(*texts, nodes=("char",), edges=EVERY_EDGE)
    beside = builder(*texts, nodes=("char", "bigram", "trigram"), edges=EVERY_EDGE)
    assert weights_between(beside, "硫酸铵钠钾") == weights_between(alone, "硫酸铵钠钾")
    assert max(weights_between(beside, "硫酸铵钠钾")) < 0.1


def weights_between(graphs: GraphBuilder, characters: str) -> list[float]:
    """PMI of each character with each."""
    ids = [graphs.build(character).x[1].item() for character in characters]
    first, second = np.array(list(product(ids, ids)), dtype=np.int64).T
    return [float(weight) for weight in graphs.weights.of(first, second)]


def test_trigrams_hold_characters_and_bigrams() -> None:
    graphs = builder("硫酸铵", nodes=("trigram", "char", "bigram"), edges=("containment",))
    graph = graphs.build("硫酸铵")
    parts = {source for source, target in edges(graphs, graph, WITHIN) if target == "硫酸铵"}
    assert parts == {"硫", "酸", "铵", "硫酸", "酸铵"}


def test_words_are_nodes_that_hold_their_characters() -> None:
    graphs = builder("聚丙烯酰胺", nodes=("char", "word"), edges=("containment",))
    graph = graphs.build("聚丙烯酰胺")
    words = [name for name in names(graphs, graph)[7:] if name not in (START, END)]
    assert "".join(words) == "聚丙烯酰胺"
    assert len(words) < 5
    assert all((letter, word) in edges(graphs, graph, WITHIN) for word in words for letter in word)


def test_words_after_a_blank_hold_their_own_characters() -> None:
    graphs = builder("硫酸 酸雨", nodes=("char", "word"), edges=("containment",))
    graph = graphs.build("硫酸 酸雨")
    assert names(graphs, graph)[7:] == [START, "硫酸", "酸雨", END]
    assert edges(graphs, graph, WITHIN) == {
        (START, START), ("硫", "硫酸"), ("酸", "硫酸"), ("酸", "酸雨"), ("雨", "酸雨"), (END, END),
    }  # fmt: skip


def test_pairs_above_chance_are_linked_both_ways_by_their_pmi() -> None:
    graphs = builder("硫酸铵", "硫酸钠", "氯化钠", nodes=("char",), edges=("cooccurrence",), window=1)
    graph = graphs.build("硫酸")
    linked = edges(graphs, graph, CO_OCCURS)
    assert {("硫", "酸"), ("酸", "硫")} <= linked
    weights = graph.edge_attr[:, -1]
    ids = graph.x[graph.edge_index].numpy()
    assert torch.equal(weights, torch.from_numpy(graphs.weights.of(ids[0], ids[1])))
    assert (weights > 0).all()


def test_pairs_that_training_did_not_show_are_not_linked() -> None:
    graphs = builder("硫酸", "氯化", nodes=("char",), edges=("cooccurrence",), window=1)
    assert ("硫", "化") not in edges(graphs, graphs.build("硫化"), CO_OCCURS)


def test_neighbours_have_their_weight_on_the_edges_that_say_so() -> None:
    graphs = builder("硫酸铵", "硫酸铵", "氯化钠", nodes=("char",), edges=("adjacency", "cooccurrence"), window=2)
    graph = graphs.build("硫酸铵")
    assert {("硫", "铵"), ("铵", "硫")} <= edges(graphs, graph, CO_OCCURS)
    assert ("硫", "酸") not in edges(graphs, graph, CO_OCCURS)
    inner = graph.edge_attr[(graph.edge_attr[:, NEXT] == 1) & (graph.edge_index.min(0).values > 0)]
    assert (inner[:, -1] > 0).all()


def test_edges_between_kinds_have_one_relation_and_no_weight() -> None:
    features = builder("硫酸铵", "硫酸钠", edges=EVERY_EDGE).build("硫酸铵").edge_attr
    assert features[:, :-1].sum(1).tolist() == [1] * len(features)
    assert not features[features[:, [AROUND, WITHIN]].sum(1) == 1, -1].any()
    assert (features[features[:, CO_OCCURS] == 1, -1] > 0).all()


def test_unseen_items_share_the_unknown_id_of_their_kind() -> None:
    graphs = builder("硫酸", nodes=("char", "bigram"))
    assert names(graphs, graphs.build("硫铵")) == [
        START, "硫", "?char", END, START + "硫", "?bigram", "?bigram",
    ]  # fmt: skip


def test_rare_ngrams_are_unknown_and_rare_characters_are_not() -> None:
    graphs = builder("硫酸", "硫酸", "钐", nodes=("char", "bigram"), min_count=2)
    assert "硫酸" in graphs.items["bigram"]
    assert "钐" in graphs.items["char"]
    assert START + "钐" not in graphs.items["bigram"]


def test_text_is_normalised() -> None:
    graphs = builder("pvc 管")
    assert torch.equal(graphs.build("ＰＶＣ　管\n").x, graphs.build("pvc 管").x)


@pytest.mark.parametrize("text", ["", " ", "酸", "\x03"])
def test_the_shortest_texts_have_a_graph(text: str) -> None:
    graph = builder("硫酸", edges=EVERY_EDGE).build(text)
    assert graph.num_nodes >= 3
    assert graph.validate()


def test_a_graph_without_edges_keeps_the_shapes() -> None:
    graph = builder("硫酸", nodes=("char",), edges=("containment",)).build("硫酸")
    assert graph.edge_index.shape == (2, 0)
    assert graph.edge_attr.shape == (0, EDGE_FEATURES)


def test_a_long_text_keeps_head_and_tail() -> None:
    graphs = builder("甲乙丙丁", nodes=("char",), max_len=4)
    assert names(graphs, graphs.build("甲乙丙" + 100 * "丁" + "甲")) == [START, "甲", "乙", "丙", "甲", END]


def test_spans_are_the_characters_of_the_nodes() -> None:
    graphs = builder("硫酸 酸雨", nodes=("char", "bigram", "word"), max_len=4)
    for text in ("硫酸 酸雨", "硫😀", "", "ＰＶＣ"):
        marked = graphs.marked(text)
        items = [marked[start:end] for start, end in graphs.spans(text).tolist()]
        known = names(graphs, graphs.build(text))
        assert len(items) == len(known)
        assert all(name in (item, f"?{name[1:]}") for name, item in zip(known, items, strict=True))
    assert graphs.marked("硫酸 酸雨") == START + "硫酸 雨" + END


def test_ids_do_not_depend_on_the_order_of_training_texts() -> None:
    texts = ["硫酸铵", "氯化钠", "聚丙烯酰胺"]
    one, other = builder(*texts, edges=EVERY_EDGE), builder(*reversed(texts), edges=EVERY_EDGE)
    assert one.items == other.items
    assert torch.equal(one.build("硫酸钠").edge_attr, other.build("硫酸钠").edge_attr)


def test_all_ids_are_below_size() -> None:
    graphs = builder("硫酸铵", "氯化钠", nodes=("char", "bigram", "trigram"))
    found = torch.cat([graphs.build(text).x for text in ("硫酸铵", "氯化钠")])
    assert found.max() == graphs.size - 1


def test_saved_and_loaded_builders_build_the_same_graphs(tmp_path: Path) -> None:
    graphs = builder("硫酸铵", "硫酸钠", "氯化钠", edges=EVERY_EDGE)
    graphs.save(tmp_path / "nodes.json")
    loaded = GraphBuilder.load(tmp_path / "nodes.json")
    assert loaded.config == graphs.config
    assert loaded.size == graphs.size
    for name, value in graphs.build("硫酸钠").to_dict().items():
        assert torch.equal(loaded.build("硫酸钠")[name], value), name


def test_loading_nothing_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nodes\.json"):
        GraphBuilder.load(tmp_path / "nodes.json")


@pytest.mark.parametrize("change", [{"items": {}}, {"config": {"nodes": ["atom"]}}, {"pmi": "high"}])
def test_loading_another_file_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "nodes.json"
    builder("硫酸").save(path)
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **change}), encoding="utf-8")
    with pytest.raises(DataError, match=r"nodes\.json is not a graph vocabulary"):
        GraphBuilder.load(path)
