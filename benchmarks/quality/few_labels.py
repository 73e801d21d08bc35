"""A set whose train loses most of its labels: plants have labelled five hundred texts more often than five thousand."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click

from benchmarks.quality.sets import as_json_lines
from distill.data.corpus import Corpus, Example
from runtime.files import write_text

label_share_option = click.option(
    "--label-share",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0, 1, min_open=True),
    help="Keep this share of train's labels, drawn by the seed; a student of several teachers reads the other texts.",
)


class FewLabels(NamedTuple):
    """What was written.

    Attributes:
        data: folder of train, dev and test; dev and test are whole.
        unlabelled: the texts of train without their labels, one a line.
    """

    data: Path
    unlabelled: Path


def few_labels(corpus: Corpus, share: float, seed: int, folder: Path) -> FewLabels:
    """Write ``corpus`` with a share of the labels of train, drawn by ``seed`` in each class, at least one of each.

    Args:
        corpus: the whole set.
        share: of the labels that stay, above 0 and at most 1.
        seed: of the draw.
        folder: to write to; another draw wants another folder.
    """
    kept = drawn(corpus.train, share, seed)
    for name, examples in (("train", kept), ("dev", corpus.dev), ("test", corpus.test)):
        write_text(folder / "data" / f"{name}.jsonl", as_json_lines(examples))
    chosen = set(kept)
    rest = (" ".join(example.text.split()) for example in corpus.train if example not in chosen)
    write_text(folder / "unlabelled.txt", "".join(f"{text}\n" for text in rest))
    return FewLabels(folder / "data", folder / "unlabelled.txt")


def drawn(examples: Sequence[Example], share: float, seed: int) -> list[Example]:
    """Return a share of the examples of each class, at least one, drawn by ``seed``, in the order given."""
    by_class: dict[str, list[Example]] = {}
    for example in examples:
        by_class.setdefault(example.label, []).append(example)
    draw, chosen = random.Random(seed), set[Example]()
    for label in sorted(by_class):
        chosen.update(draw.sample(by_class[label], max(1, round(share * len(by_class[label])))))
    return [example for example in examples if example in chosen]


def name_with(name: str, share: float) -> str:
    """Return the name in tables of a set of fewer labels."""
    return f"{name}, {100 * share:g} % of the labels"
