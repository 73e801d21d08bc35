"""The teacher: graph attention over the characters, n-grams and words of one text, and a mean of them beside it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch_geometric.data import Batch
from torch_geometric.nn import GATv2Conv
from torch_geometric.nn.aggr import AttentionalAggregation, MaxAggregation, MultiAggregation
from torch_geometric.utils import scatter

from distill.config.gate_mixup import TeacherConfig
from distill.graphs.graph import EDGE_FEATURES
from distill.models.bag import Bag

_FEATURE_STD = 0.05
"""Of the features when training begins: about that of the embeddings."""


class TokenFeatures(nn.Module):
    """Token states of a language model, standardised, then brought to the width of the nodes.

    Standardised by :meth:`fit` to training tokens, dimension by dimension. A LayerNorm would leave in what all
    tokens share, which drowns the rest: with it, the last states of an E5 encoder cost the teacher 16 points of
    dev macro-F1 on tax_chem (seed 0, eight epochs); standardised, they gave it 12.

    Args:
        states: width of the states.
        width: of the nodes.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, states: int, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(states))
        self.register_buffer("scale", torch.ones(states))
        self.projection = nn.Linear(states, width, bias=False)  # the embeddings are a bias
        nn.init.normal_(self.projection.weight, std=_FEATURE_STD / states**0.5)

    def fit(self, texts: Sequence[Tensor]) -> None:
        """Learn mean and scale from the states ``[T, d]`` of each of some texts."""
        count = sum(len(states) for states in texts)
        self.mean = sum((states.double().sum(0) for states in texts), torch.zeros(())) / count
        squares = sum(((states.double() - self.mean).square().sum(0) for states in texts), torch.zeros(()))
        scale = (squares / count).sqrt()
        # What hardly moves in training is noise, and must not become loud where a later text moves it.
        self.scale = scale.clamp(min=0.01 * float(scale.mean())).float()
        self.mean = self.mean.float()

    def forward(self, states: Tensor) -> Tensor:
        """Return features ``[n, width]`` of states ``[n, d]`` of any precision."""
        features: Tensor = self.projection((states.float() - self.mean) / self.scale)
        return features


class NodeBag(Bag):
    """The mean of the embeddings of a graph's nodes, and a linear head for it."""

    def forward(self, ids: Tensor, owner: Tensor, graphs: int) -> Tensor:
        """Return means ``[B, width]`` of nodes ``[n]`` that belong to the graphs ``owner`` ``[n]``."""
        mean: Tensor = scatter(self.rows(ids), owner, dim_size=graphs, reduce="mean")
        return mean


class GNNTeacher(nn.Module):
    r"""Node embeddings → layers of GATv2 → attentive read-out → linear head.

    With ``config.bag_width``, beside it a bag of nodes → linear head. The logits are the mean of both then; as in the
    student, the two share no weight, and each learns labels and outputs as if it were alone: a thousand texts are few
    for attention, and such a bag errs on others.

    Each layer adds to the state :math:`\mathbf{x}_i` of node i what its neighbours send (GATv2: Brody, Alon
    and Yahav, "How Attentive are Graph Attention Networks?", ICLR 2022), pre-norm:

    .. math::
        \mathbf{x}_i \leftarrow \mathbf{x}_i + \sum_{j \to i} \alpha_{ij} \mathbf{W} \bar{\mathbf{x}}_j,
        \quad
        \alpha_{ij} = \mathrm{softmax}_j \; \mathbf{a}^\top \mathrm{LeakyReLU}
        \left(\mathbf{W}' \bar{\mathbf{x}}_i + \mathbf{W} \bar{\mathbf{x}}_j + \mathbf{E} \mathbf{e}_{ij}\right),
        \quad
        \bar{\mathbf{x}} = \mathrm{LayerNorm}(\mathbf{x})

    with edge features :math:`\mathbf{e}_{ij}` and several heads side by side. The representation of a graph
    joins the softmax-weighted mean of its nodes (Li et al., "Gated Graph Sequence Neural Networks", ICLR
    2016) and their maximum:

    .. math::
        \mathbf{r} = \mathrm{ReLU}\left(\mathbf{U} \left[
        \sum_i \mathrm{softmax}_i(g(\bar{\mathbf{x}}_i)) \, \bar{\mathbf{x}}_i
        \,\Vert\, \max_i \bar{\mathbf{x}}_i \right]\right)

    In training some nodes pass as unknown ones of their kind, which trains the embeddings that stand for
    what a later text brings.

    With ``feature_width``, a node also is what a language model says of its characters: to its embedding is added
    the mean of the :class:`TokenFeatures` of its tokens; a node without a token has nothing added. A node that
    passes as unknown keeps its states: what a later text brings is an item without an embedding, never one that
    the language model has not read.

    On a CPU the same seed gives the same weights. On a GPU the sums over edges and nodes use
    atomic additions, whose order changes from run to run: two runs differ in the last digits of a
    step and may end some tenths of a point apart.

    Args:
        config: sizes and dropout.
        nodes: number of node ids.
        classes: number of labels.
        feature_width: of the language model's states that graphs bring (:mod:`distill.lm.node_states`); 0: none.
    """

    def __init__(self, config: TeacherConfig, nodes: int, classes: int, feature_width: int = 0) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(nodes, config.width)
        self.norms = nn.ModuleList(nn.LayerNorm(config.width) for _ in range(config.layers))
        # No self-loops: a node's own state stays through the residual connection.
        self.layers = nn.ModuleList(
            GATv2Conv(
                config.width,
                config.width // config.heads,
                config.heads,
                edge_dim=EDGE_FEATURES,
                add_self_loops=False,
            )
            for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.width)
        gate = nn.Sequential(nn.Linear(config.width, config.width), nn.Tanh(), nn.Linear(config.width, 1))
        self.readout = MultiAggregation([AttentionalAggregation(gate), MaxAggregation()])
        self.projection = nn.Linear(2 * config.width, config.width)
        self.head = nn.Linear(config.width, classes)
        self.representation_width = config.width + config.bag_width
        # Measured on short texts: 1.0 loses eight points of dev macro-F1; 0.03 and 0.1 are close.
        nn.init.normal_(self.embedding.weight, std=0.03)
        # Aside, so that whatever else is drawn at random is drawn as without them: runs with and without compare.
        with torch.random.fork_rng(devices=[]):
            self.bag = NodeBag(nodes, config.bag_width, classes) if config.bag_width else None
            self.features = TokenFeatures(feature_width, config.width) if feature_width else None

    def encode(self, graphs: Batch) -> Tensor:
        """Return representations ``[B, r]`` of B graphs, as ``Batch.from_data_list`` joins them.

        First that of the graph network, then the mean of the bag.
        """
        ids = self._shown(graphs)
        hidden = self._drop(self._nodes(graphs, ids))
        for norm, layer in zip(self.norms, self.layers, strict=True):
            hidden = hidden + self._drop(layer(norm(hidden), graphs.edge_index, graphs.edge_attr))
        joined = self.readout(self.norm(hidden), graphs.batch, dim_size=graphs.num_graphs)
        own = torch.relu(self.projection(joined))
        return own if self.bag is None else torch.cat([own, self.bag(ids, graphs.batch, graphs.num_graphs)], 1)

    def answers(self, representation: Tensor) -> tuple[Tensor, ...]:
        """Return logits ``[B, C]`` of the graph network, and of the bag where there is one."""
        dropped = self._drop(representation)
        by_network: Tensor = self.head(dropped[:, : self.config.width])
        if self.bag is None:
            return (by_network,)
        return by_network, self.bag.head(dropped[:, self.config.width :])

    def classify(self, representation: Tensor) -> Tensor:
        """Return logits ``[B, C]`` of representations ``[B, r]``: the mean of the answers."""
        return torch.stack(self.answers(representation)).mean(0)

    def forward(self, graphs: Batch) -> Tensor:
        """Return logits ``[B, C]`` of B graphs."""
        return self.classify(self.encode(graphs))

    def _nodes(self, graphs: Batch, ids: Tensor) -> Tensor:
        """Return what the nodes are before any message, ``[n, d]``."""
        embedded: Tensor = self.embedding(ids)
        if self.features is None:
            return embedded
        node, token = graphs.covers
        # The mean of projections is the projection of the mean, and there are fewer tokens than nodes.
        features = self.features(graphs.states)
        known: Tensor = scatter(features[token], node, dim_size=len(embedded), reduce="mean")
        return embedded + known

    def _shown(self, graphs: Batch) -> Tensor:
        """Return node ids ``[n]``, in training some replaced by the unknown id of their kind."""
        ids: Tensor = graphs.x
        if not self.training:
            return ids
        hidden = torch.rand(ids.shape, device=ids.device) < self.config.node_dropout
        return torch.where(hidden, graphs.kind, ids)

    def _drop(self, hidden: Tensor) -> Tensor:
        return functional.dropout(hidden, self.config.dropout, self.training)
