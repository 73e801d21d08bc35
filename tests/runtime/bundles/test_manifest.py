"""A manifest is taken as it should be or not at all."""

import json
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from runtime.bundles.manifest import FileEntry, Manifest, Thresholds, TokenizerEntry, is_number
from runtime.errors import BundleError, VersionError

MANIFEST = Manifest(
    name="plant",
    created="2026-01-01T00:00:00Z",
    labels=("acid", "碱"),
    tokenizer=TokenizerEntry("chars", "tokenizer.json"),
    max_len=64,
    temperature=1.5,
    thresholds=Thresholds(0.5, {"碱": 0.9}),
    max_unknown=0.25,
    backends={"onnx": "model.onnx", "openvino": "openvino/model.xml"},
    files={name: FileEntry("0" * 64, 1) for name in ("model.onnx", "openvino/model.xml", "tokenizer.json")},
    metrics={"macro_f1": 0.9},
    parity={"agreement": 0.996},
    toolchain={"onnx": "1.23.2"},
)


def _changed(key: str, value: object) -> bytes:
    """Return the manifest's JSON with one key, given by its path, replaced or, for ``...``, removed."""
    stored = json.loads(MANIFEST.to_json())
    *path, last = key.split("/")
    section = stored
    for part in path:
        section = section[part]
    section.pop(last, None)
    if value is not ...:
        section[last] = value
    return json.dumps(stored).encode()


def test_writing_and_reading_gives_an_equal_manifest() -> None:
    assert Manifest.from_json(MANIFEST.to_json(), "manifest.json") == MANIFEST


def test_the_text_column_of_training_is_a_key_where_it_is_known_only() -> None:
    """Bundles of older releases have no such key."""
    assert "text_column" not in json.loads(MANIFEST.to_json())
    known = replace(MANIFEST, text_column="品名,规格")
    assert json.loads(known.to_json())["text_column"] == "品名,规格"
    assert Manifest.from_json(known.to_json(), "manifest.json") == known


@pytest.mark.parametrize(("value", "found"), [(0, True), (0.5, True), (True, False), ("0.5", False), (None, False)])
def test_a_number_is_no_bool_and_no_text(value: object, found: bool) -> None:
    assert is_number(value) is found


def test_a_threshold_is_the_labels_own_or_the_default() -> None:
    assert (MANIFEST.thresholds.of("碱"), MANIFEST.thresholds.of("acid")) == (0.9, 0.5)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b"\xff\xfe", b"[" * 100_000, b'{"a": 1, "a": 2}'])
def test_what_is_no_json_object_is_refused(content: bytes) -> None:
    with pytest.raises(BundleError, match=r"^manifest\.json: "):
        Manifest.from_json(content, "manifest.json")


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("name", ..., "has no key name"),
        ("name", 3, "key name: must be a string"),
        ("name", "\ud800", "key name: 'utf-8' codec"),
        ("labels", [], "key labels: must be a list"),
        ("labels", ["acid", "acid"], "must be distinct"),
        ("labels", ["acid", ""], "not empty"),
        ("labels", ["acid", 1], "key labels: must be a string"),
        ("labels", "acid", "must be a list"),
        ("max_len", 1, "whole number from 2 to 65536"),
        ("max_len", 64.0, "whole number"),
        ("max_len", True, "whole number"),
        ("temperature", 0, "number from 0.001 to 1000"),
        ("temperature", 10**400, "number from 0.001 to 1000"),
        ("temperature", "1", "number from"),
        ("max_unknown", 1.1, "number from 0 to 1"),
        ("max_unknown", None, "number from 0 to 1"),
        ("thresholds/default", -0.1, "key thresholds.default"),
        ("thresholds/per_label", {"base": 0.5}, "'base' is none of the labels"),
        ("thresholds/extra", 1, "unknown key thresholds.extra"),
        ("tokenizer", "chars", "key tokenizer: must be an object"),
        ("tokenizer/file", "other.json", "'other.json' is missing"),
        ("backends", {}, "must name one or more of onnx"),
        ("backends", {"tensorrt": "model.onnx"}, "must name one or more of onnx"),
        ("backends/onnx", "other.onnx", "'other.onnx' is missing"),
        ("files/model.onnx/sha256", "ABC", "key files.model.onnx.sha256: must be 64"),
        ("files/model.onnx/size", -1, "key files.model.onnx.size"),
        ("files/model.onnx/mode", 0, "unknown key files.model.onnx.mode"),
        ("toolchain", {"onnx": 1}, "key toolchain"),
        ("metrics", [], "key metrics"),
        ("text_column", "", "key text_column: must not be empty"),
        ("text_column", ["品名", "规格"], "key text_column: must be a string"),
        ("colour", "red", "unknown key colour"),
        ("format_version", 0, "key format_version"),
        ("format_version", "1", "key format_version"),
    ],
)
def test_each_wrong_value_is_refused_and_the_message_names_the_key(key: str, value: Any, says: str) -> None:  # noqa: ANN401
    with pytest.raises(BundleError, match=says) as caught:
        Manifest.from_json(_changed(key, value), "manifest.json")
    assert "\n" not in str(caught.value)


OUTSIDE = ["../x", "/etc/x", "a/../x", "a//x", "./x", "a\\x", "C:x", "", "a/", "a\0", "a\n", ".", "..", "CON:", "x?"]
AMBIGUOUS = [".hidden", "-x", "a.", "a b", "模型", "e\u0301"]


@pytest.mark.parametrize("name", OUTSIDE + AMBIGUOUS)
def test_a_path_out_of_the_bundle_is_refused(name: str) -> None:
    stored = json.loads(MANIFEST.to_json())
    stored["files"][name] = {"sha256": "0" * 64, "size": 0}
    with pytest.raises(BundleError, match="not a plain path within the bundle"):
        Manifest.from_json(json.dumps(stored), "manifest.json")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_not_finite_are_refused_wherever_they_stand(number: str) -> None:
    content = MANIFEST.to_json().replace("0.996", number)
    with pytest.raises(BundleError, match="not valid JSON"):
        Manifest.from_json(content, "manifest.json")


@pytest.mark.parametrize(("key", "value"), [("format_version", 2), ("task", "multi_label")])
def test_a_newer_bundle_says_so_before_anything_else_is_checked(key: str, value: object) -> None:
    stored = deepcopy(json.loads(_changed(key, value)))
    del stored["labels"]
    with pytest.raises(VersionError, match="upgrade"):
        Manifest.from_json(json.dumps(stored), "manifest.json")
