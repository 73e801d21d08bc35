"""What a caller can choose about an export."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from export.parity import Limits


@dataclass(frozen=True, slots=True)
class Options:
    """What to export.

    Attributes:
        int8: quantise; otherwise the bundle holds fp32 models.
        target: one of :data:`export.quantize.TARGETS`.
        onnx: write ``model.onnx``.
        openvino: write the OpenVINO model.
        keep_fp32: put the fp32 model beside the INT8 one.
        name: of the bundle; empty: that of the run folder.
        precision: share of accepted development texts that must be right; 0 accepts every text.
        limits: of parity.
        sign: private key to sign the bundle with.
        cascade: let the n-grams answer alone where they are sure, if that costs no accuracy.
    """

    int8: bool = True
    target: str = "generic"
    onnx: bool = True
    openvino: bool = False
    keep_fp32: bool = False
    name: str = ""
    precision: float = 0.95
    limits: Limits = field(default_factory=Limits)
    sign: Path | None = None
    cascade: bool = False
