"""A package that is not installed is a line, not a traceback."""

import pytest

from runtime.errors import ConfigError
from runtime.extras import needs_extra


def test_the_line_names_purpose_package_and_extra() -> None:
    line = r"^signing needs the package no_such: pip install \"gm-edge\[sign\]\"$"
    with pytest.raises(ConfigError, match=line), needs_extra("signing", "sign"):
        import no_such.part  # type: ignore[import-not-found]  # noqa: F401


def test_a_package_that_does_not_load_is_a_line_too() -> None:
    line = r"^the openvino backend needs a package that does not load \(ImportError\('DLL load.*gm-edge\[openvino\]\"$"
    with pytest.raises(ConfigError, match=line), needs_extra("the openvino backend", "openvino"):
        raise ImportError("DLL load failed\nwhile importing ov")


def test_another_failure_is_left_alone() -> None:
    with pytest.raises(ZeroDivisionError), needs_extra("signing", "sign"):
        raise ZeroDivisionError
