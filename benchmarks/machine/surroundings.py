"""Environment variables under which everything is measured: one thread, no network, no chatter."""

from __future__ import annotations

import os

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
# "Device set to use cpu" and its like are no news here; errors still show.
QUIET = {"TRANSFORMERS_VERBOSITY": "error"}


def surround() -> None:
    """Set the variables for this process and its children; call it before torch is imported.

    numpy reads its own when it is imported, which may be earlier: no contender multiplies matrices with it.
    """
    os.environ.update(ONE_THREAD | OFFLINE | QUIET)
