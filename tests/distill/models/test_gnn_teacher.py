"""The graph teacher."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch_geometric.data import Batch, Data

from distill.config.gate_mixup import GraphConfig, TeacherConfig
from distill.graphs.graph import GraphBuilder
from distill.lm.node_states import GraphWithStates, covers
from distill.models.gnn_teacher import GNNTeacher, TokenFeatures
from distill.models.student import parameter_groups

TEXTS = ("硫酸铵", "氯化钠", "聚丙烯酰胺 阴离子", "酸", "")
GRAPHS = GraphBuilder.from_texts(TEXTS, GraphConfig(edges=("adjacency", "containment", "cooccurrence"), min_count=1))


def teacher(seed: int = 0, **keys: object) -> GNNTeacher:
    torch.manual_seed(seed)
    config = TeacherConfig.model_validate({"layers": 2, "width": 16, "heads": 2, "bag_width": 8, **keys})
    return GNNTeacher(config, GRAPHS.size, classes=3)


def batch(texts: Sequence[str]) -> Batch:
    return Batch.from_data_list([GRAPHS.build(text) for text in texts])


def relabelled(graph: Data, order: Tensor) -> Data:
    """The same graph with its nodes listed in another order, and its edges too."""
    place = torch.argsort(order)
    edges = torch.arange(graph.num_edges - 1, -1, -1)
    return Data(
        x=graph.x[order],
        kind=graph.kind[order],
        edge_index=place[graph.edge_index[:, edges]],
        edge_attr=graph.edge_attr[edges],
    )


def train(network: GNNTeacher, texts: Sequence[str], labels: Sequence[int], steps: int, lr: float = 1e-2) -> float:
    optimiser = torch.optim.AdamW(network.parameters(), lr=lr)
    graphs, target = batch(texts), torch.tensor(labels)
    network.train()
    for _ in range(steps):
        loss = functional.cross_entropy(network(graphs), target)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return loss.item()


def test_shapes() -> None:
    network = teacher()
    representation = network.encode(batch(TEXTS))
    assert representation.shape == (len(TEXTS), network.representation_width)
    assert network.classify(representation).shape == (len(TEXTS), 3)


def test_forward_is_classify_of_encode() -> None:
    network, graphs = teacher().eval(), batch(TEXTS)
    assert torch.equal(network(graphs), network.classify(network.encode(graphs)))


def test_graph_network_and_bag_answer_and_the_logits_are_their_mean() -> None:
    network = teacher().eval()
    representation = network.encode(batch(TEXTS))
    by_network, by_bag = network.answers(representation)
    assert not torch.allclose(by_network, by_bag, atol=1e-3)
    torch.testing.assert_close(network.classify(representation), (by_network + by_bag) / 2)


def test_the_bag_is_the_mean_of_a_graphs_nodes() -> None:
    network = teacher(bag_width=4).eval()
    assert network.bag is not None
    bags = network.encode(batch(TEXTS))[:, network.config.width :]
    for text, bag in zip(TEXTS, bags, strict=True):
        torch.testing.assert_close(bag, network.bag.rows(GRAPHS.build(text).x).mean(0))


def test_without_a_bag_the_graph_network_answers_alone_and_as_it_would_beside_one() -> None:
    alone, beside, graphs = teacher(bag_width=0).eval(), teacher().eval(), batch(TEXTS)
    assert alone.bag is None
    assert alone.representation_width == alone.config.width
    (answer,) = alone.answers(alone.encode(graphs))
    assert torch.equal(answer, alone(graphs))
    assert torch.equal(answer, beside.answers(beside.encode(graphs))[0])


def test_each_part_learns_alone() -> None:
    network = teacher(dropout=0.0)
    _, by_bag = network.answers(network.encode(batch(TEXTS)))
    by_bag.sum().backward()  # type: ignore[no-untyped-call]
    learned = {name for name, p in network.named_parameters() if p.grad is not None and p.grad.any()}
    assert learned == {"bag.rows.weight", "bag.head.weight", "bag.head.bias"}


def test_the_bag_learns_five_times_as_fast_as_the_rest() -> None:
    network = teacher()
    rest, fast = parameter_groups(network, 0.25)
    assert (rest["lr"], fast["lr"]) == (0.25, 1.25)
    assert network.bag is not None
    assert {id(p) for p in fast["params"]} == {id(p) for p in network.bag.parameters()}


def test_a_batch_gives_what_its_graphs_give_alone() -> None:
    network = teacher().eval()
    together = network(batch(TEXTS))
    alone = torch.cat([network(batch([text])) for text in TEXTS])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


def test_the_order_in_which_nodes_and_edges_are_listed_does_not_matter() -> None:
    network, graph = teacher().eval(), GRAPHS.build("聚丙烯酰胺")
    order = torch.randperm(graph.num_nodes, generator=torch.Generator().manual_seed(0))
    other = relabelled(graph, order)
    torch.testing.assert_close(
        network(Batch.from_data_list([graph])), network(Batch.from_data_list([other])), atol=1e-5, rtol=0
    )


def test_the_order_of_characters_matters() -> None:
    network = teacher().eval()
    assert not torch.allclose(network(batch(["硫酸铵"])), network(batch(["铵酸硫"])), atol=1e-3)


def test_edge_features_matter() -> None:
    network, graphs = teacher().eval(), batch(["硫酸铵"])
    before = network(graphs)
    graphs.edge_attr = graphs.edge_attr.flip(0)
    assert not torch.allclose(before, network(graphs), atol=1e-4)


def test_the_same_seed_gives_the_same_weights() -> None:
    runs = [teacher(seed) for seed in (0, 0, 1)]
    for seed, network in zip((0, 0, 1), runs, strict=True):
        torch.manual_seed(seed)
        train(network, TEXTS, [0, 1, 2, 0, 1], steps=3)
    first, again, other = (torch.cat([p.flatten() for p in network.parameters()]) for network in runs)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_every_parameter_gets_a_gradient() -> None:
    network = teacher()
    network(batch(TEXTS)).square().sum().backward()
    without = {name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()}
    # The softmax of the read-out does not change when all its scores do.
    assert without <= {"readout.aggrs.0.gate_nn.2.bias"}


def test_overfits_a_few_texts() -> None:
    texts = ["硫酸铵", "氯化铵", "硝酸钠", "氯化钠", "聚丙烯", "聚乙烯"]
    labels = [0, 0, 1, 1, 2, 2]
    network = teacher(dropout=0.1)
    train(network, texts, labels, steps=60)
    assert network.eval()(batch(texts)).argmax(1).tolist() == labels


def test_node_dropout_hides_nodes_in_training_only() -> None:
    network, graphs = teacher(dropout=0.0, node_dropout=0.5), batch(TEXTS)
    torch.manual_seed(0)
    assert not torch.equal(network(graphs), network(graphs))
    network.eval()
    assert torch.equal(network(graphs), network(graphs))


def test_hidden_nodes_train_the_embeddings_of_unknown_ones() -> None:
    network = teacher(node_dropout=0.5)
    torch.manual_seed(0)
    network(batch(TEXTS)).square().sum().backward()
    gradient = network.embedding.weight.grad
    assert gradient is not None
    assert gradient[: len(GRAPHS.kinds)].abs().sum(1).all()


def test_a_hidden_node_is_hidden_from_the_bag_too() -> None:
    network = teacher(dropout=0.0, node_dropout=0.99)
    assert network.bag is not None
    torch.manual_seed(0)
    network.answers(network.encode(batch(TEXTS)))[1].square().sum().backward()  # type: ignore[no-untyped-call]
    gradient = network.bag.rows.weight.grad
    assert gradient is not None
    assert gradient[: len(GRAPHS.kinds)].abs().sum(1).all()


def test_runs_in_mixed_precision() -> None:
    network, graphs = teacher(), batch(TEXTS)
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(graphs)
    logits.float().sum().backward()
    assert logits.isfinite().all()
    exact = network.eval()(graphs)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(network(graphs).float(), exact, atol=0.05, rtol=0)


def test_state_survives_a_round_trip() -> None:
    network, other, graphs = teacher(0).eval(), teacher(1).eval(), batch(TEXTS)
    assert not torch.equal(network(graphs), other(graphs))
    other.load_state_dict(network.state_dict())
    assert torch.equal(network(graphs), other(graphs))


def with_states(text: str) -> GraphWithStates:
    """The graph of a text whose characters have a random token each, and its start and end none."""
    length = len(text)
    places = torch.tensor([-1, *range(length), -1]).numpy()
    states = torch.randn(length, 8, generator=torch.Generator().manual_seed(length)).half()
    pairs = torch.from_numpy(covers(GRAPHS.spans(text), places))
    return GraphWithStates(**GRAPHS.build(text).to_dict(), states=states, covers=pairs)


def rich_teacher(**keys: object) -> GNNTeacher:
    torch.manual_seed(0)
    config = TeacherConfig.model_validate({"layers": 2, "width": 16, "heads": 2, **keys})
    return GNNTeacher(config, GRAPHS.size, classes=3, feature_width=8)


def test_a_node_is_its_embedding_and_the_mean_of_the_features_of_its_tokens() -> None:
    network, graph = rich_teacher().eval(), with_states("硫酸铵")
    assert network.features is not None
    nodes = network._nodes(Batch.from_data_list([graph]), graph.x)
    features, embedded = network.features(graph.states), network.embedding(graph.x)
    torch.testing.assert_close(nodes[0], embedded[0])  # the start has no token
    torch.testing.assert_close(nodes[1], embedded[1] + features[0])
    torch.testing.assert_close(nodes[5], embedded[5] + features[0])  # so its bigram has that of the other half
    torch.testing.assert_close(nodes[6], embedded[6] + (features[0] + features[1]) / 2)


def test_a_batch_with_states_gives_what_its_graphs_give_alone() -> None:
    network, graphs = rich_teacher().eval(), [with_states(text) for text in TEXTS[:3]]
    together = network(Batch.from_data_list(graphs))
    alone = torch.cat([network(Batch.from_data_list([graph])) for graph in graphs])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


def test_a_hidden_node_keeps_its_states() -> None:
    network, graphs = rich_teacher(dropout=0.0, node_dropout=0.99), Batch.from_data_list([with_states("硫酸铵")])
    other = graphs.clone()
    other.states = graphs.states.flip(0)
    torch.manual_seed(0)
    hidden = network(graphs)
    torch.manual_seed(0)
    assert not torch.allclose(hidden, network(other), atol=1e-4)


def test_every_parameter_of_a_teacher_with_states_gets_a_gradient() -> None:
    network = rich_teacher()
    network(Batch.from_data_list([with_states(text) for text in TEXTS[:3]])).square().sum().backward()
    assert network.features is not None
    gradient = network.features.projection.weight.grad
    assert gradient is not None
    assert gradient.any()


def test_fitted_features_have_no_common_part_and_one_scale() -> None:
    network = TokenFeatures(4, 4)
    torch.nn.init.eye_(network.projection.weight)
    spread = torch.tensor([0.1, 1.0, 10.0, 0.0])
    texts = [(5 + spread * torch.randn(length, 4)).half() for length in (3, 500, 497)]
    network.fit(texts)
    features = network(torch.cat(texts))
    torch.testing.assert_close(features.mean(0), torch.zeros(4), atol=1e-4, rtol=0)
    torch.testing.assert_close(features.std(0), torch.tensor([1.0, 1.0, 1.0, 0.0]), atol=1e-2, rtol=0)
    assert set(network.state_dict()) == {"mean", "scale", "projection.weight"}


def test_states_in_mixed_precision() -> None:
    network, graphs = rich_teacher().eval(), Batch.from_data_list([with_states("硫酸铵")])
    with torch.autocast("cpu", torch.bfloat16):
        mixed = network(graphs).float()
    torch.testing.assert_close(mixed, network(graphs), atol=0.05, rtol=0)


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ValueError, match=r"heads \(3\) must divide width \(16\)"):
        teacher(heads=3)
