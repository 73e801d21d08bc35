"""What a caller can choose about an export, and what holds where nothing is chosen, on the command line too.

It is read for ``gm-export --help``, so nothing is imported here that takes its time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from runtime.errors import ConfigError

TARGETS = ("generic", "avx2", "avx512_vnni", "arm64")
"""Instruction sets to export for; ``generic`` is right on all of them."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is still the same model.

    Attributes:
        min_agreement: share of texts that must keep their label, 0 to 1.
        max_f1_drop: largest loss of macro-F1, 0 to 1.
    """

    min_agreement: float = 0.995
    max_f1_drop: float = 0.005


@dataclass(frozen=True, slots=True)
class Options:
    """What to export.

    Attributes:
        int8: quantise; otherwise the bundle holds fp32 models.
        target: one of :data:`TARGETS`.
        onnx: write ``model.onnx``.
        openvino: write the OpenVINO model.
        keep_fp32: put the fp32 model beside the INT8 one.
        name: of the bundle; empty: that of the run folder.
        precision: share of accepted development texts that must be right; 0 accepts every text.
        limits: of parity.
        sign: private key to sign the bundle with.
        cascade: let the n-grams answer alone where they are sure, if that costs no accuracy.
        replace: take the place of any bundle; see :func:`export.replacement.check_successor`.

    Raises:
        ConfigError: ``name`` cannot be written as UTF-8, as the manifest is.
    """

    int8: bool = False
    target: str = "generic"
    onnx: bool = True
    openvino: bool = False
    keep_fp32: bool = False
    name: str = ""
    precision: float = 0.95
    limits: Limits = field(default_factory=Limits)
    sign: Path | None = None
    cascade: bool = False
    replace: bool = False

    def __post_init__(self) -> None:
        check_utf_8("--name", self.name)


def check_utf_8(what: str, text: str) -> None:
    """Refuse a name that cannot be written as UTF-8.

    Args:
        what: whose name it is, as the message calls it.
        text: the name; what the system gave that is no UTF-8 has surrogates.

    Raises:
        ConfigError: it cannot.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ConfigError(f"{what} {text!r:.80} is not UTF-8; give it a name that is") from error
