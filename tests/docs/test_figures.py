"""Figures in the pages are those of the studies that lie beside the benchmarks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.contenders import lineup
from benchmarks.quality import chain_rows
from benchmarks.quality.methods import ALONE_ROW, CASCADE, FULL, INT8, PARTS
from benchmarks.quality.peer_rows import FASTTEXT, SVM, TEXT_CNN
from benchmarks.quality.scores import Scores
from tests.docs.pages import ROOT, tables

RESULTS = ROOT / "benchmarks" / "results"
SETS = ("chem_products", "hs_chem", "tax_chem")
README_ROWS = (SVM, INT8, chain_rows.TAUGHT_INT8_ROW, chain_rows.INT8_ROW)
MEASURED_ROWS = (
    *(SVM, FASTTEXT, TEXT_CNN, PARTS["teacher"], PARTS["initial_student"], ALONE_ROW, FULL, INT8, CASCADE),
    chain_rows.TAUGHT_INT8_ROW,
)
CHAIN_ROWS = (SVM, INT8, chain_rows.LM_ROW, chain_rows.TOGETHER_ROW, chain_rows.INT8_ROW)
README_CONTENDERS = (*(lineup.OURS_INT8, lineup.OURS_CASCADE, lineup.OPTIMUM_INT8, lineup.FASTTEXT, lineup.LINEAR_SVC),)
MEASURED_CONTENDERS = (
    *(lineup.OURS_INT8, lineup.OURS_CASCADE, lineup.OURS_FP32, lineup.OURS_OPENVINO, lineup.TOKENIZERS_FP32),
    *(lineup.OPTIMUM_INT8, lineup.TORCH, lineup.FASTTEXT, lineup.FASTTEXT_WORDS, lineup.LINEAR_SVC),
)


def cell(scores: Scores, data: str, row: str, like: str) -> str:
    """Return accuracy / macro-F1 in percent, with deviations where the cell ``like`` has them; ``–`` for no figure."""
    found = [scores.spread(data, row, metric) for metric in ("accuracy", "macro_f1")]
    spreads = [f"{100 * one.mean:.1f}" + f" ± {100 * one.deviation:.1f}" * ("±" in like) for one in found if one]
    return " / ".join(spreads) or "–"


def times(result: dict[str, object], wanted: tuple[str, ...]) -> list[str]:
    """Return figures of a contender as the pages write them: seconds below 1 with two digits, others with one."""
    latency, cold = result["latency"], result["cold"]
    assert isinstance(latency, dict)
    assert isinstance(cold, dict)
    assert isinstance(result["installed_mb"], float)
    start = cold["median"]
    figures = {
        "p50": f"{latency['titles']['p50']:.0f}",
        "cold start": f"{start:.2f}" if start < 1 else f"{start:.1f}",
        "peak RSS": f"{cold['peak_rss_mb']:.0f}",
        "installed": f"{result['installed_mb']:.0f}",
    }
    return [figures[one] for one in wanted]


def tables_of(pages: tuple[str, str], header: str) -> list[tuple[str, list[list[str]]]]:
    """Return for each page, the English and the Chinese one, the first table whose header has the word."""
    return [(page, next(t for t in tables(ROOT / page) if header in " ".join(t[0]))) for page in pages]


@pytest.mark.parametrize(
    ("pages", "rows"),
    [
        (("README.md", "README.zh-CN.md"), README_ROWS),
        (("docs/measured.md", "docs/measured.zh-CN.md"), MEASURED_ROWS),
    ],
)
def test_accuracy_is_that_of_the_study(pages: tuple[str, str], rows: tuple[str, ...]) -> None:
    scores = Scores(RESULTS / "accuracy.json")
    for page, table in tables_of(pages, "hs_chem"):
        for row, (_, *cells) in zip(rows, table[1:], strict=True):
            assert cells == [cell(scores, data, row, c) for data, c in zip(SETS, cells, strict=True)], (page, row)


def test_accuracy_of_the_chain_is_that_of_the_study() -> None:
    scores = Scores(RESULTS / "accuracy.json")
    for page in ("docs/language-model.md", "docs/language-model.zh-CN.md"):
        table = next(t for t in tables(ROOT / page) if any("tax_chem" in row[0] for row in t))
        for data, (_, *cells) in zip(SETS, table[1:], strict=True):
            assert cells == [cell(scores, data, row, c) for row, c in zip(CHAIN_ROWS, cells, strict=True)], (page, data)


@pytest.mark.parametrize(
    ("pages", "contenders", "columns"),
    [
        (("README.md", "README.zh-CN.md"), README_CONTENDERS, ("p50", "cold start", "installed")),
        (
            ("docs/measured.md", "docs/measured.zh-CN.md"),
            MEASURED_CONTENDERS,
            ("p50", "cold start", "peak RSS", "installed"),
        ),
    ],
)
def test_speed_is_that_of_the_study(
    pages: tuple[str, str], contenders: tuple[str, ...], columns: tuple[str, ...]
) -> None:
    results = {one["name"]: one for one in json.loads((RESULTS / "latency.json").read_text("utf-8"))["results"]}
    for page, table in tables_of(pages, "p50"):
        for contender, (_, *cells) in zip(contenders, table[1:], strict=True):
            assert cells == times(results[contender], columns), (page, contender)


def test_a_figure_that_differs_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("| | hs_chem |\n|---|---|\n| ours | **1,086.7** |\n\nText\n| a |\n", encoding="utf-8")
    assert tables(page) == [[["", "hs_chem"], ["ours", "1086.7"]], [["a"]]]
