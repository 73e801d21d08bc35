"""Accuracy against latency: who has both figures, and the picture."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from benchmarks.accuracy import ROWS, command
from benchmarks.contenders import lineup
from benchmarks.contenders.sizes import SIZES
from benchmarks.quality.chain_rows import INT8_ROW, TAUGHT_INT8_ROW
from benchmarks.quality.methods import CASCADE, FULL, INT8, METHODS, SIZE_ROWS
from benchmarks.quality.peer_rows import SVM
from benchmarks.quality.scores import Score, Scores
from benchmarks.quality.tradeoff import PAIRS, PICTURE, Point, Tradeoff, tradeoff, tradeoff_markdown
from benchmarks.quality.tradeoff_picture import draw_tradeoff

FOUND = {
    INT8: (0.9, 0.8),
    INT8_ROW: (0.96, 0.82),
    SVM: (0.88, 0.82),
    FULL: (0.91, 0.8),
    CASCADE: (0.89,),
    SIZES[1].row: (0.92, 0.84),
}
MEDIANS = {
    lineup.OURS_INT8: 50.0,
    lineup.LINEAR_SVC: 500.0,
    lineup.OURS_CASCADE: 20.0,
    lineup.OPTIMUM_INT8: 400.0,
    SIZES[1].contender: 100.0,
}


def _scores(path: Path) -> Scores:
    scores = Scores(path)
    for row, accuracies in FOUND.items():
        for data, accuracy in zip(("acids", "salts"), accuracies, strict=False):
            scores.add(Score(data, row, 0, accuracy, accuracy, "f"))
    scores.add(Score("acids", SVM, 1, 0.9, 0.9, "f"))
    scores.add(Score("never served", SVM, 0, 0.1, 0.1, "f"))
    return scores


def _found(folder: Path) -> Tradeoff:
    found = tradeoff(_scores(folder / "accuracy.json"), MEDIANS)
    assert found
    return found


def test_every_pair_names_a_contender_and_a_row(tmp_path: Path) -> None:
    ours = {lineup.OURS_INT8, lineup.OURS_CASCADE, lineup.OURS_FP32}
    others = {entry.name for entry in (*lineup.peers(tmp_path, quick=False), *lineup.sizes(tmp_path))}
    assert {pair.contender for pair in PAIRS} <= ours | others
    assert {pair.row for pair in PAIRS} <= {*ROWS, *METHODS, *SIZE_ROWS, INT8, CASCADE, TAUGHT_INT8_ROW, INT8_ROW}
    assert len({pair.name for pair in PAIRS}) == len(PAIRS)


def test_a_point_has_both_figures_on_every_set_that_ours_and_the_svm_have(tmp_path: Path) -> None:
    found = _found(tmp_path)
    assert found.sets == ("acids", "salts")
    assert [(p.name, p.ratio, round(p.accuracy, 9), p.seeds) for p in found.points] == [
        (lineup.OURS_INT8, 1.0, 0.85, (1, 1)),
        ("gm-edge INT8, taught by a language model too", 1.0, 0.89, (1, 1)),
        (SIZES[1].contender, 2.0, 0.88, (1, 1)),
        (lineup.LINEAR_SVC, 10.0, 0.855, (1, 2)),
    ]
    assert found.left_out[lineup.OURS_CASCADE] == "no accuracy on salts"
    assert found.left_out[lineup.OURS_FP32] == "no latency"


def test_without_our_bundle_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    assert tradeoff(_scores(tmp_path / "accuracy.json"), {lineup.LINEAR_SVC: 500.0}) is None
    assert tradeoff(Scores(tmp_path / "none.json"), MEDIANS) is None


def test_the_section_says_which_sets_and_seeds_and_who_is_left_out(tmp_path: Path) -> None:
    section = tradeoff_markdown(_found(tmp_path), drawn=True)
    assert "mean over acids, salts" in section
    assert f"]({PICTURE})" in section
    assert "| TF-IDF + LinearSVC                           | 10.00 |    500 |     85.5 |      1 to 2 |" in section
    assert f"{lineup.OURS_CASCADE} (no accuracy on salts)" in section
    assert PICTURE not in tradeoff_markdown(_found(tmp_path), drawn=False)


def test_the_picture_names_every_point_and_is_the_same_every_time(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    found = _found(tmp_path)
    first, second = tmp_path / "a.svg", tmp_path / "b.svg"
    draw_tradeoff(found, first)
    draw_tradeoff(found, second)
    assert first.read_bytes() == second.read_bytes()
    texts = [element.text for element in ElementTree.parse(first).iter() if element.tag.endswith("}text")]
    assert {point.name for point in found.points} <= set(texts)


def test_labels_of_points_that_touch_stand_apart(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    names = ("gm-edge one", "gm-edge two", "far away")
    points = tuple(Point(name, 50.0, ratio, 0.9, (1, 1)) for name, ratio in zip(names, (1.0, 1.001, 9.0), strict=True))
    draw_tradeoff(Tradeoff(points, ("acids",), {}), tmp_path / "a.svg")
    drawn = {e.text: e for e in ElementTree.parse(tmp_path / "a.svg").iter() if e.tag.endswith("}text")}
    one, two, _ = (float(drawn[name].attrib["y"]) for name in names)
    assert abs(one - two) > 9


def test_a_label_does_not_run_over_the_next_point(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    places = {
        "left": (0.25, 0.872),
        "gm-edge INT8, cascade": (0.37, 0.894),
        "middle": (1.0, 0.894),
        "right": (11, 0.898),
    }
    points = tuple(Point(name, 50.0, ratio, accuracy, (1, 1)) for name, (ratio, accuracy) in places.items())
    draw_tradeoff(Tradeoff(points, ("acids",), {}), tmp_path / "a.svg")
    drawn = {e.text: e for e in ElementTree.parse(tmp_path / "a.svg").iter() if e.tag.endswith("}text")}
    long, middle = (float(drawn[name].attrib["y"]) for name in ("gm-edge INT8, cascade", "middle"))
    assert abs(long - middle) > 9  # the point in the middle has its label at its side, the one before it above


def test_the_report_of_the_study_brings_the_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    _scores(tmp_path / "accuracy.json")
    results = [{"name": name, "latency": {"titles": {"p50": median}}} for name, median in MEDIANS.items()]
    latency = tmp_path / "latency.json"
    latency.write_text(json.dumps({"results": results}), encoding="utf-8")
    arguments = ["--out", str(tmp_path), "--latency", str(latency)]
    assert CliRunner().invoke(command, arguments, catch_exceptions=False).exit_code == 0
    assert "## Accuracy against latency" in (tmp_path / "accuracy.md").read_text(encoding="utf-8")
    assert (tmp_path / PICTURE).is_file()
