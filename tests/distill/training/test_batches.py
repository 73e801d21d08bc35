"""Every example once in an epoch, padded little, each with its own graph and label."""

from __future__ import annotations

import torch

from distill.config.gate_mixup import GraphConfig
from distill.data.corpus import Example
from distill.graphs.graph import GraphBuilder
from distill.training.batches import EncodedExamples, encode_examples
from runtime.tokenizer import PAD_ID, CharTokenizer

LABELS = ("acid", "base")
TEXTS = [chr(0x4E00 + number) * (number % 7 + 1) for number in range(40)]
EXAMPLES = [Example(text, LABELS[number % 2]) for number, text in enumerate(TEXTS)]


def encoded() -> EncodedExamples:
    return encode_examples(
        EXAMPLES, LABELS, CharTokenizer.from_texts(TEXTS, 16), GraphBuilder.from_texts(TEXTS, GraphConfig())
    )


def first_characters(examples: EncodedExamples, size: int) -> list[int]:
    return [int(ids[0]) for batch in examples.shuffled(size) for ids in batch.ids]


def test_class_ids_count_through_the_labels() -> None:
    assert encoded().labels.tolist() == [0, 1] * 20


def test_batch_in_order_is_padded_at_the_end() -> None:
    batch = next(encoded().in_order(8))
    assert batch.ids.shape == (8, 7)
    assert (batch.ids != PAD_ID).sum(1).tolist() == [1, 2, 3, 4, 5, 6, 7, 1]
    assert batch.graphs.num_graphs == 8
    assert batch.labels.tolist() == [0, 1] * 4


def test_epoch_has_every_example_once_in_another_order() -> None:
    examples = encoded()
    torch.manual_seed(0)
    first, second = first_characters(examples, 8), first_characters(examples, 8)
    assert sorted(first) == sorted(second) == sorted(int(ids[0]) for ids in examples.ids)
    assert first != second
    assert sum(len(batch.labels) for batch in examples.shuffled(16)) == 40


def test_shuffled_batches_hold_texts_of_similar_length() -> None:
    torch.manual_seed(0)
    for batch in encoded().shuffled(8):
        lengths = (batch.ids != PAD_ID).sum(1)
        assert lengths.max() - lengths.min() <= 2


def test_text_graph_and_label_stay_together() -> None:
    examples = encoded()
    torch.manual_seed(0)
    rows = {int(ids[0]): row for row, ids in enumerate(examples.ids)}
    for batch in examples.shuffled(8):
        for ids, graph, label in zip(batch.ids, batch.graphs.to_data_list(), batch.labels, strict=True):
            row = rows[int(ids[0])]
            assert label == examples.labels[row]
            assert torch.equal(graph.x, examples.graphs[row].x)
