"""``gm-distill audit`` as users meet it: what is printed and written, also of data that a run refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.workbooks import write_workbook

Command = Callable[..., int]
Output = pytest.CaptureFixture[str]


def test_audit_tells_of_data_what_a_run_would_learn_from_and_trains_nothing(
    gm_distill: Command, tmp_path: Path, capsys: Output
) -> None:
    data, left_out = tmp_path / "data.csv", tmp_path / "left_out.csv"
    rows = [f"{name}酸,酸" for name in "硫硝盐磷醋草硼氢碳铬"] + [f"{name}碱,碱" for name in "片液纯烧钾钠锂钙镁钡"]
    data.write_text("\n".join(["名,类", *rows, ",碱", "硫酸,碱", "硫酸,酸"]), encoding="utf-8")
    columns = ("--text-column", "名", "--label-column", "类")
    assert gm_distill("audit", data, *columns) == 0
    out = capsys.readouterr().out
    assert "left out: 1 without a text, 3 with conflicting labels (to see them, add --left-out left_out.csv)" in out
    assert "of train" in out
    assert gm_distill("audit", data, *columns, "--left-out", left_out) == 0
    assert [line.split(",")[1:] for line in left_out.read_text(encoding="utf-8-sig").splitlines()[:3]] == [
        ["line", "reason", "text", "label"],
        ["22", "empty text", "", "碱"],
        ["2", "conflicting labels", "硫酸", "酸"],
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.csv", "left_out.csv"]
    assert gm_distill("audit", data, *columns, "--left-out", data) == 2
    assert gm_distill("audit", tmp_path / "none.csv") == 3


def test_audit_of_data_that_a_run_refuses_shows_them_and_says_why(
    gm_distill: Command, tmp_path: Path, capsys: Output
) -> None:
    rows = [[f"{kind}{number}", kind if number == 0 else ""] for kind in "酸碱盐" for number in range(20)]
    path = write_workbook(tmp_path / "merged.xlsx", {"Sheet": [["text", "label"], *rows]})
    assert gm_distill("audit", path, "--left-out", tmp_path / "left_out.csv") == 3
    printed = capsys.readouterr()
    assert printed.out.startswith("3 texts of 3 classes; left out: 57 without a label")
    assert "class  texts" in printed.out
    assert "3 classes ('酸', '碱', '盐') have one row each after cleaning" in printed.err
    assert "57 of 60 texts have no label; merged cells?" in printed.err
    assert len((tmp_path / "left_out.csv").read_text(encoding="utf-8-sig").splitlines()) == 58
