"""A long table in short: the real command, rows that are lost or moved, and a peer that is there or not."""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path

import pytest

from benchmarks import bulk
from benchmarks.bulk import (
    Bulk,
    Peer,
    check_order,
    classify_table,
    main,
    measure,
    measure_peer,
    read_texts,
    write_table,
)
from benchmarks.contenders import lineup
from benchmarks.contenders.contender import Absent, Entry
from runtime.bundles.bundle import Bundle
from runtime.command import run_command
from runtime.errors import DataError, GMError
from runtime.tables.rows import read_table
from tests.runtime.small_bundles import LABELS, TEXTS, write_bundle

ECHO = Entry(lineup.OPTIMUM_INT8, "tests.benchmarks.echo:Echo", ("class ",), ("click",))
NOT_INSTALLED = replace(ECHO, needs=("no-such-distribution-anywhere",))
AWKWARD = ('"quoted", and a comma', "two\nlines", "a\ttab", "  blanks around  ", "片碱; 99 %", "\ufeff")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle folder of this test's own."""
    return write_bundle(tmp_path / "bundle")


def _answers(path: Path, rows: Sequence[tuple[int, str]]) -> Path:
    lines = [json.dumps({"row": row, "text": text, "label": "acid"}) for row, text in rows]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_the_command_answers_every_row_in_order(bundle: Path, tmp_path: Path) -> None:
    source, answers = tmp_path / "table.csv", tmp_path / "answers.csv"
    texts = list(islice(cycle([*TEXTS, *AWKWARD]), 3000))
    write_table(source, texts)
    found = classify_table(bundle, source, answers, len(texts))
    check_order(answers, texts)
    labels = {row.values["text"]: row.values["label"] for row in read_table(answers)}
    # A byte order mark alone is no text, and gets no label.
    assert labels.pop(AWKWARD[-1]) == ""
    assert set(labels.values()) <= set(LABELS)
    assert found.count == 3000
    assert found.texts_per_cpu_s == pytest.approx(3000 / found.cpu_s, rel=0.1)
    assert found.cpu_s > 0
    assert 0 < found.wall_s < 60


def test_memory_is_that_of_the_command_alone(bundle: Path) -> None:
    kept = b"x" * 250_000_000
    assert 10 < measure(bundle, TEXTS, 20).peak_rss_mb < len(kept) / 1e6


def test_a_command_that_fails_gives_its_line(tmp_path: Path) -> None:
    with pytest.raises(GMError, match=r"gm-classify ended with 4: gm-classify: .*nowhere"):
        measure(tmp_path / "nowhere", TEXTS, 5)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([(1, "a"), (2, "b")], "the answers end before row 3, 'c'"),
        ([(1, "a"), (3, "c"), (2, "b")], "line 2 of the answers: row 3, 'c', where row 2, 'b' belongs"),
        ([(1, "a"), (2, "b"), (3, "b")], "line 3 of the answers: row 3, 'b', where row 3, 'c' belongs"),
        ([(1, "a"), (1, "b"), (3, "c")], "line 2 of the answers: row 1, 'b', where row 2, 'b' belongs"),
        ([(1, "a"), (2, "b"), (3, "c"), (3, "c")], "line 4 of the answers: a row more than the 3 of the table"),
    ],
    ids=["missing", "swapped", "another text", "another number", "too many"],
)
def test_a_row_out_of_place_is_named(rows: Sequence[tuple[int, str]], says: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        check_order(_answers(tmp_path / "answers.jsonl", rows), "abc")
    assert str(caught.value) == says


def test_texts_of_all_tables_are_repeated_in_turn(tmp_path: Path) -> None:
    (tmp_path / "one.tsv").write_text("text\tlabel\n酸\tx\n \tx\n碱\tx\n", encoding="utf-8")
    (tmp_path / "two.jsonl").write_text('{"text": "盐"}\n', encoding="utf-8")
    files = [tmp_path / "one.tsv", tmp_path / "two.jsonl"]
    texts = read_texts(files, 100)
    write_table(tmp_path / "table.csv", islice(cycle(texts), 5))
    rows = [(row.values["row"], row.values["text"]) for row in read_table(tmp_path / "table.csv")]
    assert rows == [("1", "酸"), ("2", "碱"), ("3", "盐"), ("4", "酸"), ("5", "碱")]
    assert read_texts(files, 2) == ["酸", "碱"]


def test_without_a_table_it_is_the_example_set() -> None:
    assert len(read_texts([], 50)) == 50


def test_tables_without_a_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "blank.tsv").write_text("text\tlabel\n \tx\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"no text in .*blank\.tsv"):
        read_texts([tmp_path / "blank.tsv"], 5)


def test_a_peer_that_does_not_start_is_absent(bundle: Path, tmp_path: Path) -> None:
    broken = replace(ECHO, target="tests.benchmarks.nowhere:Echo")
    found = measure_peer(broken, Bundle.open(bundle), TEXTS, tmp_path)
    assert isinstance(found, Absent)
    assert "No module named 'tests.benchmarks.nowhere'" in found.reason


def test_the_ratio_is_ours_to_the_peers() -> None:
    ours = Bulk(count=1000, wall_s=0.3, cpu_s=0.25, texts_per_cpu_s=4000.0, peak_rss_mb=60.0)
    peer = Peer("peer", 100, 800.0)
    assert bulk.to_json(ours, peer)["ratio"] == 5.0
    assert bulk.report(ours, peer).splitlines()[-2:] == [
        "all 1,000 rows are answered, in the order of the table",
        "ratio: 5.0",
    ]


@pytest.mark.parametrize("entry", [ECHO, NOT_INSTALLED], ids=["installed", "not installed"])
def test_the_command_line_writes_what_it_found(
    entry: Entry, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lineup, "peers", lambda folder, quick: [entry])
    monkeypatch.setattr(bulk, "surround", lambda: None)
    out = tmp_path / "bulk.json"
    main([str(bundle), "--count", "300", "--peer-texts", "40", "--out", str(out)], standalone_mode=False)
    found, shown = json.loads(out.read_text(encoding="utf-8")), capsys.readouterr().out
    assert (found["count"], found["rows_in_order"], found["peer"]["name"]) == (300, True, lineup.OPTIMUM_INT8)
    assert min(found[name] for name in ("wall_s", "cpu_s", "texts_per_cpu_s", "peak_rss_mb")) > 0
    assert found["machine"]["cpu"]
    if entry is ECHO:
        assert found["peer"]["texts"] == 40
        assert found["ratio"] == pytest.approx(found["texts_per_cpu_s"] / found["peer"]["texts_per_cpu_s"], abs=0.01)
    else:
        assert found["ratio"] is None
        assert "not installed: pip install 'no-such-distribution-anywhere'" in shown


def test_rows_out_of_order_end_the_command_with_an_error(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def swap(_bundle: Path, source: Path, answers: Path, count: int) -> Bulk:
        header, first, second, *rest = source.read_text(encoding="utf-8").splitlines()
        answers.write_text("\n".join([header, second, first, *rest]), encoding="utf-8")
        return Bulk(count, 1.0, 1.0, 1.0, 1.0)

    monkeypatch.setattr(bulk, "classify_table", swap)
    monkeypatch.setattr(sys, "argv", ["bulk", str(bundle), "--count", "10"])
    with pytest.raises(SystemExit) as ended:
        run_command(main, "bulk")
    assert ended.value.code == DataError.exit_code
    assert "line 2 of the answers: row 2, " in capsys.readouterr().err
