"""OpenVINO gives the numbers that numpy gives, on any path through its caches and from any thread."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from runtime.errors import BackendError, BundleError
from tests.runtime.small_bundles import Model, tokenizer

pytest.importorskip("openvino", reason="the openvino extra is not installed")

from runtime.backends import openvino as module
from runtime.backends.openvino import OpenVinoBackend

MODEL = Model(tokenizer().size)


def _backend(bundle: Path) -> OpenVinoBackend:
    folder = bundle / "openvino"
    return OpenVinoBackend((folder / "model.xml").read_bytes(), (folder / "model.bin").read_bytes(), 1, "model.xml")


@pytest.fixture
def backend(shared_bundle: Path) -> OpenVinoBackend:
    """A backend of this test's own, with empty caches."""
    return _backend(shared_bundle)


def _check(backend: OpenVinoBackend, batch: int, length: int) -> None:
    ids = (np.arange(batch * length, dtype=np.int32).reshape(batch, length) + length) % tokenizer().size
    np.testing.assert_allclose(backend.run(ids), [MODEL.logits(row) for row in ids], rtol=1e-4, atol=1e-5)


def test_logits_are_those_of_numpy_for_any_shape(backend: OpenVinoBackend) -> None:
    for batch, length in [(1, 1), (1, 7), (3, 5), (1, 7)]:
        _check(backend, batch, length)


def test_frequent_lengths_get_a_model_of_their_own_and_only_so_many(
    backend: OpenVinoBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_STATIC_AFTER", 2)
    monkeypatch.setattr(module, "_MOST_STATIC", 2)
    for length in (3, 4, 5, 3, 4, 5, 5):
        _check(backend, 1, length)
    assert list(backend._static) == [4, 5]
    _check(backend, 1, 4)
    assert list(backend._static) == [5, 4]


def test_caller_arrays_and_earlier_answers_stay_untouched(backend: OpenVinoBackend) -> None:
    first_ids, second_ids = np.array([[2, 3]], np.int32), np.array([[4, 5]], np.int32)
    first = backend.run(first_ids)
    kept = first.copy()
    backend.run(second_ids)
    np.testing.assert_array_equal(first, kept)
    assert first_ids.tolist() == [[2, 3]]


@pytest.mark.parametrize("batch", [1, 3])
def test_logits_own_their_memory(backend: OpenVinoBackend, batch: int) -> None:
    logits = backend.run(np.zeros((batch, 4), np.int32))
    assert logits.base is None
    assert logits.flags.owndata


def test_threads_do_not_disturb_each_other(backend: OpenVinoBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_STATIC_AFTER", 3)
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(_check, backend, 1, 1 + number % 5) for number in range(200)]
    assert [job.result() for job in jobs] == [None] * 200


@pytest.mark.parametrize(("xml", "weights"), [(b"", b""), (b"<net", b""), (b"<?xml ", b""), (None, b"x")])
def test_what_is_no_model_is_refused(shared_bundle: Path, xml: bytes | None, weights: bytes) -> None:
    content = (shared_bundle / "openvino" / "model.xml").read_bytes() if xml is None else xml
    with pytest.raises((BackendError, BundleError), match=r"^model\.xml: (OpenVINO cannot load it|is not XML)"):
        OpenVinoBackend(content, weights, 1, "model.xml")
