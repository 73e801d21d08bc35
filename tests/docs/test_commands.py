"""Commands that the pages show exist, with the options and the recipe keys that are given to them."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click
import pytest

from distill.cli import cli as distill_cli
from distill.config.recipe import BaseRecipe, read_recipe_of
from distill.config.shipped import HEADERS
from export.cli import cli as export_cli
from runtime.cli import classify
from runtime.errors import ConfigError
from tests.docs.pages import PAGES, ROOT, blocks, name, prose

COMMANDS: dict[str, click.Command] = {"gm-distill": distill_cli, "gm-export": export_cli, "gm-classify": classify}
_SHOWN = re.compile(r"^\$ ((?:gm-|python -m benchmarks\.).*)$", re.MULTILINE)
_INLINE = re.compile(r"`((?:gm-[a-z]+|python -m benchmarks\.\w+) [^`]*)`")
_LONE_OPTION = re.compile(r"`(--[a-z0-9][a-z0-9-]*)")


def lines(page: Path) -> list[str]:
    """Return the commands that a page shows, in blocks and in its prose."""
    return [line for block in blocks(page, "console") for line in _SHOWN.findall(block)] + _INLINE.findall(prose(page))


def wrong(line: str) -> list[str]:
    """Return the words of a command that it does not have: options, and recipe keys."""
    words = shlex.split(line, comments=True)
    command, rest = find(words)
    known = options(command)
    unknown = [word for word in rest if word.startswith("--") and word.partition("=")[0] not in known]
    settings = [value for option, value in itertools.pairwise(rest) if option == "--set"]
    return unknown + [setting for setting in settings if not is_a_setting(setting)]


def find(words: list[str]) -> tuple[click.Command, list[str]]:
    """Return the command that the first words name, and the words that are left."""
    if words[0] == "python":
        module = import_module(words[2])
        found: click.Command = getattr(module, "command", None) or module.main
        return found, words[3:]
    command, rest = COMMANDS[words[0]], words[1:]
    while isinstance(command, click.Group):
        if rest and rest[0] in command.commands:
            command, rest = command.commands[rest[0]], rest[1:]
        else:  # gm-export without the name of a command exports; a group has options of its own
            return command.commands.get("run", command) if command is export_cli else command, rest
    return command, rest


def options(command: click.Command) -> set[str]:
    """Return the long and short names of a command's options."""
    own = {one for parameter in command.params for one in (*parameter.opts, *parameter.secondary_opts)}
    return own | {"--help", "-h", "--version", "--debug"}


def every_option(command: click.Command) -> Iterator[str]:
    """Yield the options of a command and of those below it."""
    yield from options(command)
    for below in command.commands.values() if isinstance(command, click.Group) else ():
        yield from every_option(below)


def is_a_setting(setting: str) -> bool:
    """Return whether the recipe of some method takes the setting."""
    return any(takes(kind, setting) for kind in HEADERS)


def takes(kind: type[BaseRecipe], setting: str) -> bool:
    """Return whether the recipe of a method has the key, and allows the value."""
    try:
        read_recipe_of(kind, None, [setting])
    except ConfigError:
        return False
    return True


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_that_are_shown_exist(page: Path) -> None:
    assert {line: words for line in lines(page) if (words := wrong(line))} == {}


def test_options_that_the_guides_name_belong_to_a_command() -> None:
    known = {option for command in COMMANDS.values() for option in every_option(command)}
    for path in (ROOT / "README.md", ROOT / "README.zh-CN.md", *(ROOT / "docs").glob("*.md")):
        named = set(_LONE_OPTION.findall(prose(path)))
        assert named - known == set(), path


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("gm-distill run --data a.csv --out run", []),
        ("gm-distill run --dat a.csv --set training.sead=1", ["--dat", "training.sead=1"]),
        ("gm-distill run --set imbalance.class_weights=sqrt", []),
        ("gm-export --int8 run --sing key", ["--sing"]),
        ("gm-export kit bundle --extra xlsx", []),
        ("python -m benchmarks.latency --bundel b", ["--bundel"]),
    ],
)
def test_what_a_command_does_not_have_is_seen(line: str, words: list[str]) -> None:
    assert wrong(line) == words
