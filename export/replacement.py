"""Where a bundle takes the place of another: whether it may, and what is lost.

An export of another run is likely a slip, since every run is exported to the same place if none is named; one of the
same run with other options may leave out what was there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from export.bundle import read_outline
from runtime.bundles.manifest import MANIFEST, SIGNATURE, Manifest
from runtime.cascade import CASCADE
from runtime.errors import BundleError, ConfigError

_MODELS = {"onnx": "an onnx model", "openvino": "an OpenVINO model", "fp32": "an fp32 model to fall back on"}


PACKAGE = "gm-edge"
"""This distribution, as the toolchain of a manifest calls it."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What a bundle was made from: see :class:`runtime.bundles.manifest.Manifest`.

    Attributes:
        labels: class names in their order.
        data_fingerprint: of the training data; empty: unknown.
        recipe_sha256: of the recipe; empty: unknown.
        release: of this package, which exported it; empty: unknown.
    """

    labels: tuple[str, ...]
    data_fingerprint: str
    recipe_sha256: str
    release: str

    @classmethod
    def of(cls, manifest: Manifest) -> Origin:
        """Return the origin that a manifest tells."""
        release = manifest.toolchain.get(PACKAGE, "")
        return cls(manifest.labels, manifest.data_fingerprint, manifest.recipe_sha256, release)

    def difference(self, other: Origin) -> str:
        """Return in which regard the runs differ, in words; empty if in none that both tell."""
        if self.labels != other.labels:
            return "classes"
        if _tell_apart(self.data_fingerprint, other.data_fingerprint):
            return "data"
        # A release that adds a key to recipes gives the same one another hash.
        comparable = self.release == other.release
        return "settings in its recipe" if comparable and _tell_apart(self.recipe_sha256, other.recipe_sha256) else ""


def check_successor(target: Path, place: Path, origin: Origin, *, signed: bool) -> None:
    """Refuse to take the place of a signed bundle without a signature, or of a bundle of another run.

    Another run is one with other classes, data or recipe; to train once more with the same makes no other.

    Args:
        target: where the new bundle is to be written, as the user calls it.
        place: where that leads to.
        origin: of the new one.
        signed: whether the new one is.

    Raises:
        ConfigError: it would; the message names the ways out.
    """
    try:
        names, old = read_outline(place)
    except BundleError:
        return
    ways = "name another place with --out, or replace it all the same with --replace"
    if SIGNATURE in names and not signed:
        raise ConfigError(f"{target} is signed, and the new bundle would not be; sign it with --sign KEY, {ways}")
    other = Origin.of(old).difference(origin)
    if other:
        raise ConfigError(f"{target} holds {old.name!r:.80}, the bundle of a run with other {other}; {ways}")


def _tell_apart(old: str, new: str) -> bool:
    return bool(old and new) and old != new


def lost_parts(place: Path, files: Mapping[str, bytes]) -> list[str] | None:
    """Return what the bundle at a place has and a new one lacks, in words.

    Args:
        place: where the new one is to be written.
        files: of the new one, by path in the bundle.

    Returns:
        Its parts, none if the new one has all of them; ``None`` if there is no bundle.
    """
    try:
        names, old = read_outline(place)
    except BundleError:
        return None
    kept = _parts(files, Manifest.from_json(files[MANIFEST], MANIFEST))
    return [part for part in _parts(names, old) if part not in kept]


def _parts(names: Collection[str], manifest: Manifest) -> list[str]:
    parts = {SIGNATURE: "a signature", CASCADE: "a cascade"}
    models = [words for backend, words in _MODELS.items() if backend in manifest.backends]
    return [words for name, words in parts.items() if name in names] + models
