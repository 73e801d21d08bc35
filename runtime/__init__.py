"""Run: classify texts on the plant floor with numpy and onnxruntime only.

Example:
    >>> from runtime import Classifier
    >>> classifier = Classifier("bundle/")  # doctest: +SKIP
    >>> classifier.classify("aluminium sulphate, 25 kg bag").label  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from runtime.errors import (
    BackendError,
    BundleError,
    ConfigError,
    DataError,
    GMError,
    IntegrityError,
    ParityError,
    SignatureError,
    VersionError,
)
from runtime.offline import switch_telemetry_off
from runtime.text import normalise

if TYPE_CHECKING:
    from runtime.aio import AsyncClassifier
    from runtime.bundles.bundle import BundleInfo
    from runtime.classifier import Classifier
    from runtime.monitoring.audit import AuditLog
    from runtime.monitoring.drift import Drift
    from runtime.monitoring.stats import Latency, Stats
    from runtime.prediction import Prediction, Reason
    from runtime.selftest import SelfTest

__all__ = [
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

# Loaded when first used: training reads the text rules and errors of this package without onnxruntime.
_LAZY = {
    "AsyncClassifier": "runtime.aio",
    "AuditLog": "runtime.monitoring.audit",
    "BundleInfo": "runtime.bundles.bundle",
    "Classifier": "runtime.classifier",
    "Drift": "runtime.monitoring.drift",
    "Latency": "runtime.monitoring.stats",
    "Prediction": "runtime.prediction",
    "Reason": "runtime.prediction",
    "SelfTest": "runtime.selftest",
    "Stats": "runtime.monitoring.stats",
}


switch_telemetry_off()


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module 'runtime' has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return __all__
