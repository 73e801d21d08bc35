"""What all tests of training share."""

import sys
from collections.abc import Callable

import pytest

from distill import cli
from tests.threads import one_thread  # noqa: F401 - pytest finds the fixture here


@pytest.fixture
def gm_distill(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run the command in this process; returns its exit code."""

    def command(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["gm-distill", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert isinstance(ended.value.code, int)
        return ended.value.code

    return command
