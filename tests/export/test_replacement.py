"""What is lost where a bundle takes the place of another."""

from dataclasses import replace
from pathlib import Path

import pytest

from export.replacement import Origin, check_successor, lost_parts
from tests.runtime.small_bundles import LABELS, write_bundle


def _contents(bundle: Path) -> dict[str, bytes]:
    return {path.relative_to(bundle).as_posix(): path.read_bytes() for path in bundle.rglob("*") if path.is_file()}


ORIGIN = Origin(LABELS, "data", "recipe", "0.1.0")


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        (ORIGIN, ""),
        (replace(ORIGIN, labels=LABELS[:2]), "classes"),
        (replace(ORIGIN, data_fingerprint="more"), "data"),
        (replace(ORIGIN, recipe_sha256="more"), "settings in its recipe"),
        # What an old bundle does not tell, and what two releases hash differently, is no difference.
        (replace(ORIGIN, data_fingerprint="", recipe_sha256=""), ""),
        (replace(ORIGIN, recipe_sha256="more", release="0.2.0"), ""),
    ],
)
def test_runs_differ_in_what_both_bundles_tell(other: Origin, difference: str) -> None:
    assert other.difference(ORIGIN) == ORIGIN.difference(other) == difference


def test_where_no_bundle_is_any_may_come(tmp_path: Path) -> None:
    check_successor(tmp_path, tmp_path, ORIGIN, signed=False)


def test_a_bundle_with_all_that_was_there_loses_nothing(tmp_path: Path) -> None:
    old = write_bundle(tmp_path / "old")
    assert lost_parts(old, _contents(old)) == []


def test_what_the_new_one_lacks_is_named(tmp_path: Path) -> None:
    old = write_bundle(tmp_path / "old", openvino=True, fp32=b"the same, larger")
    for name in ("signature", "cascade.json"):
        (old / name).write_bytes(b"only its name is looked at")
    new = _contents(write_bundle(tmp_path / "new"))
    lost = ["a signature", "a cascade", "an OpenVINO model", "an fp32 model to fall back on"]
    assert lost_parts(old, new) == lost
    assert lost_parts(tmp_path / "new", _contents(old)) == []


@pytest.mark.parametrize("name", ["none", "."])
def test_where_no_bundle_is_nothing_is_replaced(tmp_path: Path, name: str) -> None:
    assert lost_parts(tmp_path / name, {}) is None
