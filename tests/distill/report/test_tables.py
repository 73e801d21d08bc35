"""Tables about classes and mistakes."""

from __future__ import annotations

from xml.etree import ElementTree

from distill.report.evaluation import Evaluation
from distill.report.tables import class_table, confusions, mistake_table
from distill.runs.run_folder import PredictionRow
from tests.distill.report.runs import rows, said


def evaluation(names: tuple[str, ...], *answers: tuple[str, str]) -> Evaluation:
    return Evaluation(names, tuple(PredictionRow("x", label, guess, 0.9, ()) for label, guess in answers))


def test_the_class_of_the_smallest_f1_comes_first_and_one_without_texts_last() -> None:
    found = evaluation(("无", "酸", "碱"), ("酸", "酸"), ("酸", "酸"), ("酸", "碱"), ("碱", "碱"))
    assert rows(ElementTree.fromstring(class_table(found))) == [
        ["class", "precision", "recall", "F1", "support"],
        ["碱", "0.500", "1.000", "0.667", "1"],
        ["酸", "1.000", "0.667", "0.800", "3"],
        ["无", "–", "–", "–", "0"],
    ]


def test_a_matrix_heads_columns_by_number_and_colours_cells_by_their_share_of_the_row() -> None:
    found = evaluation(("酸", "碱"), ("酸", "酸"), ("酸", "酸"), ("酸", "酸"), ("酸", "碱"), ("碱", "碱"))
    table = next(ElementTree.fromstring(confusions(found)).iter("table"))
    assert rows(table) == [["class", "1", "2"], ["1: 酸", "3", "1"], ["2: 碱", "", "1"]]
    most, few, empty, all_right = table.iter("td")
    assert most.get("style") == "background:#95bfe9"
    assert few.get("title") == "酸 → 碱"
    assert empty.get("style") is None
    assert all_right.get("style") == "background:#79aee3"


def test_more_classes_than_a_page_is_wide_give_the_most_frequent_confusions() -> None:
    names = tuple(f"类{number}" for number in range(41))
    found = evaluation(names, ("类1", "类2"), ("类3", "类4"), ("类3", "类4"), ("类5", "类5"))
    shown = ElementTree.fromstring(confusions(found))
    assert rows(next(shown.iter("table"))) == [
        ["class", "taken for", "texts"],
        ["类3", "类4", "2"],
        ["类1", "类2", "1"],
    ]
    assert said(ElementTree.fromstring(confusions(evaluation(names, ("类1", "类1"))))) == (
        "No class is taken for another."
    )
    assert "matrix" in confusions(evaluation(names[:40], ("类1", "类2")))


def test_at_most_fifty_mistakes_are_shown_and_long_texts_are_cut() -> None:
    mistakes = [PredictionRow("长" * 1000, "酸", "碱", 0.5, ())] * 60
    header, *shown = rows(ElementTree.fromstring(mistake_table(mistakes)))
    assert header == ["text", "class", "predicted", "score"]
    assert shown == [["长" * 300 + "…", "酸", "碱", "0.500"]] * 50
