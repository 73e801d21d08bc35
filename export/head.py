"""Training of a cascade's head: embeddings of characters and character bigrams, their mean, one linear layer.

Joulin et al. 2017, "Bag of Tricks for Efficient Text Classification", with two differences: it learns from the
student's scores as well as from the labels, and what it has learnt becomes one table of logits
(:mod:`runtime.cascade`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from export.parity import ClassIds, Logits
from runtime.cascade import table_rows
from runtime.tokenizer import Ids

_WIDTH = 64
_BATCH = 64
_RATE = 5e-3
_DROPOUT = 0.2
# Half of what it learns comes from the labels and half from the student: better on dev than either alone.
_STUDENT_SHARE = 0.5
# A set of a thousand texts needs forty epochs until the head is as good as it gets, one of five thousand fifteen.
_LEAST_STEPS, _LEAST_EPOCHS = 1200, 5
# Of the table: two megabytes of half floats, so that the runtime keeps its promise about memory.
_MOST_VALUES = 1_100_000
_MOST_BUCKETS, _LEAST_BUCKETS = 1 << 16, 1 << 10

Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def choose_buckets(vocabulary: int, classes: int) -> int:
    """Return the number of bigram buckets: a power of two, 1024 to 65,536, as many as a table of its size may have."""
    buckets = _MOST_BUCKETS
    while buckets > _LEAST_BUCKETS and (vocabulary + buckets) * classes > _MOST_VALUES:
        buckets //= 2
    return buckets


def train_table(ids: Sequence[Ids], labels: ClassIds, student: Logits, vocabulary: int, buckets: int) -> Logits:
    """Return the table of logits ``[vocabulary + buckets, C]`` of a head trained on texts.

    Args:
        ids: of each text, none of them empty.
        labels: class of each, ``[n]``.
        student: its logits on these texts, ``[n, C]``.
        vocabulary: number of ids.
        buckets: of bigrams, a power of two.
    """
    classes = student.shape[1]
    rows = [table_rows(text.tolist(), vocabulary, buckets) for text in ids]
    # Only rows that occur are trained; the others stay at zero, which says nothing about any class.
    used, places = np.unique(np.concatenate(rows), return_inverse=True)
    ends = np.cumsum([len(text) for text in rows])
    hard = functional.one_hot(torch.from_numpy(labels), classes).float()
    soft = torch.from_numpy(student).softmax(1)
    targets = _STUDENT_SHARE * soft + (1 - _STUDENT_SHARE) * hard
    embeddings, weight, bias = _train(np.split(places.ravel(), ends[:-1]), targets, len(used))
    table = np.zeros((vocabulary + buckets, classes), np.float32)
    table[used] = (embeddings @ weight.T).numpy()
    # The mean of rows that all carry the bias carries it too.
    table += bias.numpy()
    return table


def _train(
    texts: Sequence[npt.NDArray[np.int64]], targets: torch.Tensor, rows: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    bound = 1 / _WIDTH
    embeddings = torch.empty(rows, _WIDTH).uniform_(-bound, bound, generator=generator).requires_grad_()
    weight = torch.empty(targets.shape[1], _WIDTH).normal_(0, _WIDTH**-0.5, generator=generator).requires_grad_()
    bias = torch.zeros(targets.shape[1], requires_grad=True)
    # Sparse: of tens of thousands of rows a batch has a few hundred.
    optimisers = [torch.optim.SparseAdam([embeddings], lr=_RATE), torch.optim.Adam([weight, bias], lr=_RATE)]
    batches = ceil(len(texts) / _BATCH)
    steps = batches * max(_LEAST_EPOCHS, ceil(_LEAST_STEPS / batches))
    decay = [torch.optim.lr_scheduler.LinearLR(one, 1.0, 0.0, steps) for one in optimisers]
    for _ in range(steps // batches):
        for places, starts, target in _batches(texts, targets, generator):
            mean = functional.embedding_bag(places, embeddings, starts, mode="mean", sparse=True)
            kept = (torch.rand(mean.shape, generator=generator) >= _DROPOUT) / (1 - _DROPOUT)
            loss = functional.cross_entropy(functional.linear(mean * kept, weight, bias), target)
            for one in optimisers:
                one.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            for one, rate in zip(optimisers, decay, strict=True):
                one.step()
                rate.step()
    return embeddings.detach(), weight.detach(), bias.detach()


def _batches(
    texts: Sequence[npt.NDArray[np.int64]], targets: torch.Tensor, generator: torch.Generator
) -> Iterator[Batch]:
    """Yield the texts of one epoch: the places of all rows of a batch, where each text begins, and the targets."""
    order = torch.randperm(len(texts), generator=generator)
    for chosen in torch.split(order, _BATCH):
        taken = [texts[row] for row in chosen.tolist()]
        starts = np.cumsum([0, *(len(text) for text in taken[:-1])])
        yield torch.from_numpy(np.concatenate(taken)), torch.from_numpy(starts), targets[chosen]
