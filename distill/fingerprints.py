"""Fingerprints of what is learned from: by them a teacher that learned other data is refused."""

from __future__ import annotations

from pathlib import Path

from runtime.errors import ConfigError


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
