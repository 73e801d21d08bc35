"""The manifest of a bundle: its typed form, and the strict reading of it.

Everything in a manifest may come from a stranger, so every value is checked for type and range before
anything else of the bundle is touched. Unknown keys are refused as well: within one format version
they can only be typing errors.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from math import isfinite
from typing import Any, NoReturn, TypeGuard, TypeVar

from runtime.errors import BundleError, VersionError

FORMAT_VERSION = 1
"""The newest bundle format that this release reads, and the one that it writes."""
MANIFEST = "manifest.json"
SIGNATURE = "signature"
GOLDEN = "golden.jsonl"
"""Texts with the labels and logits that the exporting machine got, for the self-test."""
UNLISTED = frozenset({MANIFEST, SIGNATURE})
"""Files of a bundle that its manifest does not list."""
TASKS = ("single_label",)
BACKENDS = ("onnx", "openvino", "fp32")

# Far beyond any use, and small enough that what depends on them fits into memory.
_MOST_LABELS = 1 << 16
_MOST_LENGTH = 1 << 16
_MOST_BYTES = 1 << 31
_SHA256 = re.compile("[0-9a-f]{64}")
_PART = "[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?"
# A relative path that means the same on every operating system.
_NAME = re.compile(f"{_PART}(?:/{_PART})*")
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class FileEntry:
    """Size in bytes and SHA-256 (lower-case hexadecimal) of one file."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class TokenizerEntry:
    """Kind of tokeniser, and the file that holds it."""

    kind: str
    file: str


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Lowest score at which a prediction is accepted, 0 to 1: ``per_label`` where named, else ``default``.

    Every score is below 1: a threshold of 1 accepts nothing.
    """

    default: float = 0.0
    per_label: Mapping[str, float] = field(default_factory=dict)

    def of(self, label: str) -> float:
        """Return the threshold of ``label``."""
        return self.per_label.get(label, self.default)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a bundle says about itself.

    Attributes:
        format_version: of the bundle format.
        name: free text.
        created: time of export, ISO 8601 in UTC.
        task: one of :data:`TASKS`.
        labels: class names in the order of the logits, 1 to 65,536, no two alike.
        tokenizer: how texts become ids.
        max_len: longest id sequence, 2 to 65,536.
        temperature: divides the logits before softmax, 0.001 to 1000.
        thresholds: when a prediction is accepted.
        max_unknown: share of unknown characters above which a prediction is not accepted, 0 to 1.
        backends: model file by backend, of :data:`BACKENDS`; present ones only.
        files: every file but :data:`UNLISTED`, by its path in the bundle, with ``/`` between folders.
        metrics: of the exported model, any JSON object.
        parity: with the trained model, any JSON object.
        data_fingerprint: of the training data.
        recipe_sha256: of the resolved recipe.
        toolchain: version by package.
        target: instruction set that the export was made for.
        text_column: of the training data: one name, or several separated by commas, as in the recipe. Empty, and then
            left out of the file: unknown, or the default ``text``.
    """

    format_version: int = FORMAT_VERSION
    name: str
    created: str
    task: str = "single_label"
    labels: tuple[str, ...]
    tokenizer: TokenizerEntry
    max_len: int
    temperature: float = 1.0
    thresholds: Thresholds = Thresholds()
    max_unknown: float = 1.0
    backends: Mapping[str, str]
    files: Mapping[str, FileEntry]
    metrics: Mapping[str, Any] = field(default_factory=dict)
    parity: Mapping[str, Any] = field(default_factory=dict)
    data_fingerprint: str = ""
    recipe_sha256: str = ""
    toolchain: Mapping[str, str] = field(default_factory=dict)
    target: str = "generic"
    text_column: str = ""

    def to_json(self) -> str:
        """Return the manifest as indented JSON, which :meth:`from_json` reads back as an equal manifest."""
        keys = asdict(self)
        if not self.text_column:
            del keys["text_column"]
        return json.dumps(keys, ensure_ascii=False, indent=2, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, content: str | bytes, where: str) -> Manifest:
        """Read and check a manifest; ``where`` names the file in messages.

        Raises:
            VersionError: it was written by a newer release.
            BundleError: it is not a valid manifest; the message names the key.
        """
        keys = _Keys(_parse(content, where), where)
        version = keys.take("format_version", _whole(1))
        if version > FORMAT_VERSION:
            keys.newer(f"format version {version}, and this release reads up to {FORMAT_VERSION}")
        task = keys.take("task", _text)
        if task not in TASKS:
            keys.newer(f"task {task!r}, and this release knows {', '.join(TASKS)}")
        manifest = cls(
            format_version=version,
            name=keys.take("name", _text),
            created=keys.take("created", _text),
            task=task,
            labels=keys.take("labels", _labels),
            tokenizer=_tokenizer(keys.section("tokenizer")),
            max_len=keys.take("max_len", _whole(2, _MOST_LENGTH)),
            temperature=keys.take("temperature", _temperature),
            thresholds=_thresholds(keys.section("thresholds")),
            max_unknown=keys.take("max_unknown", _share),
            backends=keys.take("backends", _by_name(_text)),
            files=_files(keys.section("files")),
            metrics=keys.take("metrics", _by_name(_anything)),
            parity=keys.take("parity", _by_name(_anything)),
            data_fingerprint=keys.take("data_fingerprint", _text),
            recipe_sha256=keys.take("recipe_sha256", _text),
            toolchain=keys.take("toolchain", _by_name(_text)),
            target=keys.take("target", _text),
            text_column=keys.take("text_column", _some_text) if "text_column" in keys.names() else "",
        )
        keys.finish()
        _check_references(manifest, where)
        return manifest


def is_number(value: object) -> TypeGuard[float]:
    """Return whether a value is a number; a bool, which Python counts as an int, is not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


class _Keys:
    """The keys of one JSON object, taken one by one, each through its check."""

    def __init__(self, values: dict[str, Any], where: str, path: str = "") -> None:
        self._values = values
        self._where = where
        self._path = path

    def take(self, key: str, check: Callable[[Any], _Value]) -> _Value:
        """Return what ``check`` makes of the value of ``key``; a missing or wrong one is refused."""
        if key not in self._values:
            self.refuse(f"has no key {self._path}{key}")
        try:
            return check(self._values.pop(key))
        except ValueError as error:
            self.refuse(f"key {self._path}{key}: {error}")

    def section(self, key: str) -> _Keys:
        """Return the keys of the object under ``key``."""
        return _Keys(self.take(key, _by_name(_anything)), self._where, f"{self._path}{key}.")

    def names(self) -> Iterable[str]:
        """Return the keys that are not taken yet."""
        return list(self._values)

    def finish(self) -> None:
        """Refuse a key that nothing has taken."""
        for key in self._values:
            self.refuse(f"has the unknown key {self._path}{key}")

    def refuse(self, what: str) -> NoReturn:
        """Raise :class:`BundleError` that says ``what`` is wrong."""
        _refuse(self._where, what)

    def newer(self, what: str) -> NoReturn:
        """Raise :class:`VersionError` that says ``what`` is newer than this release."""
        raise VersionError(f"{self._where}: {what}; upgrade with: pip install --upgrade gm-edge")


def _refuse(where: str, what: str) -> NoReturn:
    raise BundleError(f"{where}: {what}; export the bundle again")


def _parse(content: str | bytes, where: str) -> dict[str, Any]:
    try:
        text = content if isinstance(content, str) else content.decode("utf-8")
        value = json.loads(
            text, parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=_without_duplicates
        )
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{where}: not valid JSON ({error}); export the bundle again") from error
    if not isinstance(value, dict):
        _refuse(where, f"holds a {type(value).__name__}, not an object")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):
        raise ValueError(f"{digits} is too large")
    return number


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return values


def _anything(value: Any) -> Any:  # noqa: ANN401 - JSON values have no narrower type
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"must be a string, not {value!r:.40}")
    value.encode("utf-8")  # a lone surrogate is a ValueError here, not when the text is printed
    return value


def _some_text(value: object) -> str:
    if value == "":
        raise ValueError("must not be empty; leave it out")
    return _text(value)


def _whole(least: int, most: int = _MOST_BYTES) -> Callable[[object], int]:
    def check(value: object) -> int:
        if type(value) is not int or not least <= value <= most:
            raise ValueError(f"must be a whole number from {least} to {most}, not {value!r:.40}")
        return value

    return check


def _number(least: float, most: float) -> Callable[[object], float]:
    def check(value: object) -> float:
        if not is_number(value) or not least <= value <= most:
            raise ValueError(f"must be a number from {least:g} to {most:g}, not {value!r:.40}")
        return float(value)

    return check


_share = _number(0.0, 1.0)
_temperature = _number(0.001, 1000.0)


def _by_name(check: Callable[[Any], _Value]) -> Callable[[object], dict[str, _Value]]:
    def check_all(value: object) -> dict[str, _Value]:
        if not isinstance(value, dict):
            raise ValueError(f"must be an object, not {value!r:.40}")
        return {name: check(item) for name, item in value.items()}

    return check_all


def _labels(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError(f"must be a list of class names, not {value!r:.40}")
    if len(value) > _MOST_LABELS:
        raise ValueError(f"has {len(value)} class names, more than the {_MOST_LABELS} allowed")
    labels = tuple(_text(label) for label in value)
    if len(set(labels)) < len(labels) or "" in labels:
        raise ValueError("class names must be distinct and not empty")
    return labels


def _tokenizer(keys: _Keys) -> TokenizerEntry:
    entry = TokenizerEntry(kind=keys.take("kind", _text), file=keys.take("file", _text))
    keys.finish()
    return entry


def _thresholds(keys: _Keys) -> Thresholds:
    thresholds = Thresholds(keys.take("default", _share), keys.take("per_label", _by_name(_share)))
    keys.finish()
    return thresholds


def _files(keys: _Keys) -> dict[str, FileEntry]:
    files = {}
    for name in keys.names():
        if not _NAME.fullmatch(name):
            keys.refuse(f"names {name!r:.80}, which is not a plain path within the bundle")
        entry = keys.section(name)
        files[name] = FileEntry(sha256=entry.take("sha256", _sha256), size=entry.take("size", _whole(0)))
        entry.finish()
    if len({name.lower() for name in files}) < len(files):
        keys.refuse("names two files that differ in case alone, which are one on some systems")
    return files


def _sha256(value: object) -> str:
    if not (isinstance(value, str) and _SHA256.fullmatch(value)):
        raise ValueError(f"must be 64 lower-case hexadecimal digits, not {value!r:.80}")
    return value


def _check_references(manifest: Manifest, where: str) -> None:
    """Check that labels, backends and files that the manifest refers to exist."""
    unknown = set(manifest.thresholds.per_label) - set(manifest.labels)
    if unknown:
        _refuse(where, f"key thresholds.per_label: {min(unknown)!r} is none of the labels")
    if not manifest.backends or not set(manifest.backends) <= set(BACKENDS):
        _refuse(where, f"key backends: must name one or more of {', '.join(BACKENDS)}")
    for name in (manifest.tokenizer.file, *manifest.backends.values()):
        if name not in manifest.files:
            _refuse(where, f"key files: {name!r} is missing, though the manifest uses it")
