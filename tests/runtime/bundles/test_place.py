"""Nothing is put into a bundle."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from runtime.bundles.place import check_outside_bundles
from runtime.errors import ConfigError
from runtime.files import write_text


@pytest.mark.skipif(sys.platform == "win32", reason="Windows lets few users make links")
def test_no_link_leads_into_a_bundle(tmp_path: Path) -> None:
    for name in ("manifest.json", "golden.jsonl"):
        write_text(tmp_path / "bundle" / name, "{}")
    (tmp_path / "link").symlink_to("bundle")
    check_outside_bundles("--out", tmp_path / "bundle.csv")
    with pytest.raises(ConfigError, match=r"^--out .*answers\.csv lies in the bundle, which would no longer be whole"):
        check_outside_bundles("--out", tmp_path / "link" / "new" / "answers.csv")
