"""What somebody might do to a bundle on its way to the device: all of it is refused before a model is parsed.

Damage that can happen by itself, and the rules one by one, are in test_bundle.py, test_manifest.py and
backends/test_screening.py; here whole bundles are attacked, and loaded as a host program loads them.
"""

import json
import shutil
import struct
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import onnxruntime
import pytest
from onnx import TensorProto, helper

from runtime import BundleError, Classifier, IntegrityError, SignatureError
from runtime.bundles.bundle import Bundle
from runtime.bundles.manifest import MANIFEST, SIGNATURE
from tests.runtime.signing import KEY, OTHER, PUBLIC, in_form, sign
from tests.runtime.small_bundles import TEXTS, Model, edit_manifest, tokenizer, write_bundle

FORMS = ("folder", "gmb")


@pytest.fixture
def signed(bundle: Path) -> Path:
    """A signed bundle folder of this test's own."""
    return sign(bundle)


def _refusal(
    bundle: Path,
    kind: type[BundleError] = BundleError,
    *,
    parsed: bool = False,
    **options: Any,  # noqa: ANN401
) -> str:
    """Load a bundle, check that it is refused in one line before a model is parsed, and return that line."""
    with pytest.MonkeyPatch.context() as patch:
        if not parsed:
            patch.setattr(onnxruntime, "InferenceSession", _reached)
        with pytest.raises(kind) as caught:
            Classifier(bundle, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert bundle.name in message
    return message


def _reached(*_arguments: object, **_options: object) -> None:
    pytest.fail("onnxruntime was given the model")


# Signatures


@pytest.mark.parametrize("form", FORMS)
def test_a_signed_bundle_serves(signed: Path, form: str) -> None:
    classifier = Classifier(in_form(form, signed), public_key=PUBLIC)
    assert classifier.classify_many(TEXTS) == Classifier(signed).classify_many(TEXTS)


@pytest.mark.parametrize("form", FORMS)
def test_an_unsigned_bundle_is_refused_when_a_key_is_given(bundle: Path, form: str) -> None:
    assert "is not signed" in _refusal(in_form(form, bundle), SignatureError, public_key=PUBLIC)


@pytest.mark.parametrize("form", FORMS)
def test_a_bundle_that_somebody_else_signed_is_refused(bundle: Path, form: str) -> None:
    path = in_form(form, sign(bundle, OTHER))
    assert "not one of this manifest" in _refusal(path, SignatureError, public_key=PUBLIC)


def test_the_signature_of_another_bundle_is_refused(signed: Path, tmp_path: Path) -> None:
    other = write_bundle(tmp_path / "other", seed=1)
    shutil.copy(signed / SIGNATURE, other / SIGNATURE)
    assert "not one of this manifest" in _refusal(other, SignatureError, public_key=PUBLIC)


def test_a_signature_made_for_something_else_is_refused(bundle: Path) -> None:
    (bundle / SIGNATURE).write_bytes(KEY.sign((bundle / MANIFEST).read_bytes()))
    assert "not one of this manifest" in _refusal(bundle, SignatureError, public_key=PUBLIC)


@pytest.mark.parametrize("content", [b"", b"\0" * 63, b"\0" * 64, b"\0" * 65, b"\xff" * 64])
def test_bytes_that_are_no_signature_are_refused(bundle: Path, content: bytes) -> None:
    (bundle / SIGNATURE).write_bytes(content)
    _refusal(bundle, SignatureError, public_key=PUBLIC)


@pytest.mark.parametrize("foreign", [True, False])
def test_nothing_is_parsed_before_the_signature_is_right(bundle: Path, foreign: bool) -> None:
    """Neither the manifest, which is no JSON, nor the other files, which are gone."""
    for path in bundle.iterdir():
        path.unlink()
    (bundle / MANIFEST).write_bytes(b"[" * 100_000)
    if foreign:
        sign(bundle, OTHER)
    _refusal(bundle, SignatureError, public_key=PUBLIC)


def test_a_signature_does_not_make_a_bad_manifest_good(signed: Path) -> None:
    (signed / MANIFEST).write_bytes(b'{"format_version": NaN}')
    assert "NaN is no JSON number" in _refusal(sign(signed), public_key=PUBLIC)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", [MANIFEST, SIGNATURE, "model.onnx", "tokenizer.json", "golden.jsonl"])
def test_a_flipped_byte_anywhere_in_a_signed_bundle_is_found(signed: Path, form: str, name: str) -> None:
    content = (signed / name).read_bytes()
    for at in (0, len(content) // 3, len(content) // 2, len(content) - 1):
        changed = bytearray(content)
        changed[at] ^= 0x20
        (signed / name).write_bytes(changed)
        _refusal(in_form(form, signed), public_key=PUBLIC)
    (signed / name).write_bytes(content)
    assert Bundle.open(in_form(form, signed), PUBLIC).manifest.name == "test"


# Files


@pytest.mark.parametrize("form", FORMS)
def test_swapped_files_are_found(bundle: Path, form: str) -> None:
    one, two = bundle / "tokenizer.json", bundle / "golden.jsonl"
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)
    _refusal(in_form(form, bundle), IntegrityError)


@pytest.mark.parametrize("form", FORMS)
def test_a_model_of_the_same_size_from_another_bundle_is_found(bundle: Path, tmp_path: Path, form: str) -> None:
    other = write_bundle(tmp_path / "other", seed=1)
    size = (bundle / "model.onnx").stat().st_size
    shutil.copy(other / "model.onnx", bundle / "model.onnx")
    assert (bundle / "model.onnx").stat().st_size == size
    assert "model.onnx has another SHA-256" in _refusal(in_form(form, bundle), IntegrityError)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "golden.jsonl"])
def test_an_oversized_file_is_found(bundle: Path, form: str, name: str) -> None:
    with (bundle / name).open("ab") as stream:
        stream.write(b"\n")
    assert f"{name} has " in _refusal(in_form(form, bundle), IntegrityError)


def test_a_file_system_s_hole_of_a_terabyte_is_not_read(bundle: Path) -> None:
    with (bundle / "model.onnx").open("r+b") as stream:
        stream.truncate(1 << 40)
    assert "has 1099511627776 bytes instead of" in _refusal(bundle, IntegrityError)


def test_a_bundle_file_cut_short_anywhere_is_refused(signed: Path) -> None:
    path = in_form("gmb", signed)
    content = path.read_bytes()
    for length in range(0, len(content), 211):
        path.write_bytes(content[:length])
        _refusal(path)


# Archives


@pytest.mark.parametrize("name", ["../evil.py", "/tmp/evil.py", "..\\evil.py", "C:\\evil.py", "a/../../evil.py"])
@pytest.mark.parametrize("listed", [True, False])
def test_a_name_that_leads_out_is_refused_listed_or_not(bundle: Path, name: str, listed: bool) -> None:
    if listed:
        stored = json.loads((bundle / MANIFEST).read_bytes())
        files = stored["files"] | {name: stored["files"]["model.onnx"]}
        edit_manifest(bundle, files=files)
    path = in_form("gmb", bundle)
    with ZipFile(path, "a") as archive:
        archive.writestr(ZipInfo(name), (bundle / "model.onnx").read_bytes())
    assert ("plain path" if listed else "not listed") in _refusal(path)
    assert not list(bundle.parent.glob("evil*"))


def test_a_bomb_of_zeros_is_refused_without_inflating_it(bundle: Path) -> None:
    path = bundle.with_suffix(".gmb")
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        archive.write(bundle / MANIFEST, MANIFEST)
        with archive.open("model.onnx", "w") as stream:
            for _ in range(200):
                stream.write(bytes(1 << 20))
    assert path.stat().st_size < 1 << 20
    assert "is compressed" in _refusal(path)


def _forge(path: Path, name: bytes, field: int, value: int) -> None:
    """Write ``value`` into a 32-bit field of the central directory's entry for ``name``."""
    content = bytearray(path.read_bytes())
    entry = content.rindex(name) - 46
    assert content[entry : entry + 4] == b"PK\x01\x02"
    struct.pack_into("<L", content, entry + field, value)
    path.write_bytes(content)


def test_an_archive_that_claims_to_hold_more_than_it_is_long_is_refused(bundle: Path) -> None:
    path = in_form("gmb", bundle)
    _forge(path, b"golden.jsonl", 20, 1 << 30)
    _forge(path, b"golden.jsonl", 24, 1 << 30)
    assert "larger than itself" in _refusal(path)


@pytest.mark.parametrize("field", [16, 20, 24, 38, 42])
def test_a_directory_that_lies_about_the_model_is_refused(bundle: Path, field: int) -> None:
    """CRC, compressed size, size, kind of file, place."""
    path = in_form("gmb", bundle)
    _forge(path, b"model.onnx", field, 0o120777 << 16 if field == 38 else 1)
    _refusal(path)


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")  # zipfile warns about what we do on purpose
def test_a_second_manifest_is_refused(signed: Path) -> None:
    path = in_form("gmb", signed)
    with ZipFile(path, "a") as archive:
        archive.writestr(MANIFEST, b"{}")
    assert "two entries of one name" in _refusal(path, public_key=PUBLIC)


def test_names_that_differ_in_case_alone_are_refused(bundle: Path) -> None:
    stored = json.loads((bundle / MANIFEST).read_bytes())
    edit_manifest(bundle, files=stored["files"] | {"MODEL.onnx": stored["files"]["model.onnx"]})
    path = in_form("gmb", bundle)
    with ZipFile(path, "a") as archive:
        archive.write(bundle / "model.onnx", "MODEL.onnx")
    assert "differ in case alone" in _refusal(path)


# Manifests


def _nested(depth: int) -> Any:  # noqa: ANN401
    value: Any = 1.0
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"labels": [str(number) for number in range(65_537)]}, "has 65537 class names"),
        ({"max_len": 10**12}, "key max_len"),
        ({"max_len": 1 << 17}, "key max_len"),
        ({"temperature": 1e-320}, "key temperature"),
        ({"format_version": 10**30}, "key format_version"),
        ({"metrics": {"a": float("inf")}}, "Infinity is no JSON number"),
        ({"backends": {"onnx": "signature"}}, "'signature' is missing"),
        ({"tokenizer": {"kind": "chars", "file": MANIFEST}}, "is missing"),
        ({"backends": {"onnx": ["model.onnx"]}}, "key backends"),
    ],
)
def test_a_manifest_of_monstrous_values_is_refused(bundle: Path, keys: dict[str, object], says: str) -> None:
    edit_manifest(bundle, **keys)
    assert says in _refusal(bundle)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (b'"max_len": 24', b'"max_len": ' + b"9" * 5000, "not valid JSON"),
        (b'"metrics": {', b'"metrics": {"a": ' + b"[" * 50_000 + b"]" * 50_000 + b", ", "not valid JSON"),
        (b'"metrics": {', b'"metrics": {"accuracy": 1, ', "stands twice"),
        (b'"files": {', b'"files": {"model.onnx": {}, ', "stands twice"),
        (b'"name": "test"', b'"name": "\\ud800"', "key name"),
        (b'"name": "test"', b'"name": "\xff"', "not valid JSON"),
        (b'"name": "test"', b'"name": "test" // comment', "not valid JSON"),
        (b"{", b"\xef\xbb\xbf{", "not valid JSON"),
    ],
)
def test_json_that_parsers_read_differently_is_refused(bundle: Path, old: bytes, new: bytes, says: str) -> None:
    content = (bundle / MANIFEST).read_bytes()
    (bundle / MANIFEST).write_bytes(content.replace(old, new, 1))
    assert says in _refusal(bundle)


def test_a_million_labels_are_refused_unread(bundle: Path) -> None:
    edit_manifest(bundle, labels=[str(number) for number in range(10**6)])
    assert "more than the 4194304 allowed" in _refusal(bundle)


# What the manifest vouches for


def _replace(bundle: Path, name: str, content: bytes) -> Path:
    """Put a file into a bundle as an attacker does who can write the manifest too."""
    (bundle / name).write_bytes(content)
    edit_manifest(bundle)
    return bundle


@pytest.mark.parametrize(
    "change",
    [
        {"characters": 3},
        {"characters": None},
        {"characters": ["a", "b"]},
        {"characters": {"a": 1}},
        {"characters": "aa"},
        {"characters": "\U0001f600"},
        {"max_len": "24"},
        {"max_len": 24.0},
        {"max_len": True},
        {"max_len": -1},
        {"max_len": 25},
        {"kind": 1},
        {"kind": "words"},
    ],
)
def test_a_tokeniser_of_wrong_types_is_refused(bundle: Path, change: dict[str, object]) -> None:
    stored = json.loads((bundle / "tokenizer.json").read_bytes())
    assert "tokenizer.json" in _refusal(_replace(bundle, "tokenizer.json", json.dumps(stored | change).encode()))


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"kind": "chars"}'])
def test_a_tokeniser_that_is_none_is_refused(bundle: Path, content: bytes) -> None:
    _refusal(_replace(bundle, "tokenizer.json", content))


def _with_weights_outside() -> bytes:
    model = Model(tokenizer().size).onnx()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    content: bytes = model.SerializeToString()
    return content


def _with_a_foreign_operator() -> bytes:
    model = Model(tokenizer().size).onnx()
    model.graph.node[-1].domain = "evil"
    model.opset_import.append(helper.make_opsetid("evil", 1))
    content: bytes = model.SerializeToString()
    return content


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("model", "says"),
    [
        (_with_weights_outside(), "keeps weights in another file"),
        (_with_a_foreign_operator(), "foreign domain b'evil'"),
        (b"\x80\x04\x95 a pickle", "is no ONNX model"),
        (b"PK\x03\x04", "is no ONNX model"),
    ],
)
def test_a_model_that_reaches_outside_is_refused(bundle: Path, form: str, model: bytes, says: str) -> None:
    assert says in _refusal(in_form(form, _replace(bundle, "model.onnx", model)))


def test_an_onnx_model_in_the_place_of_openvinos_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("openvino", reason="the openvino extra is not installed")
    bundle = write_bundle(tmp_path / "bundle", openvino=True)
    _replace(bundle, "openvino/model.xml", _with_weights_outside())
    assert "is not XML" in _refusal(bundle, backend="openvino")


@pytest.mark.parametrize("row", [{"text": ""}, {"text": 3}, {"logits": [1e999] * 4}, {"logits": "1234"}, {"label": []}])
def test_golden_texts_of_wrong_types_are_refused_by_a_selftest_at_load(bundle: Path, row: dict[str, object]) -> None:
    lines = (bundle / "golden.jsonl").read_text(encoding="utf-8").splitlines()
    lines[3] = json.dumps(json.loads(lines[3]) | row)
    _replace(bundle, "golden.jsonl", "\n".join(lines).encode())
    assert "golden.jsonl, line 4" in _refusal(bundle, parsed=True, selftest="load")


def test_what_serves_goes_on_after_every_attack(bundle: Path, tmp_path: Path) -> None:
    classifier = Classifier(sign(bundle), public_key=PUBLIC)
    before = classifier.classify_many(TEXTS)
    unsigned = write_bundle(tmp_path / "unsigned", seed=1)
    foreign = sign(write_bundle(tmp_path / "foreign", seed=2), OTHER)
    reaching = sign(_replace(write_bundle(tmp_path / "reaching"), "model.onnx", _with_weights_outside()))
    for attack in (unsigned, foreign, reaching):
        with pytest.raises(BundleError):
            classifier.reload(attack)
        assert classifier.classify_many(TEXTS) == before
    classifier.reload(sign(unsigned))
    assert classifier.classify_many(TEXTS) != before
