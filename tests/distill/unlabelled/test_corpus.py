"""An unlabelled corpus: what is dropped and why, shards that repeat byte for byte, memory that stays small."""

from __future__ import annotations

import gzip
import hashlib
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from distill.unlabelled.corpus import (
    Cleaning,
    clean_corpus,
    corpus_files,
    han_share,
    read_further_texts,
    read_texts,
)
from runtime.errors import ConfigError, DataError
from tests.workbooks import write_workbook

NAMES = ["氢氧化钠 片碱", "工业盐酸", "聚乙烯颗粒 薄膜级", "环氧树脂 E-44", "冰醋酸", "碳酸钙粉末"]


def lines(folder: Path) -> list[str]:
    return [line for path in corpus_files([folder]) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_every_dropped_text_is_counted_by_its_reason(tmp_path: Path) -> None:
    texts = [
        "氢氧化钠 片碱 工业级 袋装 25kg",
        "  \t ",
        "酸",
        "碱" * 41,
        "High density polyethylene",
        "12345",
        "工业 盐酸",
        "氢氧化钠　片碱 工业级 袋装 ２５ＫＧ",
        "氢氧化钠 片碱 工业级 袋装 25kg。",
        "ＰＶＣ树脂",
    ]
    config = Cleaning(min_chars=2, max_chars=40, near_duplicate=0.85)
    report = clean_corpus(texts, tmp_path / "clean", config, excluded=["工业  盐酸"])
    assert lines(tmp_path / "clean") == ["氢氧化钠 片碱 工业级 袋装 25kg", "pvc树脂"]
    assert report["dropped"] == {
        "duplicate": 1,
        "empty": 1,
        "excluded": 1,
        "near duplicate": 1,
        "other language": 2,
        "too long": 1,
        "too short": 1,
    }
    assert (report["read"], report["kept"], report["characters"]) == (10, 2, 24)


def test_texts_similar_to_an_excluded_one_are_left_out_too(tmp_path: Path) -> None:
    excluded = ["氢氧化钠 片碱 工业级 袋装 25kg", "", "氢氧化钠 片碱 工业级 袋装 25kg!"]
    texts = [*NAMES, "氢氧化钠 片碱 工业级 袋装 25kg。", excluded[0]]
    report = clean_corpus(texts, tmp_path / "clean", Cleaning(near_duplicate=0.85, window=1), excluded)
    assert report["dropped"] == {"excluded": 1, "nearly excluded": 1}
    assert len(lines(tmp_path / "clean")) == len(NAMES)
    exact = clean_corpus(texts, tmp_path / "exact", Cleaning(near_duplicate=1.0), excluded)
    assert exact["dropped"] == {"excluded": 1}


def test_none_that_is_hardly_similar_enough_to_an_excluded_text_is_missed(tmp_path: Path) -> None:
    random = Random(0)
    characters = [chr(code) for code in range(0x4E00, 0x9000)]
    excluded = ["".join(random.choices(characters, k=30)) for _ in range(300)]
    # Four other characters in a row are nine other grams of 59: a similarity of 50 / 68, or a bit less where two of
    # the characters are the same.
    texts = [text[:10] + "".join(random.choices(characters, k=4)) + text[14:] for text in excluded]
    report = clean_corpus([*NAMES, *texts], tmp_path / "clean", Cleaning(near_duplicate=0.72), excluded)
    assert report["dropped"] == {"nearly excluded": 300}


def test_the_report_describes_every_shard(tmp_path: Path) -> None:
    report = clean_corpus(NAMES, tmp_path / "clean", Cleaning(shard_lines=4))
    assert report == json.loads((tmp_path / "clean" / "report.json").read_text(encoding="utf-8"))
    assert [(shard["file"], shard["lines"]) for shard in report["shards"]] == [
        ("shard-00000.txt", 4),
        ("shard-00001.txt", 2),
    ]
    for shard in report["shards"]:
        stored = (tmp_path / "clean" / shard["file"]).read_bytes()
        assert (shard["bytes"], shard["sha256"]) == (len(stored), hashlib.sha256(stored).hexdigest())
    assert lines(tmp_path / "clean") == [name.lower() for name in NAMES]


def test_a_second_run_gives_the_same_bytes_and_takes_the_place_of_the_first(tmp_path: Path) -> None:
    out = tmp_path / "clean"
    clean_corpus(NAMES, out, Cleaning(shard_lines=2))
    first = content(out)
    clean_corpus(NAMES * 2, out, Cleaning())
    assert set(content(out)) == {"shard-00000.txt", "report.json"}
    clean_corpus(NAMES, out, Cleaning(shard_lines=2))
    assert content(out) == first


def test_an_interrupted_run_leaves_the_older_corpus(tmp_path: Path) -> None:
    def interrupted() -> Iterator[str]:
        yield from NAMES
        raise KeyboardInterrupt

    out = tmp_path / "clean"
    clean_corpus(NAMES, out, Cleaning())
    before = content(out)
    with pytest.raises(KeyboardInterrupt):
        clean_corpus(interrupted(), out, Cleaning(shard_lines=1))
    assert content(out) == before
    assert list(tmp_path.iterdir()) == [out]


def test_a_folder_of_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigError, match="holds no corpus"):
        clean_corpus(NAMES, tmp_path, Cleaning())
    with pytest.raises(ConfigError, match="is a file"):
        clean_corpus(NAMES, tmp_path / "notes.txt", Cleaning())
    assert content(tmp_path) == {"notes.txt": b"mine"}


def test_something_beside_an_older_corpus_is_not_replaced_with_it(tmp_path: Path) -> None:
    out = tmp_path / "clean"
    clean_corpus(NAMES, out, Cleaning())
    (out / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"or more than that: notes\.txt; choose another"):
        clean_corpus(NAMES, out, Cleaning())
    assert (out / "notes.txt").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    "report",
    [
        "not json",
        "[]",
        '{"shards": 3}',
        '{"shards": ["shard-00000.txt"]}',
        '{"total": 3, "shards": []}',
        '{"read": 1, "kept": 1, "dropped": {}, "settings": {}, "shards": [{"file": "thesis.doc"}]}',
    ],
)
def test_a_report_of_something_else_does_not_make_a_corpus(tmp_path: Path, report: str) -> None:
    (tmp_path / "report.json").write_text(report, encoding="utf-8")
    (tmp_path / "thesis.doc").write_text("mine", encoding="utf-8")
    before = content(tmp_path)
    with pytest.raises(ConfigError, match="holds no corpus"):
        clean_corpus(NAMES, tmp_path, Cleaning())
    assert content(tmp_path) == before


def test_nothing_left_says_what_was_dropped(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no text is left of 3: 2 other language, 1 too short; loosen"):
        clean_corpus(["abc", "def", "酸"], tmp_path / "clean", Cleaning())
    with pytest.raises(DataError, match="no text is left of 0"):
        clean_corpus([], tmp_path / "clean", Cleaning())
    assert list(tmp_path.iterdir()) == []


def test_filters_can_be_switched_off(tmp_path: Path) -> None:
    texts = ["Hydrochloric acid", "工业级氢氧化钠片碱99%", "工业级氢氧化钠片碱98%", "42"]
    clean_corpus(texts, tmp_path / "clean", Cleaning(min_han=0.0, near_duplicate=1.0))
    assert lines(tmp_path / "clean") == ["hydrochloric acid", *texts[1:]]


@pytest.mark.parametrize(
    ("text", "share"), [("盐酸", 1.0), ("hdpe 5000s", 0.0), ("pe管", 1 / 3), ("99.5%", 0.0), ("𬭊-α", 0.5), ("豈", 1.0)]
)
def test_share_of_chinese_characters_counts_letters_only(text: str, share: float) -> None:
    assert han_share(text) == share


def test_a_text_is_one_line_whatever_it_holds(tmp_path: Path) -> None:
    clean_corpus(["盐酸\n37%\u2028分析纯\x85", "硫酸"], tmp_path / "clean", Cleaning())
    assert lines(tmp_path / "clean") == ["盐酸 37% 分析纯", "硫酸"]


def test_memory_does_not_grow_with_the_corpus(tmp_path: Path) -> None:
    def texts(count: int) -> Iterator[str]:
        return (f"第{number}批 氢氧化钠 {number * 7919 % 1000003} 号样品的检验记录与说明" for number in range(count))

    config = Cleaning(near_duplicate=0.95, window=500)
    peaks = []
    for count in (4_000, 10_000):
        tracemalloc.start()
        clean_corpus(texts(count), tmp_path / str(count), config)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 36 * 6_000


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("names.txt", "\n".join(NAMES).encode()),
        ("names.TXT.gz", gzip.compress("\n".join(NAMES).encode("gb18030"))),
        ("names.jsonl", "\n".join(json.dumps({"text": name}) for name in NAMES).encode()),
        ("names.jsonl.gz", gzip.compress("\n".join(json.dumps({"text": name}) for name in NAMES).encode())),
        ("names.csv", "\n".join(["no,text", *(f"1,{name}" for name in NAMES)]).encode()),
        ("names.tsv.gz", gzip.compress("\n".join(["text", *NAMES]).encode())),
    ],
)
def test_texts_are_read_from_many_kinds_of_file(tmp_path: Path, name: str, stored: bytes) -> None:
    (tmp_path / name).write_bytes(stored)
    assert list(read_texts(tmp_path / name)) == NAMES


def test_a_table_without_the_column_names_the_option(tmp_path: Path) -> None:
    (tmp_path / "names.csv").write_text("品名\n盐酸\n", encoding="utf-8")
    assert list(read_texts(tmp_path / "names.csv", "品名")) == ["盐酸"]
    with pytest.raises(DataError, match=r"no column 'text', only: 品名; name another with --text-column"):
        list(read_texts(tmp_path / "names.csv"))


@pytest.mark.parametrize("encoding", ["", "big5", "utf-16", "latin-1"])
def test_what_comes_beside_the_files_of_the_user_is_read_as_utf_8_where_it_is_that(
    tmp_path: Path, encoding: str
) -> None:
    predictions = tmp_path / "test.jsonl"
    predictions.write_text("\n".join(json.dumps({"text": name}, ensure_ascii=False) for name in NAMES), "utf-8")
    assert list(read_further_texts(predictions, "text", encoding)) == NAMES
    assert list(read_further_texts(predictions, "品名,规格", encoding)) == NAMES
    clean_corpus(NAMES, tmp_path / "clean", Cleaning())
    (shard,) = corpus_files([tmp_path / "clean"])
    for read in (read_texts, read_further_texts):
        assert list(read(shard, "品名", encoding)) == [name.lower() for name in NAMES]


def test_a_file_that_is_not_utf_8_is_read_by_the_encoding_that_is_given(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("鹽酸\n硫酸", encoding="big5")
    assert list(read_further_texts(tmp_path / "names.txt", "text", "big5")) == ["鹽酸", "硫酸"]
    (tmp_path / "names.csv").write_text("text,品名\nno,鹽酸\n", encoding="big5")
    assert list(read_further_texts(tmp_path / "names.csv", "品名", "big5")) == ["鹽酸"]
    with pytest.raises(DataError, match=r"names\.txt, line 1: not UTF-16 text"):
        list(read_further_texts(tmp_path / "names.txt", "text", "utf-16"))


def test_a_table_with_neither_column_is_refused_by_the_one_that_is_named(tmp_path: Path) -> None:
    (tmp_path / "names.csv").write_text("名\n盐酸\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"no column '规格', only: 名; name another with --text-column"):
        list(read_further_texts(tmp_path / "names.csv", "规格", ""))


def test_of_a_workbook_all_sheets_with_the_column_are_read(tmp_path: Path) -> None:
    sheets = {"一月": [["品名"], ["盐酸"]], "二月": [["品名"], ["硫酸"]], "说明": [["note"]]}
    write_workbook(tmp_path / "names.xlsx", sheets)
    assert list(read_texts(tmp_path / "names.xlsx", "品名")) == ["盐酸", "硫酸"]


def test_corpus_files_are_shards_in_order_or_files_as_named(tmp_path: Path) -> None:
    clean_corpus(NAMES, tmp_path / "clean", Cleaning(shard_lines=1))
    other = tmp_path / "more.txt"
    files = corpus_files([tmp_path / "clean", other])
    assert [path.name for path in files] == [f"shard-{number:05d}.txt" for number in range(6)] + ["more.txt"]
    with pytest.raises(DataError, match="holds no shards"):
        corpus_files([tmp_path])
