"""Checking a bundle on the machine at hand: whole, and deciding as where it was made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from runtime import Classifier
from runtime.bundle import Bundle
from runtime.errors import ConfigError

_ENGINES = ("onnx", "openvino")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one engine makes of the golden texts.

    Attributes:
        engine: its name.
        ok: whether enough labels agree, or the engine is not installed here.
        line: the finding in words.
    """

    engine: str
    ok: bool
    line: str


def verify_bundle(path: Path) -> list[Verdict]:
    """Check sizes and hashes of a bundle, then replay its golden texts on each engine that it has a model for.

    Raises:
        BundleError: it is no bundle, or is damaged.
        BackendError: an engine cannot load or run its model.
        ConfigError: none of its engines is installed here.
    """
    present = Bundle.open(path).manifest.backends
    engines = [engine for engine in _ENGINES if engine in present]
    verdicts = [_replay(path, engine) for engine in engines]
    replayed = [verdict for verdict in verdicts if verdict is not None]
    if not replayed:
        raise ConfigError(f"{path} needs an engine that is not installed here; run: pip install 'gm-edge[openvino]'")
    return replayed


def _replay(path: Path, engine: str) -> Verdict | None:
    try:
        with Classifier(path, backend=engine) as classifier:
            found = classifier.selftest()
    except ConfigError:
        return None
    line = (
        f"{engine}: {found.count} golden texts, {found.label_agreement:.1%} keep their label, "
        f"logits differ by {found.largest_difference:.2g} at most"
    )
    return Verdict(engine, found.ok, line)
