"""What stands for files: their contents, in order."""

from pathlib import Path

import pytest

from distill.runs.fingerprints import file_fingerprint
from runtime.errors import DataError


def test_the_fingerprint_is_of_the_contents(tmp_path: Path) -> None:
    one, other = tmp_path / "one.txt", tmp_path / "other.txt"
    one.write_bytes(b"a")
    other.write_bytes(b"b")
    prints = {file_fingerprint(files) for files in ([one], [other], [one, other], [other, one])}
    assert len(prints) == 4
    with pytest.raises(DataError, match=r"missing\.txt"):
        file_fingerprint([tmp_path / "missing.txt"])
