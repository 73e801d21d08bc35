"""The columns that texts take in a terminal."""

from __future__ import annotations

import pytest

from runtime.display import display_width


@pytest.mark.parametrize(
    ("text", "columns"), [("acid", 4), ("盐酸", 4), ("（Ａ）", 6), ("e\u0301", 1), ("", 0), ("ﾊﾝ", 2)]
)
def test_display_width(text: str, columns: int) -> None:
    assert display_width(text) == columns
