"""Class names and their ids, and predictions of classes that a run does not have."""

from pathlib import Path

import pytest

from distill.runs.classes import label_ids, refuse_strange_classes
from distill.runs.run_folder import RunFolder
from runtime.errors import DataError


def test_ids_count_through_the_names() -> None:
    ids = label_ids(["碱", "酸", "碱"], ("酸", "碱"))
    assert (ids.tolist(), ids.dtype.name) == ([1, 0, 1], "int64")
    assert label_ids([], ()).shape == (0,)


def test_the_first_class_that_labels_json_lacks_is_named(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    refuse_strange_classes(run, ["酸", "碱"], ("酸", "碱"))
    with pytest.raises(DataError, match=r"predictions: dev class 'a' is not in labels\.json; train again$"):
        refuse_strange_classes(run, ["b", "酸", "a"], ("酸", "碱"), "dev class")
