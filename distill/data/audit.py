"""A report on labelled texts before anything is trained: classes, lengths, and near-duplicates across splits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from distill.data.corpus import Cleaned, Corpus, Example, LeftOut
from distill.data.label_faults import slips
from distill.data.similarity import SimilarTexts
from distill.data.summary import summary, summary_uncut
from distill.layout import shortened, table
from runtime.text import normalise

_SLIPS_SHOWN = 5
_CHARACTERS_SHOWN = 60


def audit(corpus: Corpus, near_duplicate: float, max_len: int, left_out: Path) -> str:
    """Return a report on a corpus: how it was split, each class, lengths, and near-duplicates.

    It also names texts with several labels, where one of these looks like a slip.

    Args:
        corpus: as a run would learn from it.
        near_duplicate: similarity from which two texts are nearly the same, above 0 up to 1.
        max_len: characters that a student reads.
        left_out: the file that holds the rows left out, if there are any.
    """
    splits = {"train": corpus.train, "dev": corpus.dev, "test": corpus.test}
    parts = [summary(corpus, left_out), _classes(splits, corpus.left_out), _slips(corpus.left_out)]
    near = "\n".join(_near_train(corpus, near_duplicate))
    return "\n\n".join(filter(None, [*parts, _lengths(corpus, max_len), near]))


def audit_uncut(cleaned: Cleaned, left_out: Path) -> str:
    """Return a report on rows that cannot be split: each class, and what looks wrong.

    Args:
        cleaned: all rows.
        left_out: the file that holds the rows left out, if there are any.
    """
    splits = {"train": cleaned.train, **cleaned.given} if cleaned.given else {"texts": cleaned.train}
    parts = [summary_uncut(cleaned, left_out), _classes(splits, cleaned.left_out), _slips(cleaned.left_out)]
    return "\n\n".join(filter(None, parts))


def _classes(splits: Mapping[str, Sequence[Example]], left_out: LeftOut) -> str:
    """Return the rows of each class, also of those of which none is left; the first of ``splits`` is train."""
    sizes = [Counter(row.label for row in rows) for rows in splits.values()]
    lost = Counter(row.label for rows in left_out.values() for row in rows if row.label)
    total = max(sizes[0].total(), 1)
    rows = [
        [label, *(str(counts[label]) for counts in (*sizes, lost)), f"{sizes[0][label] / total:.1%}"]
        for label in dict.fromkeys(label for counts in (sizes[0], lost) for label, _ in counts.most_common())
    ]
    return table(["class", *splits, "left out", f"of {next(iter(splits))}"], rows)


def _slips(left_out: LeftOut) -> str:
    found = [f"  {shortened(text, _CHARACTERS_SHOWN)!r}: {_counted(counts)}" for text, counts in slips(left_out)]
    more = [f"  and {len(found) - _SLIPS_SHOWN} more"] if len(found) > _SLIPS_SHOWN else []
    first = "all rows of these texts are left out because a few have another label, perhaps mistyped:"
    return "\n".join([first, *found[:_SLIPS_SHOWN], *more]) if found else ""


def _counted(labels: Counter[str]) -> str:
    return ", ".join(f"{label} {number}" for label, number in labels.most_common())


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
    for split, examples in (("dev", corpus.dev), ("test", corpus.test)):
        near = sum(known.any_like(normalise(example.text)) for example in examples)
        advice = ": its scores promise too much, let one file be split anew" if near else ""
        yield f"texts of {split} that are nearly one of train (data.near_duplicate {threshold:g}): {near}{advice}"
