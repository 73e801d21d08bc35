"""A look at labelled texts before anything is trained: classes, lengths, and what one split knows of another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from distill.corpus import Corpus, Example
from distill.layout import table
from distill.similarity import SimilarTexts
from distill.summary import summary
from runtime.text import normalise

_SPLITS = ("train", "dev", "test")


def audit(corpus: Corpus, near_duplicate: float, max_len: int, left_out: Path) -> str:
    """Return what is to be known of a corpus, for people: how it was cut, each class, lengths, and near-duplicates.

    Args:
        corpus: as a run would learn from it.
        near_duplicate: similarity from which two texts are nearly the same, above 0 up to 1.
        max_len: characters that a student reads.
        left_out: the file that holds the rows left out, if there are any.
    """
    parts = [summary(corpus, left_out), _classes(corpus), _lengths(corpus, max_len)]
    return "\n\n".join([*parts, "\n".join(_near_train(corpus, near_duplicate))])


def _classes(corpus: Corpus) -> str:
    counts = {split: Counter(example.label for example in _examples(corpus, split)) for split in _SPLITS}
    rows = [
        [label, *(str(counts[split][label]) for split in _SPLITS), f"{number / len(corpus.train):.1%}"]
        for label, number in counts["train"].most_common()
    ]
    return table(["class", *_SPLITS, "of train"], rows)


def _lengths(corpus: Corpus, max_len: int) -> str:
    lengths = sorted(len(normalise(text)) for text in corpus.texts)
    median, most = lengths[len(lengths) // 2], lengths[9 * len(lengths) // 10]
    cut = sum(length > max_len for length in lengths)
    return (
        f"characters of a text: {median} (median), {most} (nine in ten have no more), {lengths[-1]} (longest); "
        f"a student reads {max_len} (student.max_len): {cut} texts lose their middle"
    )


def _near_train(corpus: Corpus, threshold: float) -> Iterator[str]:
    known = SimilarTexts((normalise(example.text) for example in corpus.train), threshold)
    for split in _SPLITS[1:]:
        near = sum(known.any_like(normalise(example.text)) for example in _examples(corpus, split))
        advice = ": its scores promise too much, let one file be split anew" if near else ""
        yield f"texts of {split} that are nearly one of train (data.near_duplicate {threshold:g}): {near}{advice}"


def _examples(corpus: Corpus, split: str) -> Sequence[Example]:
    return {"train": corpus.train, "dev": corpus.dev, "test": corpus.test}[split]
