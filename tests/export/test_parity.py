"""Parity on logits written by hand."""

import numpy as np
import pytest

from export.options import Limits
from export.parity import Comparison, LabelledTexts, Logits, check, check_student, compare, passes
from runtime.errors import DataError, ParityError

DATA = LabelledTexts(("one", "two", "three", "four"), np.array([0, 0, 1, 1]), ("acid", "base"))
BEFORE = np.array([[3, 0], [2, 0], [0, 1], [0, 4]], dtype=np.float32)


def _changed(*rows: int) -> Logits:
    after = BEFORE.copy()
    after[list(rows)] = after[list(rows), ::-1]
    return after


def _compare(after: Logits) -> Comparison:
    return compare("INT8", DATA, BEFORE, after)


def _limits(options: dict[str, float]) -> Limits:
    return Limits(**{option.removeprefix("--").replace("-", "_"): value for option, value in options.items()})


def test_equal_decisions_agree_whatever_the_logits() -> None:
    found = _compare(BEFORE * np.float32(1.5))
    assert (found.agreement, found.accuracy, found.macro_f1, found.f1_drop) == (1.0, 1.0, 1.0, 0.0)
    assert found.largest_difference == 2.0
    assert (found.flips, found.recall_change) == ((), {})


def test_a_flip_is_named_with_its_margins() -> None:
    found = _compare(_changed(2))
    flip = found.flips[0]
    assert (flip.text, flip.label, flip.before, flip.after) == ("three", "base", "base", "acid")
    assert (flip.margin_before, flip.margin_after) == (1.0, 1.0)
    assert (found.agreement, found.accuracy) == (0.75, 0.75)
    # F1: acid 2*2/(3+2) = 0.8, base 2*1/(1+2) = 2/3.
    assert found.macro_f1 == pytest.approx((0.8 + 2 / 3) / 2)
    assert found.f1_drop == pytest.approx(1 - (0.8 + 2 / 3) / 2)
    assert found.recall_change == {"base": -0.5}


def test_a_flip_towards_the_truth_counts_against_agreement_all_the_same() -> None:
    found = compare("INT8", DATA, _changed(0), BEFORE)
    assert found.agreement == 0.75
    assert found.f1_drop < 0
    assert not passes(found, Limits())


def test_too_little_agreement_is_refused_in_one_line_with_a_way_out() -> None:
    with pytest.raises(ParityError, match=r"INT8: 3 of 4 test texts .*'three' from base to acid.*0\.75") as caught:
        check([_compare(BEFORE), _compare(_changed(2))], Limits())
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 5


def test_a_refusal_counts_texts_where_shares_would_round_to_the_limit() -> None:
    labels = np.zeros(199, dtype=np.int64)
    before = np.tile(np.array([1, 0], dtype=np.float32), (199, 1))
    after = before.copy()
    after[7] = [0, 1]
    data = LabelledTexts(tuple(map(str, range(199))), labels, DATA.names)
    with pytest.raises(
        ParityError, match=r"198 of 199 test texts keep their label \(1 changed, .*\), at least 99\.5 %"
    ):
        check([compare("INT8", data, before, after)], Limits())


def test_the_way_out_that_the_message_names_is_one() -> None:
    found = _compare(_changed(2))
    options: dict[str, float] = {}
    for option in ("--min-agreement", "--max-f1-drop"):
        with pytest.raises(ParityError, match=rf"allow it with {option} [\d.]+$") as caught:
            check([found], _limits(options))
        options[option] = float(str(caught.value).rpartition(" ")[2])
    check([found], _limits(options))
    assert options == {"--min-agreement": 0.75, "--max-f1-drop": pytest.approx(found.f1_drop, abs=1e-4)}


def test_a_falling_macro_f1_is_refused_even_when_labels_agree_enough() -> None:
    with pytest.raises(ParityError, match=r"macro-F1 on 4 test texts falls by 0\.2667"):
        check([_compare(_changed(2))], Limits(min_agreement=0.5))


def test_limits_are_inclusive() -> None:
    found = _compare(_changed(2))
    assert passes(found, Limits(min_agreement=0.75, max_f1_drop=found.f1_drop))
    assert not passes(found, Limits(min_agreement=0.76, max_f1_drop=1.0))


def test_a_student_that_gives_nan_is_a_data_error() -> None:
    with pytest.raises(DataError, match="NaN"):
        check_student(BEFORE * np.float32("nan"))


def test_a_variant_that_gives_nan_is_no_parity_although_argmax_would_agree() -> None:
    with pytest.raises(ParityError, match="INT8 gives NaN"):
        compare("INT8", DATA, BEFORE, BEFORE + np.float32("inf"))


def test_without_texts_there_is_nothing_to_say() -> None:
    empty = LabelledTexts((), np.array([], dtype=np.int64), DATA.names)
    with pytest.raises(DataError, match="no test predictions"):
        compare("INT8", empty, np.empty((0, 2), np.float32), np.empty((0, 2), np.float32))


def test_the_report_is_plain_json() -> None:
    report = _compare(_changed(2)).to_json()
    assert report["flips"][0]["text"] == "three"
    assert report["more_flips"] == 0
    assert set(report) >= {"variant", "texts", "accuracy", "macro_f1", "agreement", "largest_difference"}


def test_the_report_has_a_hundred_flips_and_the_number_of_the_others() -> None:
    before = np.tile(np.array([1, 0], dtype=np.float32), (250, 1))
    data = LabelledTexts(tuple(str(row) + "长" * 9999 for row in range(250)), np.zeros(250, np.int64), DATA.names)
    found = compare("INT8", data, before, before[:, ::-1])
    assert len(found.flips) == 250
    report = found.to_json()
    assert (len(report["flips"]), report["more_flips"]) == (100, 150)
    assert report["flips"][99]["text"] == "99" + "长" * 498
