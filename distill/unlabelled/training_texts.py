"""Texts without labels that a student learns from beside the labelled ones."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from distill.corpus import Corpus
from distill.lm.recipe import TaughtDataConfig
from distill.unlabelled.corpus import corpus_files, read_texts
from runtime.text import normalise


def unlabelled_texts(config: TaughtDataConfig, corpus: Corpus) -> Iterator[str]:
    """Yield the texts of ``data.unlabelled``, each once, without those of the labelled splits."""
    paths = corpus_files([Path(path) for path in config.unlabelled])
    return new_texts((text for path in paths for text in read_texts(path, config.text_column, config.encoding)), corpus)


def new_texts(texts: Iterable[str], corpus: Corpus) -> Iterator[str]:
    """Yield ``texts``, each once, without those of the labelled splits.

    A text of dev or test, even without its label, would make the scores better than they are.
    """
    seen = {normalise(text) for text in corpus.texts}
    for text in texts:
        normalised = normalise(text)
        if normalised and normalised not in seen:
            seen.add(normalised)
            yield text.strip()


def fingerprint(corpus: str, teachers: str, texts: Iterable[str]) -> str:
    """Return what stands for all that a student learns from: corpus and teachers, by their own, and the texts."""
    digest = hashlib.sha256(f"{corpus} {teachers}".encode())
    for text in texts:
        digest.update(text.encode("utf-8", "surrogatepass") + b"\n")
    return digest.hexdigest()
