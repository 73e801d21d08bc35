"""The line that a user sees when a package is not installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from runtime.errors import ConfigError


@contextmanager
def needs_extra(purpose: str, extra: str) -> Iterator[None]:
    """Turn a package that cannot be imported within the block into the line that says how to get it.

    Raises:
        ConfigError: ``purpose`` needs a package that is not there or does not load; the extra of that name brings it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        raise ConfigError(f'{purpose} needs the package {package}: pip install "gm-edge[{extra}]"') from error
    except ImportError as error:  # as where a library of the system is missing
        lacking = f"a package that does not load ({error!r:.200})"
        raise ConfigError(f'{purpose} needs {lacking}: pip install "gm-edge[{extra}]"') from error
