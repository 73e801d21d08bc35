"""The public names, and what importing them costs."""

import subprocess
import sys

import runtime


def _modules_after(code: str) -> set[str]:
    program = f"import sys; {code}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_public_names_are_these() -> None:
    assert sorted(runtime.__all__) == [
        "AsyncClassifier",
        "AuditLog",
        "BackendError",
        "BundleError",
        "BundleInfo",
        "Classifier",
        "ConfigError",
        "DataError",
        "Drift",
        "GMError",
        "IntegrityError",
        "Latency",
        "ParityError",
        "Prediction",
        "Reason",
        "SelfTest",
        "SignatureError",
        "Stats",
        "VersionError",
        "normalise",
    ]
    assert all(getattr(runtime, name).__name__ == name for name in runtime.__all__)
    assert dir(runtime) == runtime.__all__


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(runtime, "classifer")


def test_import_loads_no_engine_and_nothing_of_training() -> None:
    loaded = _modules_after("import runtime")
    assert "runtime.text" in loaded
    assert not loaded & {"torch", "transformers", "jieba", "openvino", "pandas", "onnxruntime", "numpy", "click"}


def test_the_classifier_loads_numpy_and_onnxruntime_and_nothing_heavier() -> None:
    loaded = _modules_after("from runtime import Classifier; import runtime.backends.onnx")
    assert {"numpy", "onnxruntime"} <= loaded
    assert not loaded & {"torch", "transformers", "jieba", "openvino", "pandas", "onnx", "click", "zipfile", "asyncio"}
