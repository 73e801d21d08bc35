"""What a forked child does with the objects that it inherits."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

_Inherited = TypeVar("_Inherited")

_ALIVE: WeakKeyDictionary[Any, Callable[[Any], None]] = WeakKeyDictionary()


def after_fork(inherited: _Inherited, renew: Callable[[_Inherited], None]) -> None:
    """Have ``renew(inherited)`` called in every child that is forked while ``inherited`` lives, before it goes on."""
    _ALIVE[inherited] = renew


def leak(inherited: object) -> None:
    """Never free an object whose destructor would wait for threads that a forked child does not have."""
    # A reference from a Python object would be dropped when the interpreter ends.
    import ctypes

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(inherited))


def _renew_all() -> None:
    for inherited, renew in list(_ALIVE.items()):
        renew(inherited)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)
