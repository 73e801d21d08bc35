"""Every error that the three packages raise on purpose, with the exit code its command ends with.

::

    GMError                 1
    ├── ConfigError         2   a recipe, an option or a missing extra
    ├── DataError           3   a table, a text column, a file that cannot be read or written
    │   └── MissingColumnError  a table lacks a column
    ├── BundleError         4   a bundle that is not one
    │   ├── IntegrityError      a file is missing, unlisted, or has another size or SHA-256
    │   ├── SignatureError      unsigned, or not signed by the given key
    │   └── VersionError        written by a newer format
    ├── ParityError         5   the exported model decides otherwise than the trained one
    └── BackendError        6   onnxruntime or OpenVINO cannot load or run the model

The message of each is one line that says what is wrong, where, and what to do about it.
"""


class GMError(Exception):
    """Base of all errors raised on purpose; ``str(error)`` is the line a command prints."""

    exit_code = 1

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class ConfigError(GMError):
    """A recipe key, an option or the installation does not allow what was asked."""

    exit_code = 2


class DataError(GMError):
    """Input data cannot be read, or output cannot be written."""

    exit_code = 3


class MissingColumnError(DataError):
    """A table lacks a column."""


class BundleError(GMError):
    """A folder or ``.gmb`` file is not a usable bundle."""

    exit_code = 4


class IntegrityError(BundleError):
    """A file of the bundle is missing or not listed, or its size or SHA-256 is not the manifest's."""


class SignatureError(BundleError):
    """The bundle is unsigned, or its signature does not verify with the given public key."""


class VersionError(BundleError):
    """The bundle has a format version that this release does not read."""


class ParityError(GMError):
    """An exported model does not decide as the trained one does."""

    exit_code = 5


class BackendError(GMError):
    """An inference backend is missing, or cannot load or run the model."""

    exit_code = 6


def as_reported(error: Exception, if_internal: str) -> GMError:
    """Return an error as a command reports it: what the system or the installation refuses, with a remedy.

    Anything else is a fault in this program; ``if_internal`` says what to do about it.
    """
    if isinstance(error, GMError):
        return error
    if isinstance(error, OSError):
        return DataError(f"{error}; check the path, its permissions and the free space")
    if isinstance(error, ModuleNotFoundError):
        return ConfigError(f'{error}; run: pip install "gm-edge[train,export]"')
    if isinstance(error, MemoryError):
        return DataError("out of memory; give it smaller input or close other programs")
    return GMError(f"internal error, {type(error).__name__}: {error}; {if_internal}")


def kind_of(error: GMError) -> str:
    """Return the name of the class of an error, or of its nearest base class in this module."""
    return next(kind.__name__ for kind in type(error).__mro__ if kind.__module__ == __name__)


def of_kind(kind: str, message: str) -> GMError:
    """Return the error that another process reported, from its :func:`kind_of` there and its message."""
    known: type[GMError] = globals()[kind]
    return known(message)
