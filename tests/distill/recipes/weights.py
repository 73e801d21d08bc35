"""What a run learned, to be compared with what another one did."""

from __future__ import annotations

from distill.runs.run_folder import RunFolder


def weights(run: RunFolder, part: str = "") -> bytes:
    """Return all weights in the folder of a finished run, or in a part of it, ``student`` or ``teacher``."""
    files = sorted((run.path / part).rglob("*.safetensors"))
    assert files, f"{run.path / part} holds no weights"
    return b"".join(path.read_bytes() for path in files)
