"""Tables, report and picture of a measurement."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.contenders.lineup import OPTIMUM_INT8
from benchmarks.speed.picture import draw
from benchmarks.speed.report import latency_table, markdown, process_table, table
from tests.benchmarks.sample import PROMISED, measurement


def test_a_table_is_aligned_markdown() -> None:
    assert table(["who", "n"], [["a", "1"], ["bcde", "1,000"]]).splitlines() == [
        "| who  |     n |",
        "|------|------:|",
        "| a    |     1 |",
        "| bcde | 1,000 |",
    ]


def test_latencies_stand_beside_their_ratio_to_ours() -> None:
    header, _, first, *_, last = latency_table(measurement()).splitlines()
    cells = [cell.strip() for cell in last.strip("|").split("|")]
    assert [c.strip() for c in header.strip("|").split("|")] == [
        "contender",
        "ratio",
        "titles",
        "10 characters",
        "100 characters",
    ]
    assert cells[:3] == [OPTIMUM_INT8, "9.00", "900 / 2,358 / 2,632"]
    assert "| 1.00 |" in " ".join(first.split())


def test_process_figures_of_a_peer() -> None:
    last = process_table(measurement()).splitlines()[-1]
    cells = [cell.strip() for cell in last.strip("|").split("|")]
    assert cells == [OPTIMUM_INT8, "1,111", "9.00", "9.00", "9.00", "30.00", "60", "145"]


def test_without_ours_there_is_no_ratio() -> None:
    rows = latency_table(measurement({OPTIMUM_INT8: 900.0})).splitlines()
    assert rows[-1].split("|")[2].strip() == "-"


def test_the_report_names_machine_absent_peers_and_targets() -> None:
    text = markdown(measurement())
    assert "Some CPU (avx2 avx512_vnni), CPUs [0, 1], load 0.5" in text
    assert "- fastText: not installed: pip install fasttext-wheel" in text
    assert text.count("times faster, measured") == 7


def test_a_measurement_is_json() -> None:
    stored = json.loads(json.dumps(measurement().to_json()))
    assert [result["name"] for result in stored["results"]] == list(PROMISED)
    assert stored["results"][0]["latency"]["titles"]["p50"] == 100.0


def test_the_picture_is_a_png(tmp_path: Path) -> None:
    draw(measurement(), tmp_path / "latency.png")
    assert (tmp_path / "latency.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert [path.name for path in tmp_path.iterdir()] == ["latency.png"]
