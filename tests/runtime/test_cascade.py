"""A head that answers what it is sure of, and the model that answers the rest."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from runtime import BundleError, Classifier, ConfigError, IntegrityError, Reason, VersionError
from runtime.bundles.bundle import Bundle
from runtime.cascade import CASCADE, TABLE, CascadeEntry, Head, read_cascade, table_rows
from runtime.confidence import softmax
from runtime.errors import BackendError
from tests.runtime.small_bundles import LABELS, MAX_LEN, SEEN, TEXTS, Model, add_cascade, edit_manifest, tokenizer

ENTRY = CascadeEntry(buckets=16, threshold=0.5, temperature=2.0, accepted_from=0.6, reference=SEEN)
# Many texts, so that the head is sure of some of them and not of others.
MANY = [f"{first} {second}"[:MAX_LEN] for first in TEXTS for second in TEXTS]
LONG = TEXTS[0] * 3


def test_the_rows_of_a_text_are_pinned() -> None:
    """Bundles on devices hold tables of these rows: they must never change."""
    assert table_rows([7], 16) == [7, 7 * 40503 % 16] == [7, 1]
    bigrams = [2 * 40503 % 65536 + 3, (3 * 40503 + 2) % 65536, 2 * 40503 % 65536]
    assert table_rows([2, 3, 2], 1 << 16) == [2, 3, 2, *bigrams] == [2, 3, 2, 15473, 55975, 15470]
    assert table_rows([65535, 65535], 1 << 15) == [32767, 32767, 25032, 25033]


def test_rows_are_those_of_unsigned_32_bit_arithmetic() -> None:
    ids = np.random.default_rng(0).integers(1, 1 << 16, 500).astype(np.uint32)
    hashed = (ids * np.uint32(40503) + np.append(ids[1:], np.uint32(0))) & np.uint32(1023)
    assert table_rows(ids.tolist(), 1024) == [*(ids & np.uint32(1023)).tolist(), *hashed.tolist()]


@pytest.mark.parametrize("length", [1, 2, 20, 3000])
def test_the_logits_are_the_mean_of_the_rows(length: int) -> None:
    random = np.random.default_rng(length)
    table = random.normal(size=(64, 7)).astype(np.float32)
    ids = random.integers(0, 50, length).astype(np.int32)
    found = Head(table).logits(ids)
    assert found.dtype == np.float32
    assert found == pytest.approx(table[table_rows(ids.tolist(), 64)].astype(np.float64).mean(0), abs=1e-5)


def test_the_head_answers_what_it_is_sure_of_and_the_model_the_rest(bundle: Path) -> None:
    head = Head(add_cascade(bundle))
    encode, network = tokenizer().encode, Model(tokenizer().size)
    with Classifier(bundle) as classifier:
        found = [classifier.classify(text) for text in MANY]
    assert {prediction.by_head for prediction in found} == {True, False}
    for text, prediction in zip(MANY, found, strict=True):
        logits = head.logits(encode(text).ids)
        sure = softmax(logits).max() >= 0.5
        expected = logits if sure else network.logits(encode(text).ids)
        assert prediction.by_head == sure
        assert prediction.logits == pytest.approx(expected, abs=1e-4)
        assert prediction.label == LABELS[expected.argmax()]
        assert prediction.score == pytest.approx(softmax(expected, 1.0 if sure else 2.0).max(), abs=1e-4)
        ((label, score),) = prediction.top(1)
        assert label == prediction.label
        assert score == pytest.approx(prediction.score)
        assert prediction.accepted == (prediction.score >= 0.6)
        assert not prediction.logits.flags.writeable


def test_one_text_many_and_a_stream_get_the_same_answers(bundle: Path) -> None:
    add_cascade(bundle)
    texts = [*MANY, "", LONG, "ЖЖЖЖЖЖ"]
    with Classifier(bundle) as classifier:
        one = [classifier.classify(text) for text in texts]
        for found in (classifier.classify_many(texts), list(classifier.classify_stream(texts, chunk=7))):
            assert [p.label for p in found] == [p.label for p in one]
            assert [p.by_head for p in found] == [p.by_head for p in one]
            assert [p.reason for p in found] == [p.reason for p in one]
            assert [p.score for p in found] == pytest.approx([p.score for p in one], abs=1e-6)


def test_texts_that_are_cut_foreign_or_empty_are_not_the_heads(bundle: Path) -> None:
    add_cascade(bundle, threshold=0.0)
    with Classifier(bundle) as classifier:
        found = classifier.classify_many([TEXTS[0], LONG, "ЖЖЖЖЖЖ", " "])
    assert [prediction.by_head for prediction in found] == [True, False, False, False]
    assert [prediction.reason for prediction in found[2:]] == [Reason.UNKNOWN_TEXT, Reason.EMPTY]


def test_switched_off_the_bundle_answers_as_if_it_had_none(bundle: Path) -> None:
    with Classifier(bundle) as classifier:
        before = classifier.classify_many(MANY)
    add_cascade(bundle, threshold=0.0)
    with Classifier(bundle, cascade=False) as classifier:
        assert classifier.classify_many(MANY) == before
        copy = pickle.loads(pickle.dumps(classifier))
        assert copy.classify_many(MANY) == before
        assert copy.stats().by_head == 0


def test_promises_and_drift_are_those_of_head_and_model_together(bundle: Path) -> None:
    stored = json.loads(SEEN.to_bytes())
    stored["promises"] = [{"max_error": 0.1, "threshold": 0.99, "coverage": 0.1}]
    add_cascade(bundle, threshold=0.0, reference=stored)
    with Classifier(bundle, max_error=0.1) as classifier:
        assert {p.accepted for p in classifier.classify_many(MANY) if p.score < 0.99} == {False}
    with pytest.raises(ConfigError, match=r"smallest possible is 0\.1;"):
        Classifier(bundle, max_error=0.05)
    with Classifier(bundle, max_error=0.05, cascade=False) as classifier:
        assert classifier.classify(MANY[0]).label


def test_a_labels_own_threshold_goes_before_that_of_the_cascade(bundle: Path) -> None:
    add_cascade(bundle, threshold=0.0, accepted_from=0.0)
    strict = Classifier(bundle).classify(MANY[0]).label
    edit_manifest(bundle, thresholds={"default": 0.9, "per_label": {strict: 1.0}})
    with Classifier(bundle) as classifier:
        found = classifier.classify_many(MANY)
    assert {prediction.label for prediction in found if not prediction.accepted} == {strict}


def test_the_answers_of_the_head_are_counted(bundle: Path) -> None:
    add_cascade(bundle)
    with Classifier(bundle) as classifier:
        expected = sum(prediction.by_head for prediction in classifier.classify_many(MANY))
        expected += classifier.classify(MANY[0]).by_head
        stats = classifier.stats()
    assert stats.by_head == stats.to_dict()["by_head"] == expected > 0
    assert f"gm_texts_by_head_total {expected}\n" in stats.to_prometheus()


def test_a_head_that_answers_everything_does_not_hide_a_broken_model(bundle: Path) -> None:
    add_cascade(bundle, threshold=0.0)
    (bundle / "model.onnx").write_bytes(Model(tokenizer().size, seed=5).onnx().SerializeToString())
    edit_manifest(bundle)
    with Classifier(bundle) as classifier:
        assert classifier.classify(TEXTS[0]).by_head
        assert not classifier.selftest().ok
        assert classifier.stats().by_head == 1
    with pytest.raises(BackendError, match="self-test failed"):
        Classifier(bundle, selftest="load")


def test_a_bundle_may_have_none(bundle: Path) -> None:
    assert read_cascade(Bundle.open(bundle)) is None


def test_writing_and_reading_gives_an_equal_entry() -> None:
    assert CascadeEntry.from_bytes(ENTRY.to_bytes(), CASCADE) == ENTRY


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("buckets", 0),
        ("buckets", 24),
        ("buckets", 1 << 21),
        ("buckets", 16.0),
        ("buckets", True),
        ("threshold", 1.5),
        ("threshold", "0.5"),
        ("threshold", None),
        ("temperature", 0),
        ("temperature", 1e999),
        ("accepted_from", -0.1),
        ("accepted_from", True),
        ("reference", []),
        ("reference", {}),
    ],
)
def test_values_that_cannot_be_are_refused(key: str, value: object) -> None:
    content = json.dumps(json.loads(ENTRY.to_bytes()) | {key: value}).encode()
    with pytest.raises(BundleError, match=rf"^{CASCADE}: not what gm-export writes .*; export the bundle again$"):
        CascadeEntry.from_bytes(content, CASCADE)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"kind": "characters_and_bigrams"}'])
def test_what_is_no_cascade_is_refused(content: bytes) -> None:
    with pytest.raises(BundleError, match="export the bundle again"):
        CascadeEntry.from_bytes(content, CASCADE)


def test_a_head_of_a_newer_kind_is_refused_unless_switched_off(bundle: Path) -> None:
    add_cascade(bundle, kind="trigrams")
    with pytest.raises(VersionError, match="'trigrams' is not known here"):
        Classifier(bundle)
    assert Classifier(bundle, cascade=False).classify(TEXTS[0]).label in LABELS


@pytest.mark.parametrize("rows", [-1, 1, 16])
def test_a_table_of_another_size_is_refused(bundle: Path, rows: int) -> None:
    add_cascade(bundle, np.zeros((16 + rows, len(LABELS)), np.float32))
    with pytest.raises(BundleError, match=rf"{TABLE}: has \d+ bytes instead of \d+ for 16 rows"):
        Classifier(bundle)


@pytest.mark.parametrize("buckets", [8, 32, 1 << 16])
def test_a_number_of_buckets_that_is_not_the_tables_is_refused(bundle: Path, buckets: int) -> None:
    add_cascade(bundle, buckets=buckets)
    with pytest.raises(BundleError, match=f"{TABLE}: has .* bytes instead of"):
        Classifier(bundle)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_no_finite_number_is_refused(bundle: Path, value: float) -> None:
    table = np.zeros((16, len(LABELS)), np.float32)
    table[-1, 2] = value
    add_cascade(bundle, table)
    with pytest.raises(BundleError, match=f"{TABLE}: has a value that is not a finite number"):
        Classifier(bundle)


def test_a_cascade_of_other_labels_is_refused(bundle: Path) -> None:
    stored = json.loads(SEEN.to_bytes()) | {"labels": [0.5, 0.5]}
    add_cascade(bundle, reference=stored)
    with pytest.raises(BundleError, match=f"{CASCADE}: has 2 labels, the manifest {len(LABELS)}"):
        Classifier(bundle)


def test_a_cascade_without_its_table_is_refused(bundle: Path) -> None:
    add_cascade(bundle)
    (bundle / TABLE).unlink()
    edit_manifest(bundle)
    with pytest.raises(BundleError, match=f"has no file {TABLE}"):
        Classifier(bundle)


@pytest.mark.parametrize("name", [TABLE, CASCADE])
def test_a_flipped_bit_is_found(bundle: Path, name: str) -> None:
    add_cascade(bundle)
    content = bytearray((bundle / name).read_bytes())
    content[len(content) // 2] ^= 1
    (bundle / name).write_bytes(content)
    with pytest.raises(IntegrityError, match=f"{name} has another SHA-256"):
        Classifier(bundle)
