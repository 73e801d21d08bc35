"""What is lost where a bundle takes the place of another: an export with other options may leave out what was there."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from export.bundle import read_outline
from runtime.cascade import CASCADE
from runtime.errors import BundleError
from runtime.manifest import MANIFEST, SIGNATURE, Manifest

_MODELS = {"onnx": "an onnx model", "openvino": "an OpenVINO model", "fp32": "an fp32 model to fall back on"}


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
