"""Loading a bundle for a classifier, always by the same steps.

A classifier loads one when it is made, reloaded or unpickled, and in a forked child.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runtime.backends import LOST_IN_FORK, lost_in_fork
from runtime.bundles.bundle import Bundle, BundleInfo
from runtime.engine import Engine
from runtime.errors import BackendError, BundleError, ConfigError
from runtime.selftest import SelfTest, run_selftest

if TYPE_CHECKING:
    from logging import Logger

SELFTESTS = ("off", "load")
"""When golden texts are replayed: only when asked, or at every load as well."""
_FALLBACK = "fp32"
LOGGER = "gm_edge"
"""Name of the logger that is warned when a bundle's fp32 model serves in place of the one asked for."""


@dataclass(frozen=True, slots=True)
class Health:
    """Which model serves, and why.

    Attributes:
        backend: its key in the manifest.
        selftest: how it did in the self-test at load; ``None`` when there was none.
        fallback: why another backend than the one asked for serves; empty when it is that one. Thresholds and
            promises of a bundle are fitted to its first model; the fp32 model's scores differ a little.
    """

    backend: str
    selftest: SelfTest | None = None
    fallback: str = ""


@dataclass(frozen=True, slots=True)
class Loader:
    """The settings of a classifier, checked.

    Attributes:
        backend: see :func:`runtime.backends.open_backend`.
        threads: of one call.
        public_key: 32 bytes, as :func:`~runtime.bundles.signature.read_public_key` returns them; None: any bundle.
        max_error: see :class:`runtime.classifier.Classifier`.
        selftest: one of :data:`SELFTESTS`.
        cascade: see :class:`runtime.classifier.Classifier`.

    Raises:
        ConfigError: ``selftest`` is not one of these.
    """

    backend: str
    threads: int
    public_key: bytes | None
    max_error: float | None
    selftest: str
    cascade: bool = True

    def __post_init__(self) -> None:
        if self.selftest not in SELFTESTS:
            raise ConfigError(f"unknown selftest {self.selftest!r}; use {' or '.join(SELFTESTS)}")

    def load(self, path: str | os.PathLike[str], sha256: str = "") -> tuple[Engine, Health]:
        """Open a bundle and load its model, or its fp32 model where the first does not run or fails the self-test.

        Where OpenVINO was lost in a fork, the bundle's model for onnxruntime takes its place, if it has one.

        Args:
            path: bundle folder or ``.gmb`` file.
            sha256: of the manifest of the only bundle to accept; empty: any.

        Raises:
            BundleError: it is not a valid bundle, or not that one; IntegrityError, SignatureError and VersionError say
                so more precisely.
            BackendError: the model cannot be loaded, or no model of the bundle passes the self-test.
            ConfigError: unknown backend, bad number of threads, a package is not installed, or the bundle cannot
                promise ``max_error``.
        """
        bundle = Bundle.open(path, self.public_key)
        if sha256:
            refuse_other_bundle(bundle.info, sha256)
        lost = lost_in_fork(self.backend) and "onnx" in bundle.manifest.backends
        backend, reason = ("onnx", LOST_IN_FORK) if lost else (self.backend, "")
        if self.selftest == "off":
            engine = self._engine(bundle, backend)
            return engine, Health(engine.backend.name, fallback=reason)
        try:
            engine = self._engine(bundle, backend)
            outcome = run_selftest(engine)
        except BackendError as error:
            return self._fall_back(bundle, backend, _joined(reason, str(error)))
        if outcome.ok:
            return engine, Health(engine.backend.name, outcome, reason)
        failed = engine.backend.name
        return self._fall_back(bundle, failed, _joined(reason, f"{failed} self-test failed: {outcome.line}"))

    def _engine(self, bundle: Bundle, backend: str) -> Engine:
        return Engine(bundle, backend, self.threads, self.max_error, self.cascade)

    def _fall_back(self, bundle: Bundle, failed: str, reason: str) -> tuple[Engine, Health]:
        advice = "export it with --target generic --keep-fp32"
        if failed == _FALLBACK or _FALLBACK not in bundle.manifest.backends:
            raise BackendError(f"{bundle.path}: {reason}; there is no other model to fall back on, {advice}")
        try:
            engine = self._engine(bundle, _FALLBACK)
            outcome = run_selftest(engine)
        except BackendError as error:
            raise BackendError(f"{bundle.path}: {reason}; nor does its fp32 model run: {error}; {advice}") from error
        if not outcome.ok:
            raise BackendError(f"{bundle.path}: {reason}; nor does its fp32 model pass: {outcome.line}; {advice}")
        _log().warning("%s serves its fp32 model: %s", bundle.path, reason)
        return engine, Health(_FALLBACK, outcome, reason)


def refuse_other_bundle(info: BundleInfo, sha256: str) -> None:
    """Check that a bundle is the one that a classifier was made with before it was copied to another process.

    Raises:
        BundleError: it is not.
    """
    if info.sha256 != sha256:
        cure = "make a new classifier; give a new bundle a path of its own, and reload it"
        raise BundleError(f"{info.path} is another bundle by now than the one this classifier was made with; {cure}")


def _log() -> Logger:
    # Imported only when needed: it would slow down every program that classifies.
    from logging import getLogger

    return getLogger(LOGGER)


def _joined(*reasons: str) -> str:
    return "; ".join(reason for reason in reasons if reason)
