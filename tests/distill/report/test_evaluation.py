"""Evaluating a student on a file: what is scored, what is not, and what it had learned before."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from distill.config.sections import DataConfig
from distill.recipes.gate_mixup import train
from distill.report.evaluation import Evaluation, evaluate_file, evaluate_test_set
from distill.report.evaluation_report import report
from distill.runs.run_folder import PredictionRow, RunFolder, learned_hash
from runtime.errors import DataError
from tests.distill.tiny import tiny_recipe, write_tiny_data

NAMES = ("碱", "酸")
RIGHT = PredictionRow("盐酸", "酸", "酸", 0.9, ())
WRONG = PredictionRow("片碱", "碱", "酸", 0.6, ())


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run on data that lie beside it."""
    folder = tmp_path_factory.mktemp("evaluated")
    recipe = tiny_recipe(write_tiny_data(folder / "data"), "training.initial_epochs=1", "training.rounds=1")
    train(recipe, folder / "run", "cpu")
    return RunFolder(folder / "run")


def table(path: Path, *rows: tuple[str, str]) -> Path:
    path.write_text("".join(f"{text}\t{label}\n" for text, label in [("text", "label"), *rows]), encoding="utf-8")
    return path


def first_lines(evaluation: Evaluation) -> list[str]:
    return report(evaluation).split("\n\n")[0].split("\n")


def test_texts_of_unknown_classes_are_answered_and_kept_apart(run: RunFolder, tmp_path: Path) -> None:
    rows = [("盐酸 AR", "酸"), ("废酸", "危废"), ("", "酸"), ("煤", ""), ("废碱", "危废")]
    found = evaluate_file(run, table(tmp_path / "data.tsv", *rows), DataConfig())
    assert [answer.text for answer in found.answers] == ["盐酸 AR"]
    assert [answer.text for answer in found.unknown] == ["废酸", "废碱"]
    assert found.left_out == 2
    assert {answer.predicted for answer in found.unknown} <= {*run.labels()}


def test_a_file_gives_the_answers_that_the_run_stored(run: RunFolder) -> None:
    data = run.path.parent / "data" / "test.tsv"
    stored, found = evaluate_test_set(run).answers, evaluate_file(run, data, DataConfig()).answers
    assert [(one.text, one.label, one.predicted) for one in found] == [
        (one.text, one.label, one.predicted) for one in stored
    ]
    assert [one.score for one in found] == pytest.approx([one.score for one in stored])


def test_a_class_that_labels_json_lacks_is_named(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.save_labels(NAMES)
    run.save_predictions("test", [PredictionRow("煤", "矿", "酸", 0.9, (0.0, 1.0))])
    with pytest.raises(DataError, match=r"class '矿' is not in labels\.json"):
        evaluate_test_set(run)


def test_texts_of_train_and_dev_are_recognised_whatever_their_width_and_case(run: RunFolder, tmp_path: Path) -> None:
    learned = {
        split: (run.path.parent / "data" / f"{split}.tsv").read_text(encoding="utf-8") for split in ("train", "dev")
    }
    texts = [rows.splitlines()[1].split("\t")[0] for rows in learned.values()]
    rows = [(texts[0].replace(" ", "　"), "酸"), (texts[1].upper(), "酸"), ("没见过的酸", "酸")]
    found = evaluate_file(run, table(tmp_path / "data.tsv", *rows), DataConfig())
    assert [answer.text for answer in found.new] == ["没见过的酸"]


def test_a_run_knows_what_it_learned_when_its_data_have_grown_or_are_gone(tmp_path: Path) -> None:
    data, run = write_tiny_data(tmp_path / "data"), RunFolder(tmp_path / "run")
    train(tiny_recipe(data, "training.initial_epochs=1", "training.rounds=1"), run.path, "cpu")
    learned = [
        line.split("\t")[0]
        for split in ("train", "dev")
        for line in (data / f"{split}.tsv").read_text(encoding="utf-8").splitlines()[1:]
    ]
    test = table(tmp_path / "test.tsv", *((text, "酸") for text in learned), ("没见过的酸", "酸"))
    with (data / "train.tsv").open("a", encoding="utf-8") as rows:
        rows.write("没见过的酸\t酸\n")
    assert [answer.text for answer in evaluate_file(run, test, DataConfig()).new] == ["没见过的酸"]
    shutil.rmtree(data)
    assert [answer.text for answer in evaluate_file(run, test, DataConfig()).new] == ["没见过的酸"]


@pytest.mark.parametrize("change", ["gone", "other"])
def test_where_an_older_run_kept_no_hashes_and_its_data_are_others_it_says_that_it_cannot_tell_what_was_learned(
    run: RunFolder, tmp_path: Path, change: str
) -> None:
    data = write_tiny_data(tmp_path / "data")
    moved = RunFolder(tmp_path / "run")
    shutil.copytree(run.path, moved.path)
    (moved.path / "learned.json").unlink()
    moved.save_recipe(tiny_recipe(data))
    test = table(tmp_path / "test.tsv", ("盐酸 试剂", "酸"))
    assert evaluate_file(moved, test, DataConfig()).new == ()
    if change == "gone":
        shutil.rmtree(data)
    else:
        with (data / "train.tsv").open("a", encoding="utf-8") as rows:
            rows.write("白酸\t酸\n")
    found = evaluate_file(moved, test, DataConfig())
    assert (len(found.new), found.learned) == (1, None)
    assert "the data of the run are gone or changed: it cannot be told which of these texts it learned" in report(found)


def test_mistakes_come_with_the_surest_first() -> None:
    unknown = PredictionRow("废酸", "危废", "酸", 0.7, ())
    assert Evaluation(NAMES, (WRONG, RIGHT), (unknown,)).mistakes == [unknown, WRONG]


def test_the_report_of_plain_data_begins_with_one_line() -> None:
    assert first_lines(Evaluation(NAMES, (RIGHT, WRONG))) == ["2 texts: accuracy 0.5000, macro-F1 0.3333"]


def test_a_class_that_occurs_nowhere_has_no_scores_and_no_part_in_macro_f1() -> None:
    lines = report(Evaluation(("无", "碱", "酸"), (RIGHT, WRONG))).split("\n")
    assert lines[0] == (
        "2 texts: accuracy 0.5000, macro-F1 0.3333 (mean over the 2 of 3 classes that occur as label or answer)"
    )
    assert [line.split() for line in lines[2:6]] == [
        ["class", "precision", "recall", "F1", "support"],
        ["无", "–", "–", "–", "0"],
        ["碱", "–", "0.000", "0.000", "1"],
        ["酸", "0.500", "1.000", "0.667", "1"],
    ]


def test_a_class_without_texts_that_is_predicted_has_an_f1_of_zero_and_counts() -> None:
    answer = PredictionRow("纯碱", "碱", "酸", 0.6, ())
    lines = report(Evaluation(NAMES, (answer,))).split("\n")
    assert lines[0] == "1 texts: accuracy 0.0000, macro-F1 0.0000"
    assert lines[4].split() == ["酸", "0.000", "–", "0.000", "0"]


def test_unknown_classes_are_told_by_size_and_count_as_wrong() -> None:
    unknown = tuple(PredictionRow("x", label, "酸", 0.5, ()) for label in ("其它", "危废", "危废", "A", "B", "C", "D"))
    assert first_lines(Evaluation(NAMES, (RIGHT,) * 9 + (WRONG,), unknown, left_out=3)) == [
        "10 texts (3 more without a text or a label): accuracy 0.9000, macro-F1 0.4737",
        "7 more texts of classes that the run does not know ('危废' 2, '其它' 1, 'A' 1, 'B' 1, 'C' 1 and 1 more): "
        "counted as wrong, they make the accuracy 0.5294",
    ]


def test_texts_that_were_learned_are_told_from_the_others() -> None:
    found = Evaluation(NAMES, (RIGHT, WRONG), learned=frozenset({learned_hash("盐酸")}))
    assert first_lines(found)[1:] == [
        "the run learned the labels of 1 of the 2 texts, or was chosen by them; "
        "the other 1: accuracy 0.0000, macro-F1 0.0000"
    ]
