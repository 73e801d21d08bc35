"""HTML and SVG as nested elements, in which whatever people wrote is text and never markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

# HTML has no way to write these, and UTF-8 none for the halves of surrogate pairs that JSON lets pass.
_UNSHOWABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_REPLACEMENT = "\ufffd"


class Html(str):
    """What is HTML already; any other string is escaped when it becomes part of an element."""

    __slots__ = ()


def element(tag: str, *parts: str, **attributes: str | float) -> Html:
    """Return an element that is well-formed XML too.

    Args:
        tag: its name; not one of those that HTML leaves without an end tag.
        parts: what is inside, in order; escaped unless it is :class:`Html`.
        attributes: by name, where ``_`` stands for ``-`` and an ``_`` at the end for nothing: ``class_``.
    """
    given = "".join(f' {name.rstrip("_").replace("_", "-")}="{_value(value)}"' for name, value in attributes.items())
    return Html(f"<{tag}{given}>{together(parts)}</{tag}>")


def together(parts: Iterable[str]) -> Html:
    """Return parts side by side; escaped unless they are :class:`Html`."""
    return Html("".join(part if isinstance(part, Html) else _escaped(part) for part in parts))


def data_table(header: Sequence[str], rows: Iterable[Sequence[str]], kind: str) -> Html:
    """Return a table.

    Args:
        header: names of the columns.
        rows: as many cells each as the header.
        kind: class for the style: ``numbers`` aligns all columns but the first right, ``texts`` the last alone.
    """
    head = element("thead", element("tr", *(element("th", name, scope="col") for name in header)))
    body = element("tbody", *(element("tr", *(element("td", cell) for cell in row)) for row in rows))
    return element("table", head, body, class_=kind)


def percent(share: float) -> str:
    """Return a share for people: ``87.5%``."""
    return f"{share:.1%}"


def _escaped(text: str) -> str:
    return escape(_UNSHOWABLE.sub(_REPLACEMENT, text))


def _value(value: str | float) -> str:
    # A tenth of a point is finer than any screen shows.
    return _escaped(value) if isinstance(value, str) else f"{round(value, 1):.10g}"
