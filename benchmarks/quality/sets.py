"""Sets that a study writes for its own runs."""

from __future__ import annotations

import json
from collections.abc import Iterable

from distill.data.corpus import Example


def as_json_lines(examples: Iterable[Example]) -> str:
    """Return a table of ``text`` and ``label``: whatever a text holds, it comes back."""
    rows = ({"text": example.text, "label": example.label} for example in examples)
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
