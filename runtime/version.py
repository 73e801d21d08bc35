"""``--version``, the same for all three commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

VERSION = "--version"
"""What the option is called."""
_DISTRIBUTION = "gm-edge"
_Command = TypeVar("_Command", bound=Callable[..., object])


def version_option(command: _Command) -> _Command:
    """Give a command the option that prints which release this is, and ends it."""
    text = "Show which release this is and exit."
    return click.option(VERSION, is_flag=True, is_eager=True, expose_value=False, callback=_show, help=text)(command)


def installed_version() -> str:
    """Return the version of this distribution, as pip installed it."""
    # Imported here: classifying does without.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(_DISTRIBUTION)
    except PackageNotFoundError:
        return "of unknown version, run without being installed"


def _show(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        click.echo(f"{_DISTRIBUTION} {installed_version()}")
        context.exit()
