"""Words: cut as jieba cuts them, without its cache file, its log and its guesses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from distill.data.words import WordCutter
from runtime.errors import ConfigError

TEXTS = [
    "反应釜温度过高",
    "聚丙烯酰胺 阴离子 絮凝剂 25kg/袋",
    "PP T30S 拉丝级聚丙烯",
    "",
    "  ",
    "3.5%盐酸(36%)\ud800",
    "𠮷氢氧化钠",
]


@pytest.fixture(scope="module")
def cutter() -> WordCutter:
    return WordCutter()


def test_words_are_those_of_jieba_without_its_model(
    cutter: WordCutter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import jieba  # after the cutter, which silences the warnings of its first import

    # jieba's own loading, its cache kept out of the temporary folder that all programs share
    reference = jieba.Tokenizer()
    monkeypatch.setattr(reference, "tmp_dir", str(tmp_path))
    for text in TEXTS:
        assert cutter.cut(text) == [word for word in reference.cut(text, HMM=False) if not word.isspace()]
    assert cutter.cut("反应釜温度过高")[:2] == ["反应釜", "温度"]


def test_the_words_are_the_text_without_blanks(cutter: WordCutter) -> None:
    for text in TEXTS:
        assert "".join(cutter.cut(text)) == "".join(text.split())


def test_the_cache_in_the_temporary_folder_is_neither_read_nor_written(tmp_path: Path) -> None:
    program = """
import tempfile
from pathlib import Path
planted = Path(tempfile.gettempdir()) / "jieba.cache"
before = planted.read_bytes()
from distill.data.words import WordCutter
assert WordCutter().cut("反应釜温度") == ["反应釜", "温度"]
assert planted.read_bytes() == before and len(list(planted.parent.iterdir())) == 1
"""
    (tmp_path / "jieba.cache").write_bytes(b"not a cache")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={"TMPDIR": str(tmp_path), "TMP": str(tmp_path), "TEMP": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_without_jieba_the_installation_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jieba", None)
    with pytest.raises(ConfigError, match=r"pip install \"gm-edge\[train\]\""):
        WordCutter()
