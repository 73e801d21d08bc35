"""What the recipes of all methods have in common: sections of typed keys, reading, checking and writing.

The description of a key is its comment in the shipped TOML files, which are generated from here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import tomlkit
from pydantic import BaseModel, ConfigDict, ValidationError
from tomlkit.exceptions import TOMLKitError

from distill.config.file_names import absolute_names, names_files
from distill.config.overrides import Override, apply_overrides, option_that_set, read_setting
from runtime.errors import ConfigError

if TYPE_CHECKING:
    from typing_extensions import Self

DEFAULT_METHOD = "gate_mixup"
"""The method of a recipe file without the key ``recipe``."""
SHIPPED_RECIPES = Path(__file__).parents[1] / "recipes"
"""A TOML file for each method, with every key at its default."""


class Section(BaseModel):
    """Some keys of a recipe; unknown keys and numbers that are not finite are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, allow_inf_nan=False)

    def file_keys(self) -> list[str]:
        """Return the keys that name files or folders."""
        return [key for key, field in type(self).model_fields.items() if names_files(field)]


class BaseRecipe(Section):
    """The base of the recipes of all methods; fields are sections, or top-level keys."""

    @classmethod
    def method(cls) -> str:
        """Return the name of the method, as the key ``recipe`` of a file gives it."""
        named = cls.model_fields.get("recipe")
        return str(named.default) if named else DEFAULT_METHOD

    def file_keys(self) -> list[str]:
        """Return the keys that name files or folders, as ``data.path``."""
        return [f"{name}.{key}" for name, section in self._sections() for key in section.file_keys()]

    @property
    def sha256(self) -> str:
        """Fingerprint of the method and its keys, except those that name files.

        The files, data and models, have fingerprints of their own in ``environment.json``.
        """
        files = self.file_keys()
        values = {key: value for key, value in self._values().items() if key not in files}
        return hashlib.sha256(json.dumps([self.method(), values], sort_keys=True).encode("utf-8")).hexdigest()

    def with_paths_from(self, folder: Path, but: Container[str] = ()) -> Self:
        """Return the recipe with absolute paths.

        Args:
            folder: where relative paths start.
            but: keys, as ``data.path``, whose paths stay as they are.
        """
        sections = {}
        for name, section in self._sections():
            keys = [key for key in section.file_keys() if f"{name}.{key}" not in but]
            moved = {key: absolute_names(folder, getattr(section, key)) for key in keys}
            sections[name] = section.model_copy(update=moved)
        return self.model_copy(update=sections)

    def differences(self, other: Self, but: Container[str]) -> list[str]:
        """Return the keys in which the recipes differ, each with both values: ``training.seed=0, not 1``.

        Args:
            other: recipe of the same method.
            but: keys that may differ.
        """
        own, others = self._values(), other._values()
        return [f"{key}={own[key]}, not {others[key]}" for key in own if own[key] != others[key] and key not in but]

    def _sections(self) -> list[tuple[str, Section]]:
        return [(name, section) for name, section in self if isinstance(section, Section)]

    def _values(self) -> dict[str, str]:
        values = {f"{name}.{key}": value for name, section in self._sections() for key, value in section}
        return {key: json.dumps(value, ensure_ascii=False) for key, value in values.items()}

    def to_toml(self) -> str:
        """Return the recipe as TOML in which each key carries its description as a comment."""
        document = tomlkit.document()
        for name, value in self:
            if isinstance(value, Section):
                document.add(name, _section_table(value))
            else:
                document.add(tomlkit.comment(type(self).model_fields[name].description or ""))
                document.add(name, value)
        return tomlkit.dumps(document)


_Kind = TypeVar("_Kind", bound=BaseRecipe)


def read_recipe_of(kind: type[_Kind], path: Path | None, overrides: Iterable[str | Override] = ()) -> _Kind:
    """Read a recipe file, apply ``section.key=value`` overrides and check every key.

    Args:
        kind: the class of the recipe.
        path: TOML file; ``None`` means the defaults.
        overrides: as given to ``--set``, see :func:`distill.config.overrides.read_setting`, or to another option.

    Raises:
        ConfigError: unreadable file, unknown key, or a value of the wrong type or range.
    """
    keys: dict[str, Any] = read_toml(path) if path else {}
    given = [read_setting(kind, one) if isinstance(one, str) else one for one in overrides]
    apply_overrides(keys, given)
    try:
        return kind.model_validate(keys)
    except ValidationError as error:
        key, problem = _first_problem(kind, error)
        # An element of a list is given with the list.
        where = option_that_set(given, ".".join(key.split(".")[:2])) or path or "--set"
        raise ConfigError(f"{where}: {problem}") from error


def read_toml(path: Path) -> dict[str, Any]:
    """Return the keys of a recipe file, unchecked.

    Raises:
        ConfigError: the file cannot be read or is not TOML.
    """
    try:
        return tomlkit.parse(path.read_text(encoding="utf-8-sig")).unwrap()
    except (OSError, UnicodeDecodeError, TOMLKitError) as error:
        raise ConfigError(f"cannot read recipe {path}: {error}; see 'gm-distill init' for a valid one") from error


def method_of(path: Path) -> str:
    """Return the method that a recipe file names, unchecked; one that names none is of Gate-Mixup.

    Raises:
        ConfigError: see :func:`read_toml`.
    """
    return str(read_toml(path).get("recipe", DEFAULT_METHOD))


def _section_table(section: Section) -> tomlkit.items.Table:
    table = tomlkit.table()
    for key, field in type(section).model_fields.items():
        value = getattr(section, key)
        table.add(tomlkit.comment(field.description or ""))
        table.add(key, list(value) if isinstance(value, tuple) else value)
    return table


def _first_problem(kind: type[BaseRecipe], error: ValidationError) -> tuple[str, str]:
    """Return the key, or the section, and what is wrong with it."""
    problem = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in problem["loc"]) or "recipe"
    if problem["type"] == "extra_forbidden":
        return key, f"unknown key {key}; {_where_keys_stand(kind)}"
    return key, f"{key}: {problem['msg']} (got {problem['input']!r})"


def _where_keys_stand(kind: type[BaseRecipe]) -> str:
    """Return where to find every key of a method."""
    if kind.method() == DEFAULT_METHOD:
        return "'gm-distill init' writes a recipe with every key"
    return f"every key of this method stands in {SHIPPED_RECIPES / kind.method()}.toml"
