"""The classifier: what it answers, and that it goes on answering."""

import json
import pickle
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime import BackendError, BundleError, Classifier, ConfigError, IntegrityError, Prediction, Reason
from runtime.bundles.manifest import Thresholds
from runtime.bundles.reference import Promise, Reference
from tests.runtime.processes import run_python
from tests.runtime.small_bundles import BACKENDS, LABELS, MAX_LEN, SEEN, TEXTS, Model, pack, tokenizer, write_bundle

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=60)


def _same(ones: Sequence[Prediction], others: Sequence[Prediction]) -> bool:
    """Tell whether two lists of answers agree, but for the rounding of their logits."""
    return len(ones) == len(others) and all(
        (one.label, one.accepted, one.reason) == (other.label, other.accepted, other.reason)
        and np.allclose(one.logits, other.logits, rtol=1e-5, atol=1e-5)
        and abs(one.score - other.score) < 1e-5
        for one, other in zip(ones, others, strict=True)
    )


@pytest.fixture(scope="session", params=BACKENDS)
def each(request: pytest.FixtureRequest, shared_bundle: Path) -> Iterator[Classifier]:
    """A classifier on each engine."""
    with Classifier(shared_bundle, backend=request.param) as opened:
        yield opened


def test_the_answer_is_the_models(each: Classifier) -> None:
    encoding = tokenizer().encode(TEXTS[0])
    logits = Model(tokenizer().size).logits(encoding.ids)
    prediction = each.classify(TEXTS[0])
    np.testing.assert_allclose(prediction.logits, logits, rtol=1e-4, atol=1e-5)
    assert prediction.label == each.labels[int(logits.argmax())]
    assert prediction.score == pytest.approx(1 / np.exp(logits - logits.max()).sum(), rel=1e-4)
    assert prediction.top(4)[0] == (prediction.label, prediction.score)
    assert (prediction.accepted, prediction.reason) == (True, Reason.OK)


def test_logits_cannot_be_written_to(each: Classifier) -> None:
    for prediction in (each.classify("乙醇"), each.classify(""), *each.classify_many(["乙醇", "甲苯"])):
        assert not prediction.logits.flags.writeable


def test_many_texts_keep_their_order_whatever_their_lengths(each: Classifier) -> None:
    texts = [*TEXTS, "", *reversed(TEXTS), "乙", "  "] * 3
    assert _same(each.classify_many(texts), [each.classify(text) for text in texts])
    assert _same(each.classify_many(iter(texts)), each.classify_many(texts))
    assert each.classify_many([]) == []


def test_more_texts_than_are_encoded_at_a_time_keep_their_order(classifier: Classifier) -> None:
    texts = [TEXTS[number % len(TEXTS)] for number in range(5000)]
    expected = [prediction.label for prediction in classifier.classify_many(TEXTS)]
    labels = [prediction.label for prediction in classifier.classify_many(texts)]
    assert labels == [expected[number % len(TEXTS)] for number in range(5000)]


@given(texts=st.lists(ANY_TEXT, max_size=8))
def test_any_texts_get_the_same_answer_alone_in_company_and_again(classifier: Classifier, texts: list[str]) -> None:
    alone = [classifier.classify(text) for text in texts]
    together = classifier.classify_many(texts)
    streamed = list(classifier.classify_stream(iter(texts), chunk=3))
    assert alone == [classifier.classify(text) for text in texts]
    assert together == classifier.classify_many(texts)
    assert _same(alone, together)
    assert _same(alone, streamed)


@pytest.mark.parametrize(
    "text", ["\ud800", "\udfff\ud800", "\0" * 100, "\U0001f600" * 50, "a\u0301" * 1000, "钠" * 10**6]
)
def test_no_str_raises(each: Classifier, text: str) -> None:
    assert each.classify(text).reason in set(Reason)


def test_an_empty_text_is_not_given_to_the_model(classifier: Classifier) -> None:
    for text in ("", "  \t\u3000", "\u200b\x07"):
        prediction = classifier.classify(text)
        assert (prediction.label, prediction.score, prediction.accepted) == ("", 0.0, False)
        assert prediction.reason is Reason.EMPTY
        assert prediction.logits.shape == (0,)


LONG = TEXTS[0] * 2
UNSEEN = "ЖЖЖЖ"


@pytest.mark.parametrize(
    ("text", "threshold", "max_unknown", "reason", "accepted"),
    [
        (TEXTS[0], 0.0, 0.5, Reason.OK, True),
        (LONG, 0.0, 0.5, Reason.TRUNCATED, True),
        (LONG, 1.0, 0.5, Reason.LOW_CONFIDENCE, False),
        (UNSEEN, 0.0, 0.5, Reason.UNKNOWN_TEXT, False),
        (UNSEEN, 1.0, 0.5, Reason.UNKNOWN_TEXT, False),
        (UNSEEN, 0.0, 1.0, Reason.OK, True),
        (UNSEEN * MAX_LEN, 0.0, 0.5, Reason.UNKNOWN_TEXT, False),
    ],
)
def test_the_first_reason_that_holds_is_given(
    tmp_path: Path, text: str, threshold: float, max_unknown: float, reason: Reason, accepted: bool
) -> None:
    path = write_bundle(tmp_path / "bundle", thresholds=Thresholds(threshold), max_unknown=max_unknown)
    prediction = Classifier(path).classify(text)
    assert (prediction.reason, prediction.accepted) == (reason, accepted)
    assert prediction.label in LABELS


def test_a_label_may_have_a_threshold_of_its_own(tmp_path: Path, classifier: Classifier) -> None:
    label = classifier.classify(TEXTS[0]).label
    strict = Classifier(write_bundle(tmp_path / "bundle", thresholds=Thresholds(0.0, {label: 1.0})))
    by_label = {prediction.label: prediction.accepted for prediction in strict.classify_many(TEXTS)}
    assert by_label.pop(label) is False
    assert by_label
    assert all(by_label.values())


def test_a_promise_takes_the_place_of_the_thresholds(tmp_path: Path, classifier: Classifier) -> None:
    path = write_bundle(tmp_path / "bundle", thresholds=Thresholds(1.0))
    scores = [prediction.score for prediction in classifier.classify_many(TEXTS)]
    for max_error, threshold in ((0.06, 0.9), (0.3, 0.5)):
        predictions = Classifier(path, max_error=max_error).classify_many(TEXTS)
        assert [prediction.accepted for prediction in predictions] == [score >= threshold for score in scores]
        refused = {prediction.reason for prediction in predictions if not prediction.accepted}
        assert refused == {Reason.LOW_CONFIDENCE}


def test_a_classifier_says_which_bundle_serves(bundle: Path, tmp_path: Path) -> None:
    classifier = Classifier(bundle)
    first = classifier.bundle
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    assert (first.path, first.name, first.created) == (bundle, manifest["name"], manifest["created"])
    assert (classifier.stats().bundle, classifier.stats().sha256) == (first.name, first.sha256)
    classifier.reload(write_bundle(tmp_path / "new", seed=1))
    assert classifier.bundle.path == tmp_path / "new"
    assert classifier.stats().sha256 == classifier.bundle.sha256 != first.sha256


def test_a_bundle_that_took_the_place_of_another_is_refused_by_a_copy(bundle: Path, tmp_path: Path) -> None:
    classifier = Classifier(bundle)
    copy = pickle.dumps(classifier)
    write_bundle(tmp_path / "new", seed=1).rename(tmp_path / "other")
    bundle.rename(tmp_path / "old")
    (tmp_path / "other").rename(bundle)
    with pytest.raises(BundleError, match="is another bundle by now than the one this classifier was made with"):
        pickle.loads(copy)
    classifier._after_fork()
    with pytest.raises(BundleError, match="give a new bundle a path of its own, and reload it"):
        classifier.classify("乙醇")
    classifier.reload(bundle)
    assert classifier.classify("乙醇").accepted


def test_a_promise_is_kept_by_reload_pickle_and_fork(bundle: Path, tmp_path: Path) -> None:
    strict = write_bundle(tmp_path / "strict", reference=replace(SEEN, promises=(Promise(0.05, 1.0, 0.01),)))
    classifier = Classifier(bundle, max_error=0.05)
    before = [prediction.accepted for prediction in classifier.classify_many(TEXTS)]
    copy = pickle.loads(pickle.dumps(classifier))
    assert [prediction.accepted for prediction in copy.classify_many(TEXTS)] == before
    classifier._after_fork()
    assert [prediction.accepted for prediction in classifier.classify_many(TEXTS)] == before
    assert any(before)
    classifier.reload(strict)
    assert not any(prediction.accepted for prediction in classifier.classify_many(TEXTS))


@pytest.mark.parametrize(
    ("reference", "says"), [(SEEN, "the smallest possible is 0.05, then 0.2"), (None, "no promises")]
)
def test_a_promise_that_the_bundle_cannot_give_is_refused(
    tmp_path: Path, bundle: Path, reference: Reference | None, says: str
) -> None:
    poor = write_bundle(tmp_path / "poor", reference=reference)
    with pytest.raises(ConfigError, match=says):
        Classifier(poor, max_error=0.02)
    classifier = Classifier(bundle, max_error=0.05)
    poorer = write_bundle(tmp_path / "poorer", reference=replace(SEEN, promises=SEEN.promises[:1]))
    with pytest.raises(ConfigError, match="none is possible"):
        classifier.reload(poorer)
    assert classifier.classify(TEXTS[0]).label in LABELS


def test_temperature_changes_the_score_and_not_the_label(tmp_path: Path, classifier: Classifier) -> None:
    cool, warm = classifier, Classifier(write_bundle(tmp_path / "bundle", temperature=5.0))
    for text in TEXTS:
        assert warm.classify(text).label == cool.classify(text).label
        assert warm.classify(text).score < cool.classify(text).score


@pytest.mark.parametrize("value", [None, b"bytes", 3, float("nan"), ["list"]])
def test_what_is_no_str_is_a_type_error_with_its_index(classifier: Classifier, value: object) -> None:
    kind = type(value).__name__
    with pytest.raises(TypeError, match=f"text must be a str, not {kind}"):
        classifier.classify(value)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=rf"texts\[1\] must be a str, not {kind}"):
        classifier.classify_many(["a", value])  # type: ignore[list-item]
    with pytest.raises(TypeError, match=rf"texts\[3\] must be a str, not {kind}"):
        list(classifier.classify_stream(["a", "b", "c", value], chunk=2))  # type: ignore[list-item]


def test_one_bare_str_is_a_type_error(classifier: Classifier) -> None:
    with pytest.raises(TypeError, match="use classify for one text"):
        classifier.classify_many("乙醇")
    with pytest.raises(TypeError, match="use classify for one text"):
        classifier.classify_stream("乙醇")


def test_a_stream_takes_no_more_than_a_chunk_ahead(classifier: Classifier) -> None:
    taken = 0

    def endless() -> Iterator[str]:
        nonlocal taken
        while True:
            taken += 1
            yield "乙醇"

    stream = classifier.classify_stream(endless(), chunk=5)
    assert taken == 0
    assert [next(stream).label for _ in range(6)] == [classifier.classify("乙醇").label] * 6
    assert taken == 10
    with pytest.raises(ValueError, match="chunk must be at least 1"):
        classifier.classify_stream([], chunk=0)


def test_one_file_is_served_without_writing_to_disk(packed: Path, classifier: Classifier) -> None:
    code = f"""
import sys
def refuse(event, arguments):
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        raise SystemExit(f"opened for writing: {{arguments[0]}}")
from runtime import Classifier
import runtime.backends.onnx
sys.addaudithook(refuse)
print(Classifier({str(packed)!r}).classify({TEXTS[0]!r}).label)
"""
    assert run_python(code).stdout.strip() == classifier.classify(TEXTS[0]).label


def test_one_file_serves_openvino_too(packed: Path, shared_bundle: Path) -> None:
    folder = Classifier(shared_bundle, backend="openvino")
    assert Classifier(packed, backend="openvino").classify_many(TEXTS) == folder.classify_many(TEXTS)


def test_threads_share_one_classifier(each: Classifier) -> None:
    expected = each.classify_many(TEXTS)
    before = each.stats().texts

    def work(_: int) -> bool:
        return _same([each.classify(text) for text in TEXTS], expected)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(50)))
    assert each.stats().texts - before == 50 * len(TEXTS)


def test_stats_count_labels_and_reasons(bundle: Path) -> None:
    classifier = Classifier(bundle)
    assert classifier.stats().texts == 0
    label = classifier.classify("乙醇").label
    classifier.classify_many(["乙醇", "", UNSEEN])
    list(classifier.classify_stream([LONG]))
    stats = classifier.stats()
    assert stats.texts == sum(stats.labels.values()) == 5
    assert stats.labels[label] >= 2
    assert stats.reasons == {"ok": 2, "empty": 1, "unknown_text": 1, "truncated": 1}


def test_reload_serves_the_new_bundle(bundle: Path, tmp_path: Path) -> None:
    classifier = Classifier(bundle)
    other = write_bundle(tmp_path / "other", seed=3, labels=("p", "q", "r", "s"))
    classifier.reload(pack(other, tmp_path / "other.gmb"))
    assert classifier.labels == ("p", "q", "r", "s")
    assert classifier.classify_many(TEXTS) == Classifier(other).classify_many(TEXTS)
    assert "other.gmb" in repr(classifier)


def test_a_stream_under_way_goes_on_with_the_new_bundle_at_its_next_chunk(bundle: Path, tmp_path: Path) -> None:
    old, new = Classifier(bundle), Classifier(write_bundle(tmp_path / "new", seed=1))
    expected = [*old.classify_many(TEXTS[:2]), *new.classify_many(TEXTS[2:4])]
    stream = old.classify_stream(TEXTS[:4], chunk=2)
    first = next(stream)
    old.reload(tmp_path / "new")
    assert [first, *stream] == expected


def test_reload_of_a_bad_bundle_raises_and_keeps_serving(bundle: Path, tmp_path: Path) -> None:
    classifier = Classifier(bundle)
    before = classifier.classify_many(TEXTS)
    bad = write_bundle(tmp_path / "bad", seed=3)
    (bad / "model.onnx").write_bytes(b"x")
    with pytest.raises(IntegrityError):
        classifier.reload(bad)
    with pytest.raises(BundleError, match="is no ONNX model"):
        classifier.reload(write_bundle(tmp_path / "no-model", model=b"no model"))
    assert classifier.classify_many(TEXTS) == before
    assert repr(str(bundle)) in repr(classifier)


def test_reload_under_load_gives_old_answers_or_new_and_none_else(bundle: Path, tmp_path: Path) -> None:
    other = write_bundle(tmp_path / "other", seed=3)
    classifier = Classifier(bundle)
    allowed = [Classifier(path).classify_many(TEXTS) for path in (bundle, other)]
    done = threading.Event()

    def work() -> int:
        answers = 0
        while not done.is_set():
            assert classifier.classify_many(TEXTS) in allowed
            answers += 1
        return answers

    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(work) for _ in range(2)]
        for path in (other, bundle) * 5:
            classifier.reload(path)
        done.set()
    assert all(job.result() for job in jobs)


def test_a_closed_classifier_says_so(bundle: Path) -> None:
    with Classifier(bundle) as classifier:
        assert classifier.classify("乙醇").label
    classifier.close()
    for use in (lambda: classifier.classify("x"), lambda: classifier.reload(bundle), lambda: pickle.dumps(classifier)):
        with pytest.raises(BackendError, match="is closed; make a new one"):
            use()


@pytest.mark.parametrize("declared", [4, "classes"])
def test_labels_that_do_not_fit_the_model_are_refused_when_it_is_loaded(tmp_path: Path, declared: int | str) -> None:
    model = Model(tokenizer().size).onnx(declared).SerializeToString()
    path = write_bundle(tmp_path / "bundle", labels=("a", "b", "c", "d", "e"), model=model, reference=None)
    with pytest.raises(BundleError, match=r"has 5 labels but the onnx model returns \[1, 4\] logits"):
        Classifier(path)


def test_a_model_with_a_smaller_vocabulary_is_refused_when_it_is_loaded(tmp_path: Path) -> None:
    model = Model(tokenizer().size - 1).onnx().SerializeToString()
    with pytest.raises(BackendError, match="cannot run it"):
        Classifier(write_bundle(tmp_path / "bundle", model=model))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the memory in /proc")
def test_memory_stays_bounded_over_thousands_of_lengths(shared_bundle: Path) -> None:
    code = f"""
from runtime import Classifier
def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
classifier = Classifier({str(shared_bundle)!r})
texts = ["醇" * (1 + number % 200) for number in range(4000)]
classifier.classify_many(texts)
first = resident()
for _ in classifier.classify_stream(texts * 3): pass
print(resident() - first, first)
"""
    growth, total = map(int, run_python(code).stdout.split())
    assert growth < 2000
    assert total < 70_000
