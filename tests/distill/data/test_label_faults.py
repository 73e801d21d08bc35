"""What looks wrong with labels."""

from __future__ import annotations

from distill.data.corpus import Example, LeftOut
from distill.data.label_faults import lost_classes, many_without_label, slips, written_alike

LEFT_OUT: LeftOut = {
    "empty label": (Example("白油", ""), Example(" ", "")),
    "conflicting labels": tuple(
        Example(text, label)
        for text, label in [("ＮａＯＨ", "碱"), ("naoh", "碱"), ("NaOH ", "酸"), ("水", "无"), ("水", "酸")]
    ),
    "duplicate": (Example("水", "无"),),
}


def test_a_class_is_lost_when_only_rows_left_out_have_it() -> None:
    assert lost_classes(["酸"], LEFT_OUT) == {
        "碱": {"conflicting labels": 2},
        "无": {"conflicting labels": 1, "duplicate": 1},
    }
    assert lost_classes(["酸", "碱", "无"], LEFT_OUT) == {}


def test_labels_are_written_alike_whatever_their_width_case_and_blanks() -> None:
    assert written_alike(["SDS 液", "ｓｄｓ液", "酸", "SDS"]) == [["SDS 液", "ｓｄｓ液"]]


def test_texts_without_a_label_are_worth_a_word_from_half_of_all_on() -> None:
    some: LeftOut = {"empty label": LEFT_OUT["empty label"], "empty text": (Example("", "酸"),) * 9}
    assert many_without_label(some, kept=1) == "1 of 2 texts have no label; merged cells?"
    assert many_without_label(some, kept=2) == many_without_label({}, kept=0) == ""


def test_a_slip_is_the_rare_label_of_a_text_however_that_is_written() -> None:
    assert slips(LEFT_OUT) == [("ＮａＯＨ", {"碱": 2, "酸": 1})]
    assert slips({}) == []
