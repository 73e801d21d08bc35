"""Bundles with bytes changed at random; ``benchmarks/fuzz.py`` does the same for longer, guided by coverage."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime import BundleError
from runtime.bundles.bundle import Bundle
from runtime.bundles.manifest import MANIFEST, Manifest
from tests.runtime.signing import PUBLIC, in_form, sign
from tests.runtime.small_bundles import write_bundle


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A signed bundle file to mutate."""
    return in_form("gmb", sign(write_bundle(tmp_path_factory.mktemp("fuzz") / "bundle")))


EDITS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 3), st.binary(min_size=1, max_size=8)), max_size=4)


def _mutated(content: bytes, edits: list[tuple[float, int, bytes]]) -> bytes:
    """Overwrite, insert, cut out and cut off, at places given as shares of the length."""
    for share, kind, piece in edits:
        at = int(share * len(content))
        head, tail = content[:at], content[at:]
        content = (head + piece + tail[len(piece) :], head + piece + tail, head + tail[len(piece) :], head)[kind]
    return content


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=EDITS, tail=st.booleans())
def test_a_mutated_bundle_file_is_refused_or_is_the_same_bundle(
    target: Path, edits: list[tuple[float, int, bytes]], tail: bool
) -> None:
    content = target.read_bytes()
    original = Bundle.open(target, PUBLIC)
    # Half of the time only the directory is touched: that is where archives lie.
    start = content.index(b"PK\x01\x02") if tail else 0
    attack = target.with_name("attack.gmb")
    attack.write_bytes(content[:start] + _mutated(content[start:], edits))
    try:
        opened = Bundle.open(attack, PUBLIC)
    except BundleError:
        return
    assert opened.manifest_bytes == original.manifest_bytes
    assert all(opened.read(name) == original.read(name) for name in original.manifest.files)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=EDITS)
def test_a_mutated_manifest_is_refused_or_valid(target: Path, edits: list[tuple[float, int, bytes]]) -> None:
    content = _mutated(Bundle.open(target).manifest_bytes, edits)
    try:
        manifest = Manifest.from_json(content, MANIFEST)
    except BundleError:
        return
    assert Manifest.from_json(manifest.to_json(), MANIFEST) == manifest
    assert np.isfinite(manifest.temperature)
