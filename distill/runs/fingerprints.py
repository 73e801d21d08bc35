"""Fingerprints of what a run or a model learned from, to compare with those of another."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from runtime.errors import ConfigError, DataError


def fingerprint(corpus: str, models: str, texts: Iterable[str] = ()) -> str:
    """Return one fingerprint of all that a run learns from: those of corpus and models, and the texts."""
    digest = hashlib.sha256(f"{corpus} {models}".encode())
    for text in texts:
        digest.update(text.encode("utf-8", "surrogatepass") + b"\n")
    return digest.hexdigest()


def file_fingerprint(files: Sequence[Path]) -> str:
    """Return the SHA-256 of the contents of ``files`` in order.

    Raises:
        DataError: a file cannot be read.
    """
    digest = hashlib.sha256()
    for path in files:
        try:
            with path.open("rb") as stream:
                while block := stream.read(1 << 20):
                    digest.update(block)
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror}; check the path and its permissions") from error
    return digest.hexdigest()


def refuse_other_data(teacher: Path, learned: str, data: str) -> None:
    """Refuse a teacher that may have learned labels of dev or test.

    Args:
        teacher: its folder.
        learned: fingerprint of the corpus that it learned.
        data: fingerprint of the corpus that it is to teach.

    Raises:
        ConfigError: they differ.
    """
    if learned != data:
        raise ConfigError(
            f"{teacher} learned other data, or data split by another seed: it may know labels of dev and test; "
            "give all runs the same data and training.seed"
        )
