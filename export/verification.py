"""Checking a bundle on the machine at hand: whole, and deciding as where it was made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from runtime import Classifier
from runtime.backends import CHOICES
from runtime.bundles.bundle import Bundle
from runtime.bundles.signature import read_public_key
from runtime.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one engine makes of the golden texts.

    Attributes:
        engine: its name.
        ok: whether the self-test passed; ``None`` where there was none, because the engine is not installed.
        line: the finding in words.
    """

    engine: str
    ok: bool | None
    line: str


def verify_bundle(path: Path, public_key: Path | None = None) -> list[Verdict]:
    """Check sizes and hashes of a bundle, then replay its golden texts on each engine that it has a model for.

    One that is not installed here has a verdict that says so.

    Args:
        path: of the bundle.
        public_key: whose signature it must have; None: any or none will do.

    Raises:
        BundleError: it is no bundle, or is damaged; SignatureError: not signed with that key.
        BackendError: an engine cannot load or run its model.
        ConfigError: none of its engines is installed here.
    """
    key = None if public_key is None else read_public_key(public_key)
    present = Bundle.open(path, key).manifest.backends
    verdicts = [_replay(path, engine, key) for engine in CHOICES if engine in present]
    if all(verdict.ok is None for verdict in verdicts):
        raise ConfigError(f'{path} needs an engine that is not installed here; run: pip install "gm-edge[openvino]"')
    return verdicts


def _replay(path: Path, engine: str, public_key: bytes | None) -> Verdict:
    try:
        with Classifier(path, backend=engine, public_key=public_key) as classifier:
            found = classifier.selftest()
    except ConfigError as error:
        return Verdict(engine, None, f"{engine}: not checked; {error}")
    return Verdict(engine, found.ok, f"{engine}: {found.line}")
