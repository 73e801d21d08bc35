"""A classifier in other processes: pickled, given to workers, and after a fork."""

import multiprocessing
import os
import pickle
from pathlib import Path

import pytest

from runtime import Classifier
from tests.runtime.processes import run_python
from tests.runtime.small_bundles import BACKENDS, TEXTS


def test_a_pickle_opens_the_same_bundle_again(packed: Path) -> None:
    classifier = Classifier(packed, backend="onnx", threads=2)
    copy = pickle.loads(pickle.dumps(classifier))
    assert repr(copy) == repr(classifier) == f"Classifier({str(packed)!r}, backend='onnx', threads=2)"
    assert copy.classify_many(TEXTS) == classifier.classify_many(TEXTS)


def test_a_worker_process_gets_its_own(shared_bundle: Path) -> None:
    classifier = Classifier(shared_bundle)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(classifier.classify, TEXTS) == [classifier.classify(text) for text in TEXTS]


def _labels_in_child(classifier: Classifier) -> list[str]:
    """Fork, classify in the child, let it end as a program ends, and return its answers."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        try:
            os.write(writing, "\n".join(prediction.label for prediction in classifier.classify_many(TEXTS)).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as answers:
        labels = answers.read().split("\n")
    os.waitpid(child, 0)
    return labels


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")  # Python 3.12 on, where threads are alive
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_forked_child_answers_even_if_a_thread_held_the_lock(shared_bundle: Path, backend: str) -> None:
    classifier = Classifier(shared_bundle, backend=backend, threads=2)
    expected = [prediction.label for prediction in classifier.classify_many(TEXTS)]
    with classifier._lock:
        assert _labels_in_child(classifier) == expected
    assert [prediction.label for prediction in classifier.classify_many(TEXTS)] == expected


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_forked_child_ends_by_itself(shared_bundle: Path, backend: str) -> None:
    code = f"""
import os, sys
from runtime import Classifier
classifier = Classifier({str(shared_bundle)!r}, backend={backend!r}, threads=2)
label = classifier.classify("乙醇").label
child = os.fork()
if child == 0:
    sys.exit(0 if classifier.classify("乙醇").label == label else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert run_python(code).returncode == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_forked_while_threads_classify_does_not_wait_for_them(shared_bundle: Path) -> None:
    # Where predictions lay in memory of onnxruntime's, three children in a hundred waited for ever.
    code = f"""
import os, signal, threading, warnings
warnings.filterwarnings("ignore", ".*use of fork", DeprecationWarning)
os.register_at_fork(after_in_child=lambda: signal.alarm(20))  # before ours, in which a child would wait
from runtime import Classifier
classifier, over = Classifier({str(shared_bundle)!r}), threading.Event()
def classify():
    while not over.is_set(): classifier.classify("乙醇")
threads = [threading.Thread(target=classify) for _ in range(2)]
for thread in threads: thread.start()
ends = set()
for _ in range(100):
    child = os.fork()
    if child == 0: os._exit(0)
    ends.add(os.waitpid(child, 0)[1])
    if ends != {{0}}: break
over.set()
print(ends)
"""
    assert run_python(code).stdout == "{0}\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_forked_after_openvino_started_is_served_by_onnxruntime_and_says_why(shared_bundle: Path) -> None:
    # OpenVINO's scheduler waits in a child, once in some hundred runs and for ever, for threads of the parent.
    code = f"""
import os, sys
from runtime import BackendError, Classifier
from runtime.backends import open_backend
from runtime.bundles.bundle import Bundle
bundle = {str(shared_bundle)!r}
classifier = Classifier(bundle, backend="openvino", selftest=sys.argv[1])
child = os.fork()
if child == 0:
    stats = classifier.stats() if classifier.classify("乙醇") else None
    served = stats.backend == "onnx" and "OpenVINO was started before" in stats.fallback
    classifier.reload(bundle)
    served = served and classifier.stats().backend == "onnx"
    try:
        open_backend(Bundle.open(bundle), "openvino", 1)
    except BackendError as error:
        sys.exit(0 if served and "or start processes by spawning" in str(error) else 1)
    sys.exit(2)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
sys.exit(code if classifier.stats().backend == "openvino" else 3)
"""
    for selftest in ("off", "load"):
        assert run_python(code.replace("sys.argv[1]", repr(selftest))).returncode == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_forked_before_openvino_started_may_use_it(shared_bundle: Path) -> None:
    code = f"""
import os, sys
from runtime import Classifier
child = os.fork()
if child == 0:
    with Classifier({str(shared_bundle)!r}, backend="openvino") as classifier:
        sys.exit(0 if classifier.classify("乙醇") and classifier.stats().backend == "openvino" else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert run_python(code).returncode == 0
