"""What a bundle knows of its development set, and which threshold a promise leads to."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runtime.bundles.bundle import Bundle
from runtime.bundles.reference import Promise, Reference, fewest_texts, read_reference
from runtime.errors import BundleError, ConfigError
from tests.runtime.small_bundles import LABELS, edit_manifest, write_bundle

REFERENCE = Reference(
    texts=400,
    promises=(Promise(0.01, None, 0.0), Promise(0.02, 0.9, 0.5), Promise(0.05, 0.6, 0.75), Promise(0.1, 0.2, 1.0)),
    labels=(0.5, 0.25, 0.125, 0.125),
    edges=(0.4, 0.8),
    scores=(0.25, 0.25, 0.5),
)


def test_writing_and_reading_gives_an_equal_reference() -> None:
    assert Reference.from_bytes(REFERENCE.to_bytes(), "reference.json") == REFERENCE


def test_a_reference_within_another_file_is_read_alike() -> None:
    assert Reference.from_json(json.loads(REFERENCE.to_bytes()), "cascade.json") == REFERENCE


def test_a_key_of_an_older_bundle_is_passed_over() -> None:
    """The first bundles tell their share of unknown characters, which nothing ever asked for."""
    stored = json.loads(REFERENCE.to_bytes()) | {"unknown": 0.01}
    assert Reference.from_bytes(json.dumps(stored).encode(), "reference.json") == REFERENCE


@pytest.mark.parametrize(("max_error", "threshold"), [(0.02, 0.9), (0.049, 0.9), (0.05, 0.6), (0.3, 0.2)])
def test_the_largest_promise_that_is_not_above_decides(max_error: float, threshold: float) -> None:
    assert REFERENCE.threshold(max_error, "bundle") == threshold


@pytest.mark.parametrize(("max_error", "needed"), [(0.02, 149), (0.05, 59), (0.06, 59), (0.1, 29)])
def test_what_cannot_be_promised_is_one_line_that_says_what_can(max_error: float, needed: int) -> None:
    promises = tuple(Promise(rate, None, 0.0) for rate in (0.02, 0.05, 0.1))
    few = replace(REFERENCE, promises=(*promises, Promise(0.15, 0.4, 0.5), Promise(0.2, 0.2, 1.0)))
    with pytest.raises(ConfigError) as caught:
        few.threshold(max_error, "plant.gmb")
    assert str(caught.value) == (
        f"plant.gmb: an error of {max_error:g} cannot be promised from 400 development texts, the smallest possible "
        "is 0.15, then 0.2; ask for another, or train with more development texts (--set data.dev_share=0.2): "
        f"it takes at least {needed} that are accepted, without a mistake among them"
    )


def test_a_promise_that_cannot_be_made_names_the_texts_that_could_be_accepted() -> None:
    """The device refuses the others whatever their score, so no promise rests on them."""
    base = "the 380 of 400 development texts with enough known characters"
    with pytest.raises(ConfigError, match=f"cannot be promised from {base}, the smallest possible is"):
        replace(REFERENCE, known=380).threshold(0.01, "bundle")
    assert replace(REFERENCE, known=400).base == REFERENCE.base == "400 development texts"


def test_a_bundle_of_an_older_release_does_not_tell_how_many_could_be_accepted() -> None:
    stored = json.loads(replace(REFERENCE, known=380).to_bytes())
    del stored["known"]
    assert Reference.from_bytes(json.dumps(stored).encode(), "reference.json") == REFERENCE


def test_more_texts_are_not_advised_for_what_no_export_promises() -> None:
    with pytest.raises(
        ConfigError, match=r"0\.001 cannot be promised from .*is 0\.02, then 0\.05, 0\.1; ask for another$"
    ):
        REFERENCE.threshold(0.001, "plant.gmb")


@pytest.mark.parametrize(("max_error", "texts"), [(0.1, 29), (0.05, 59), (0.01, 299), (0.001, 2995)])
def test_the_fewest_texts_are_those_that_chance_gets_right_once_in_twenty_times(max_error: float, texts: int) -> None:
    assert fewest_texts(max_error) == texts
    assert (1 - max_error) ** texts <= 0.05 < (1 - max_error) ** (texts - 1)


def test_a_development_set_too_small_for_anything_says_so() -> None:
    with pytest.raises(ConfigError, match="from 400 development texts, none is possible"):
        replace(REFERENCE, promises=REFERENCE.promises[:1]).threshold(0.5, "bundle")


@pytest.mark.parametrize("max_error", [0.0, 1.0, -0.1, float("nan"), True, "0.01"])
def test_what_is_no_share_is_refused(max_error: Any) -> None:  # noqa: ANN401
    with pytest.raises(ConfigError, match="must be a number between 0 and 1"):
        REFERENCE.threshold(max_error, "bundle")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("texts", 0),
        ("texts", 3.5),
        ("known", -1),
        ("known", 401),
        ("known", True),
        ("promises", [{"max_error": 0.01}]),
        ("promises", [{"max_error": 2, "threshold": 0.5, "coverage": 0.5}]),
        ("promises", [{"max_error": 0.1, "threshold": "0.5", "coverage": 0.5}]),
        ("promises", [{"max_error": 0.1, "threshold": 0.5, "coverage": 7}]),
        ("promises", [{"max_error": rate, "threshold": 0.5, "coverage": 0.5} for rate in (0.2, 0.1)]),
        ("labels", [0.5, -0.5]),
        ("labels", [10**400]),
        ("labels", None),
        ("edges", [0.8, 0.4]),
        ("edges", [0.4]),
        ("scores", [float("nan"), 0.5, 0.5]),
    ],
)
def test_values_that_cannot_be_are_refused(key: str, value: Any) -> None:  # noqa: ANN401
    stored = json.loads(REFERENCE.to_bytes()) | {key: value}
    with pytest.raises(BundleError, match=r"^reference\.json: not what gm-export writes"):
        Reference.from_bytes(json.dumps(stored).encode(), "reference.json")


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b"[" * 100_000])
def test_what_is_no_json_object_is_refused(content: bytes) -> None:
    with pytest.raises(BundleError, match="export the bundle again"):
        Reference.from_bytes(content, "reference.json")


def test_a_bundle_may_have_none(tmp_path: Path) -> None:
    assert read_reference(Bundle.open(write_bundle(tmp_path / "bundle", reference=None))) is None


def test_it_must_fit_the_manifest(bundle: Path) -> None:
    (bundle / "reference.json").write_bytes(REFERENCE.to_bytes())
    edit_manifest(bundle)
    assert read_reference(Bundle.open(bundle)) == REFERENCE
    (bundle / "reference.json").write_bytes(replace(REFERENCE, labels=(0.5, 0.5)).to_bytes())
    edit_manifest(bundle)
    with pytest.raises(BundleError, match=f"has 2 labels, the manifest {len(LABELS)}"):
        read_reference(Bundle.open(bundle))
