"""A text as a graph: its characters, n-grams and words, and what links them.

One graph per text over a vocabulary of training texts only, so that unseen texts work (inductive, as in
TextING: Zhang et al., "Every Document Owns Its Structure", ACL 2020). Nodes are occurrences, not distinct
items: the order of characters tells chemicals apart. Co-occurrence is weighted by corpus PMI, as in TextGCN
(Yao et al., "Graph Convolutional Networks for Text Classification", AAAI 2019).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, combinations, pairwise
from pathlib import Path

import numpy as np
import torch
from torch_geometric.data import Data

from distill.config.gate_mixup import GraphConfig
from distill.graphs.pmi import Ids, PairWeights, Weights, positive_pmi
from runtime.errors import DataError
from runtime.files import write_text
from runtime.text import head_and_tail, normalise

NEXT, PREVIOUS, AROUND, WITHIN, CO_OCCURS = range(5)
"""What an edge's source is to its target, and the column of ``edge_attr`` that is 1: the next node of the
same kind, the one before, a longer node around it, a shorter one within it, one of the same kind that
co-occurs with it more often than chance."""

EDGE_FEATURES = 6
"""Columns of ``edge_attr``: the five relations, then the positive PMI of two nodes of one kind, else 0."""

START, END = "\x02", "\x03"
"""Stand around every text: that a name ends in an acid says more than that one is in it. Normalised text
holds no control characters, so they cannot clash with it."""

_KINDS = ("char", "bigram", "trigram", "word")

_Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Nodes:
    """Nodes of one kind in the order of the text, int64 ``[n]`` each; a node covers ``[start, end)``."""

    ids: Ids
    start: Ids
    end: Ids
    place: Ids


@dataclass(frozen=True, slots=True)
class _Edges:
    """Edges of one relation, ``[e]`` each."""

    relation: int
    source: Ids
    target: Ids
    weight: Weights | float = 0.0

    @property
    def features(self) -> Weights:
        features = np.zeros((len(self.source), EDGE_FEATURES), dtype=np.float32)
        features[:, self.relation] = 1
        features[:, -1] = self.weight
        return features


class GraphBuilder:
    """Turns a text into a graph.

    The first ids, one for each kind of node, stand for its items outside the vocabulary (the characters
    of an unknown n-gram or word are nodes too); the items follow, kind by kind.

    Args:
        config: kinds of node and edge, and bounds.
        items: for each kind of node, the items with an id of their own, in id order.
        weights: PMI of pairs of ids; ``None``: no pair co-occurs.
    """

    def __init__(
        self, config: GraphConfig, items: Mapping[str, Sequence[str]], weights: PairWeights | None = None
    ) -> None:
        self.config = config
        self.kinds: tuple[str, ...] = tuple(kind for kind in _KINDS if kind in config.nodes)
        self.items = {kind: tuple(items[kind]) for kind in self.kinds}
        first = accumulate((len(self.items[kind]) for kind in self.kinds), initial=len(self.kinds))
        self._ids = {
            kind: dict(zip(self.items[kind], range(start, end), strict=True))
            for kind, (start, end) in zip(self.kinds, pairwise(first), strict=True)
        }
        self.size = len(self.kinds) + sum(map(len, self.items.values()))
        self.weights = weights or PairWeights.empty()

    @classmethod
    def from_texts(cls, texts: Sequence[str], config: GraphConfig) -> GraphBuilder:
        """Learn the vocabulary and the PMI of ``texts``, which are training texts only.

        A character needs one occurrence to get an id of its own, an n-gram or word ``config.min_count``.
        """
        bounded = [_bounded(text, config.max_len) for text in texts]
        items: dict[str, list[str]] = {kind: _frequent(kind, bounded, config.min_count) for kind in config.nodes}
        builder = cls(config, items)
        if "cooccurrence" not in config.edges:
            return builder
        return cls(config, builder.items, PairWeights.joined(builder._pmi(kind, bounded) for kind in builder.kinds))

    def build(self, text: str) -> Data:
        """Return the graph of ``text``; an empty text has its start and end as nodes.

        Returns:
            ``x``: int64 ``[n]``, node ids, kind by kind, each kind in the order of the text;
            ``kind``: int64 ``[n]``, the id that stands for unknown nodes of the same kind;
            ``edge_index``: int64 ``[2, e]``, source and target of each edge;
            ``edge_attr``: float32 ``[e, EDGE_FEATURES]``.
        """
        bounded = _bounded(text, self.config.max_len)
        nodes: list[_Nodes] = []
        for kind in self.kinds:
            nodes.append(self._nodes(kind, bounded, sum(len(other.ids) for other in nodes)))
        edges = list(self._edges(nodes))
        return Data(
            x=torch.from_numpy(np.concatenate([part.ids for part in nodes])),
            kind=torch.from_numpy(np.repeat(np.arange(len(nodes)), [len(part.ids) for part in nodes])),
            edge_index=torch.from_numpy(np.hstack([np.stack([part.source, part.target]) for part in edges])),
            edge_attr=torch.from_numpy(np.vstack([part.features for part in edges])),
        )

    def marked(self, text: str) -> str:
        """Return what the graph of ``text`` shows: normalised, of a long one head and tail, between START and END."""
        return _bounded(text, self.config.max_len)

    def spans(self, text: str) -> Ids:
        """Return int64 ``[n, 2]``: the characters ``[start, end)`` of :meth:`marked` that each node covers."""
        marked = self.marked(text)
        return np.array([span for kind in self.kinds for span in _spans(kind, marked)], dtype=np.int64).reshape(-1, 2)

    def save(self, path: Path) -> None:
        """Write configuration, vocabulary and PMI as JSON, atomically."""
        stored = {
            "config": self.config.model_dump(mode="json"),
            "items": self.items,
            "size": self.size,
            "pairs": self.weights.keys.tolist(),
            "pmi": [round(weight, 4) for weight in self.weights.values.tolist()],
        }
        write_text(path, json.dumps(stored, ensure_ascii=False) + "\n")

    @classmethod
    def load(cls, path: Path) -> GraphBuilder:
        """Read what :meth:`save` wrote.

        Raises:
            DataError: the file is missing, or is not a graph vocabulary.
        """
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            weights = PairWeights(
                stored["size"], np.array(stored["pairs"], dtype=np.int64), np.array(stored["pmi"], dtype=np.float32)
            )
            return cls(GraphConfig.model_validate(stored["config"]), stored["items"], weights)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path} is not a graph vocabulary ({error}); train again") from error

    def _pmi(self, kind: str, texts: Iterable[str]) -> PairWeights:
        """Return the PMI of nodes of one kind: counted among others, which they never meet, all would seem close."""
        sequences = (self._nodes(kind, text, 0).ids for text in texts)
        return positive_pmi(sequences, self.size, self.config.window, self.config.min_count)

    def _nodes(self, kind: str, text: str, offset: int) -> _Nodes:
        spans = _spans(kind, text)
        ids, unknown = self._ids[kind], self.kinds.index(kind)
        start, end = np.array(spans, dtype=np.int64).reshape(-1, 2).T
        numbers = np.array([ids.get(text[first:last], unknown) for first, last in spans], dtype=np.int64)
        return _Nodes(numbers, start, end, np.arange(offset, offset + len(spans)))

    def _edges(self, nodes: Sequence[_Nodes]) -> Iterator[_Edges]:
        yield _Edges(NEXT, nodes[0].place[:0], nodes[0].place[:0])  # So that a graph without edges has the shapes.
        for part in nodes:
            if "adjacency" in self.config.edges:
                weight = self.weights.of(part.ids[:-1], part.ids[1:])
                yield _Edges(NEXT, part.place[1:], part.place[:-1], weight)
                yield _Edges(PREVIOUS, part.place[:-1], part.place[1:], weight)
            if "cooccurrence" in self.config.edges:
                yield from self._co_occurrence(part)
        if "containment" in self.config.edges:
            for short, long in combinations(nodes, 2):
                yield from _containment(short, long)

    def _co_occurrence(self, nodes: _Nodes) -> Iterator[_Edges]:
        # Neighbours are linked already, and those edges carry the weight.
        nearest = 2 if "adjacency" in self.config.edges else 1
        for distance in range(nearest, self.config.window + 1):
            weight = self.weights.of(nodes.ids[:-distance], nodes.ids[distance:])
            linked = weight > 0
            left, right = nodes.place[:-distance][linked], nodes.place[distance:][linked]
            yield _Edges(CO_OCCURS, left, right, weight[linked])
            yield _Edges(CO_OCCURS, right, left, weight[linked])


def _bounded(text: str, max_len: int) -> str:
    """Normalise and mark a text; as in the tokeniser, a long one keeps its head and tail."""
    clean = normalise(text)
    if len(clean) > max_len:
        head, tail = head_and_tail(max_len)  # in characters
        clean = clean[:head] + clean[len(clean) - tail :]
    return f"{START}{clean}{END}"


def _frequent(kind: str, texts: Iterable[str], min_count: int) -> list[str]:
    counts = Counter(text[start:end] for text in texts for start, end in _spans(kind, text))
    return sorted(item for item, count in counts.items() if kind == "char" or count >= min_count)


def _spans(kind: str, text: str) -> list[_Span]:
    if kind == "word":
        return _word_spans(text)
    length = {"char": 1, "bigram": 2, "trigram": 3}[kind]
    return [(start, start + length) for start in range(len(text) - length + 1)]


def _word_spans(text: str) -> list[_Span]:
    spans: list[_Span] = []
    end = 0
    for word in _word_cutter()(text):
        start = text.index(word, end)  # The cutter leaves blanks out.
        end = start + len(word)
        spans.append((start, end))
    return spans


@lru_cache(maxsize=1)
def _word_cutter() -> Callable[[str], list[str]]:
    from distill.data.words import WordCutter  # Only here: jieba takes a second to load its dictionary.

    return WordCutter().cut


def _containment(short: _Nodes, long: _Nodes) -> Iterator[_Edges]:
    inside = (short.start[:, None] >= long.start) & (short.end[:, None] <= long.end)
    inner, outer = np.nonzero(inside)
    yield _Edges(WITHIN, short.place[inner], long.place[outer])
    yield _Edges(AROUND, long.place[outer], short.place[inner])
