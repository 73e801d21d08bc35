"""Texts without labels that a student learns from beside the labelled ones."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from distill.config.language_model import TaughtDataConfig
from distill.data.corpus import Corpus
from distill.data.similarity import SimilarTexts
from distill.unlabelled.corpus import corpus_files, read_further_texts
from runtime.text import normalise

_LOG = logging.getLogger(__name__)
_LABELLED, _REPEATED, _NEAR = "of the labelled data", "repeated", "nearly texts of dev or test"


class OtherTexts(NamedTuple):
    """Texts without labels: those of the user, and those that are made."""

    given: list[str]
    made: list[str]


def unlabelled_texts(
    config: TaughtDataConfig, corpus: Corpus, make: Callable[[Sequence[str]], Iterable[str]] = lambda given: ()
) -> OtherTexts:
    """Return the texts of ``data.unlabelled``, and those that are made of them, each once, without the labelled ones.

    Those that are nearly texts of dev or test, from ``data.near_duplicate`` on, are left out too: even without its
    label, such a text would make the scores better than they are, as it would in train. How many are left out, and
    why, is logged.

    Args:
        config: names the files.
        corpus: of the labelled texts.
        make: makes more texts; it is given those of ``data.unlabelled`` that stay.

    Raises:
        DataError: a file cannot be read, or a folder holds no shards.
        ConfigError: the encoding is unknown, or a package that reads a file is missing.
    """
    paths = corpus_files([Path(path) for path in config.unlabelled])
    given = chain.from_iterable(read_further_texts(path, config.text_column, config.encoding) for path in paths)
    new = _NewTexts(corpus, config.near_duplicate)
    own = list(new.of(given))
    texts = OtherTexts(own, list(new.of(make(own))))
    if new.left_out:
        _LOG.info("%s", _summary(texts, new.left_out, config.near_duplicate))
    return texts


class _NewTexts:
    """Those of some texts that may be learned from, each once; the others are counted by reason."""

    def __init__(self, corpus: Corpus, near_duplicate: float) -> None:
        scored = [normalise(example.text) for example in (*corpus.dev, *corpus.test)]
        # At 1 only the same texts are left out, not those of the same grams in another order.
        near_scored = SimilarTexts(scored if near_duplicate < 1 else (), near_duplicate)
        labelled = {normalise(text) for text in corpus.texts}
        self.left_out: Counter[str] = Counter()
        self._seen: set[str] = set()
        self._reasons: dict[str, Callable[[str], bool]] = {
            _LABELLED: labelled.__contains__,
            _REPEATED: self._seen.__contains__,
            _NEAR: near_scored.any_like,
        }

    def of(self, texts: Iterable[str]) -> Iterator[str]:
        """Yield those of ``texts``."""
        for text in texts:
            normalised = normalise(text)
            reason = next((reason for reason, applies in self._reasons.items() if applies(normalised)), None)
            if reason:
                self.left_out[reason] += 1
            elif normalised:
                self._seen.add(normalised)
                yield text.strip()


def _summary(texts: OtherTexts, left_out: Counter[str], near_duplicate: float) -> str:
    made = f", {len(texts.made)} that were made" if texts.made else ""
    reasons = ", ".join(f"{number} {reason}" for reason, number in left_out.most_common())
    where = f" (data.near_duplicate {near_duplicate})" if left_out[_NEAR] else ""
    return f"{len(texts.given)} texts without labels{made}; left out: {reasons}{where}"
