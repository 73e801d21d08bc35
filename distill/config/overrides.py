"""Values that the options of a command give to keys of a recipe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import tomlkit
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from tomlkit.exceptions import TOMLKitError

from runtime.errors import ConfigError


class Override(NamedTuple):
    """A value for one key.

    Attributes:
        option: the option that sets it, as users write it: ``--seed``.
        key: ``section.key``.
        value: as read.
    """

    option: str
    key: str
    value: Any


def read_setting(kind: type[BaseModel], setting: str) -> Override:
    """Return what ``--set section.key=value`` says.

    Args:
        kind: the recipe. For a key that holds text, the value is taken as it is unless it is quoted; for any other it
            is TOML, or a bare string.
        setting: as given.

    Raises:
        ConfigError: it is not of that form.
    """
    name, equals, text = setting.partition("=")
    section, _, key = (part.strip() for part in name.partition("."))
    if not (equals and section and key):
        raise ConfigError(f"--set {setting!r}: write section.key=value, for example training.seed=1")
    field = field_of(kind, f"{section}.{key}")
    holds_text = field is not None and field.annotation is str
    return Override("--set", f"{section}.{key}", _value(text, holds_text))


def field_of(kind: type[BaseModel], name: str) -> FieldInfo | None:
    """Return the field of the key ``section.key``, or ``None`` where the recipe has no such key."""
    section, _, key = name.partition(".")
    found = kind.model_fields.get(section)
    if found is None or not isinstance(found.annotation, type) or not issubclass(found.annotation, BaseModel):
        return None
    return found.annotation.model_fields.get(key)


def apply_overrides(keys: dict[str, Any], overrides: Iterable[Override]) -> None:
    """Put the values into the ``keys`` of a recipe; later ones win.

    Raises:
        ConfigError: a section is not a table.
    """
    for override in overrides:
        section, _, key = override.key.partition(".")
        table = keys.setdefault(section, {})
        if not isinstance(table, dict):
            raise ConfigError(f"{section} is not a section; write [{section}] in the recipe, then its keys")
        table[key] = override.value


def option_that_set(overrides: Sequence[Override], name: str) -> str | None:
    """Return the option that last set the key ``name``, or a key of the section ``name``."""
    options = [one.option for one in overrides if one.key == name or one.key.startswith(f"{name}.")]
    return options[-1] if options else None


def _value(text: str, holds_text: bool) -> Any:  # noqa: ANN401 - what TOML can hold
    if holds_text and not text.strip().startswith(("'", '"')):
        return text  # With the blanks at its ends: the prefix of a language model may have one.
    try:
        return tomlkit.value(text.strip()).unwrap()
    except TOMLKitError:
        return text
