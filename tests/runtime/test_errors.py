"""One exit code for each kind of error, one line for each message."""

import pytest

from runtime import errors
from runtime.errors import GMError, MissingColumnError, kind_of, of_kind


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("GMError", 1),
        ("ConfigError", 2),
        ("DataError", 3),
        ("MissingColumnError", 3),
        ("BundleError", 4),
        ("IntegrityError", 4),
        ("SignatureError", 4),
        ("VersionError", 4),
        ("ParityError", 5),
        ("BackendError", 6),
    ],
)
def test_each_error_has_its_exit_code(name: str, code: int) -> None:
    error = getattr(errors, name)("what, where; what to do")
    assert isinstance(error, GMError)
    assert error.exit_code == code


def test_a_message_is_one_line() -> None:
    assert str(GMError("first\n  second\tthird")) == "first second third"


class _OutsideError(MissingColumnError):
    """An error of another module than that of all."""


def test_another_process_is_told_the_nearest_class_that_it_knows() -> None:
    error = of_kind(kind_of(_OutsideError("no column 'text'")), "no column 'text'")
    assert (type(error), str(error)) == (MissingColumnError, "no column 'text'")
