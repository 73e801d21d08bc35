"""Which column of a table holds the text."""

from pathlib import Path

import pytest

from runtime.errors import DataError
from runtime.tables.columns import columns_to_try, differ_in_columns, table_and_column
from tests.workbooks import write_workbook


def test_the_column_that_is_named_is_the_only_one_looked_for() -> None:
    assert columns_to_try("规格", "品名,规格") == ("规格",)


@pytest.mark.parametrize(
    ("trained", "choices"), [("品名,规格", ("品名,规格", "text")), ("text", ("text",)), ("", ("text",))]
)
def test_where_none_is_named_that_of_training_comes_before_text(trained: str, choices: tuple[str, ...]) -> None:
    assert columns_to_try("", trained) == choices


@pytest.mark.parametrize(
    ("named", "trained", "found"),
    [
        ("规格", "品名,规格", True),
        ("规格,品名", "品名,规格", True),
        ("品名， 规格", "品名,规格", False),
        ("", "品名,规格", False),
        ("规格", "", False),
    ],
)
def test_only_known_columns_can_differ(named: str, trained: str, found: bool) -> None:
    assert differ_in_columns(named, trained) is found


@pytest.mark.parametrize(
    ("header", "column"),
    [("品名,规格,text", "品名,规格"), ("品名,text", "text"), ("text,规格,类别,品名", "品名,规格")],
)
def test_the_first_choice_that_a_table_has_is_taken(tmp_path: Path, header: str, column: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(f"{header}\n", encoding="utf-8")
    table, found = table_and_column(path, ("品名,规格", "text"), "", "")
    assert (found, table.columns) == (column, tuple(header.split(",")))


def test_a_table_without_any_is_told_which_column_the_model_knows(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("品名\n硫酸\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"has no column '规格', only: 品名; name another with --text-column NAME"):
        table_and_column(tmp_path / "table.csv", ("品名,规格", "text"), "", "")


def test_sheets_that_all_have_the_columns_of_training_are_not_passed_over_for_another(tmp_path: Path) -> None:
    sheets = {"Jan": [["品名"], ["硫酸"]], "Feb": [["品名"], ["烧碱"]], "notes": [["text"], ["remark"]]}
    write_workbook(tmp_path / "table.xlsx", sheets)
    with pytest.raises(DataError, match="the sheets 'Jan', 'Feb' have these columns"):
        table_and_column(tmp_path / "table.xlsx", ("品名", "text"), "", "")


def test_a_sheet_without_rows_does_not_hide_the_one_that_has_the_column(tmp_path: Path) -> None:
    write_workbook(tmp_path / "table.xlsx", {"empty": [], "lines": [["text"], ["硫酸"]]})
    assert table_and_column(tmp_path / "table.xlsx", ("品名", "text"), "", "")[1] == "text"
