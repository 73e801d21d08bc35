"""Refusing a model that reaches outside itself, before an engine sees a byte of it.

An ONNX file may name other files that hold its weights. onnxruntime opens them even when it is given the model
as bytes, relative to the working folder of the host program (1.31, by trial). A model may also name operators of
other domains, for which onnxruntime would need code that no bundle brings. OpenVINO takes ONNX, and more formats
that name files, where XML is expected.

The package onnx is not on the device, so the file is walked here, in the wire format of Protocol Buffers
(https://protobuf.dev/programming-guides/encoding/) by the field numbers of onnx.proto.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NoReturn

from runtime.errors import BundleError

# By kind of message: what the fields are that hold messages in which a tensor or a node may stand.
_PARTS: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse tensor"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse tensor", 23: "sparse tensor"},
    "sparse tensor": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
_NODE_DOMAIN = 7
_TENSOR_EXTERNAL = (13, 14)  # external_data, and data_location, which is 0 for a tensor in the file
_DOMAINS = (b"", b"ai.onnx", b"ai.onnx.ml", b"com.microsoft")
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_WIDTHS = {_FIXED64: 8, _FIXED32: 4}
# The largest students have a few thousand; a file of nothing but empty fields would take minutes.
_MOST_FIELDS = 1_000_000


def check_onnx(model: bytes, where: str) -> None:
    """Check that an ONNX model has all its weights in it and only operators that onnxruntime itself has.

    Args:
        model: content of the file.
        where: names it in messages.

    Raises:
        BundleError: it has not, or is no ONNX model.
    """
    waiting = [("model", memoryview(model))]
    fields = 0
    while waiting:
        kind, message = waiting.pop()
        for number, value in _fields(message, where):
            fields += 1
            if fields > _MOST_FIELDS:
                _refuse(where, f"has more than {_MOST_FIELDS} fields")
            _check_field(kind, number, value, where)
            part = _PARTS[kind].get(number)
            if part and isinstance(value, memoryview):
                waiting.append((part, value))


def check_openvino(xml: bytes, where: str) -> None:
    """Check that an OpenVINO model is in OpenVINO's own format, which names no other file.

    Raises:
        BundleError: it is not.
    """
    if not xml.startswith(b"<?xml "):
        _refuse(where, "is not XML")


def _check_field(kind: str, number: int, value: int | memoryview, where: str) -> None:
    if kind == "tensor" and number in _TENSOR_EXTERNAL and value:
        _refuse(where, "keeps weights in another file")
    if kind == "node" and number == _NODE_DOMAIN:
        domain = b"a number" if isinstance(value, int) else bytes(value)
        if domain not in _DOMAINS:
            _refuse(where, f"has an operator of a foreign domain {domain[:40]!r}")


def _fields(message: memoryview, where: str) -> Iterator[tuple[int, int | memoryview]]:
    """Yield number and value of each field: an int, or the bytes of whatever has a length."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at, where)
        # Engines keep 32 bits of it: a larger one would be another field to them than here.
        if not 0 < key < 1 << 32:
            _refuse(where, "is no ONNX model")
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, at = _varint(message, at, where)
            yield number, value
            continue
        if wire == _LENGTH:
            width, at = _varint(message, at, where)
        elif wire in _WIDTHS:
            width = _WIDTHS[wire]
        else:
            _refuse(where, "is no ONNX model")
        if width > len(message) - at:
            _refuse(where, "is no ONNX model")
        yield number, message[at : at + width]
        at += width


def _varint(message: memoryview, at: int, where: str) -> tuple[int, int]:
    """Return the number that begins at ``at``, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            break
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    _refuse(where, "is no ONNX model")


def _refuse(where: str, what: str) -> NoReturn:
    raise BundleError(f"{where}: {what}; do not use the bundle, or export it again")
