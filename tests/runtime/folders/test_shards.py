"""One shard: its answers, its receipt, and when it is done again."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pyarrow
import pytest
from pyarrow import parquet

from runtime import Classifier, DataError
from runtime.folders.shards import Job, classify_shard, try_shard
from tests.runtime.shard_folders import answers, job, visible, write_shard
from tests.runtime.small_bundles import TEXTS


@pytest.fixture
def one(shared_bundle: Path, tmp_path: Path) -> Job:
    """A folder with one shard."""
    return job(shared_bundle, write_shard(tmp_path / "shards" / "part-0.csv", TEXTS).parent)


def test_a_shard_becomes_the_table_of_its_answers(classifier: Classifier, one: Job) -> None:
    outcome = classify_shard(classifier, one, "part-0.csv")
    predictions = classifier.classify_many(TEXTS)
    rejected = sum(not prediction.accepted for prediction in predictions)
    assert (outcome.rows, outcome.rejected, outcome.resumed) == (len(TEXTS), rejected, False)
    rows = answers(one.out / "part-0.csv")
    assert [row["no"] for row in rows] == [f"part-0-{number}" for number in range(len(TEXTS))]
    assert [(row["text"], row["label"], row["score"]) for row in rows] == [
        (text, prediction.label, str(round(prediction.score, 6)))
        for text, prediction in zip(TEXTS, predictions, strict=True)
    ]


def test_a_parquet_shard_larger_than_a_chunk_keeps_its_order(
    classifier: Classifier, shared_bundle: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "shards"
    (folder / "day=1").mkdir(parents=True)
    table = pyarrow.table({"no": list(range(2500)), "text": [TEXTS[row % len(TEXTS)] for row in range(2500)]})
    parquet.write_table(table, folder / "day=1" / "part.parquet")
    work = job(shared_bundle, folder, jsonl=True, top_k=2)
    assert classify_shard(classifier, work, "day=1/part.parquet").rows == 2500
    lines = (work.out / "day=1" / "part.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["no"] for row in rows] == [str(row) for row in range(2500)]
    assert [entry["label"] for entry in rows[3]["top"]] == [label for label, _ in classifier.classify(TEXTS[3]).top(2)]


def test_a_shard_that_is_done_is_left_alone(classifier: Classifier, one: Job) -> None:
    first = classify_shard(classifier, one, "part-0.csv")
    written = (one.out / "part-0.csv").stat().st_mtime_ns
    again = classify_shard(classifier, one, "part-0.csv")
    assert again == replace(first, resumed=True)
    assert (one.out / "part-0.csv").stat().st_mtime_ns == written


def _cut_answers(work: Job) -> None:
    path = work.target("part-0.csv")
    path.write_bytes(path.read_bytes()[:-3])


def _lose_answers(work: Job) -> None:
    work.target("part-0.csv").unlink()


def _lose_receipt(work: Job) -> None:
    work.receipt("part-0.csv").unlink()


def _damage_receipt(work: Job) -> None:
    work.receipt("part-0.csv").write_text('["made_from"]', encoding="utf-8")


@pytest.mark.parametrize("damage", [_cut_answers, _lose_answers, _lose_receipt, _damage_receipt])
def test_what_is_damaged_is_done_again(classifier: Classifier, one: Job, damage: Callable[[Job], None]) -> None:
    classify_shard(classifier, one, "part-0.csv")
    whole = one.target("part-0.csv").read_bytes()
    damage(one)
    assert not classify_shard(classifier, one, "part-0.csv").resumed
    assert one.target("part-0.csv").read_bytes() == whole
    assert classify_shard(classifier, one, "part-0.csv").resumed


@pytest.mark.parametrize("cut", ["nothing left", "in the header", "in a row", "behind a row", "the last line end"])
def test_answers_that_were_cut_short_are_done_again(classifier: Classifier, one: Job, cut: str) -> None:
    classify_shard(classifier, one, "part-0.csv")
    target = one.target("part-0.csv")
    whole = target.read_bytes()
    behind_row = whole.index(b"\n", 100) + 1
    kept = {"nothing left": 0, "in the header": 9, "in a row": behind_row + 5, "behind a row": behind_row}
    target.write_bytes(whole[: kept.get(cut, -1)])
    assert not classify_shard(classifier, one, "part-0.csv").resumed
    assert target.read_bytes() == whole


def _correct_a_label(whole: bytes) -> bytes:
    return whole.replace(whole.splitlines()[2].split(b",")[2], "危废".encode())


def _save_with_excel(whole: bytes) -> bytes:
    return whole.decode("utf-8-sig").replace("\n", "\r\n").encode("gb18030")


def _leave_out_a_row(whole: bytes) -> bytes:
    lines = whole.splitlines(keepends=True)
    return b"".join(lines[:2] + lines[3:])


def _part_by_semicolons(whole: bytes) -> bytes:
    return whole.replace(b",", b";")  # no answers to who looks at the header


@pytest.mark.parametrize("edit", [_correct_a_label, _save_with_excel, _leave_out_a_row, _part_by_semicolons])
def test_answers_that_somebody_changed_are_kept_until_they_are_removed(
    classifier: Classifier, one: Job, edit: Callable[[bytes], bytes]
) -> None:
    classify_shard(classifier, one, "part-0.csv")
    target = one.target("part-0.csv")
    whole = target.read_bytes()
    target.write_bytes(edit(whole))
    for _ in range(2):
        outcome = try_shard(classifier, one, "part-0.csv")
        assert outcome.kind == "DataError"
        assert outcome.error == (
            f"{target} was changed after it was written, and stays as it is; "
            "to have it made again, move it away or remove it"
        )
        assert target.read_bytes() == edit(whole)
    target.unlink()
    assert not classify_shard(classifier, one, "part-0.csv").resumed
    assert target.read_bytes() == whole


def test_a_shard_that_changed_is_done_again_though_its_size_did_not(classifier: Classifier, one: Job) -> None:
    classify_shard(classifier, one, "part-0.csv")
    source = one.source("part-0.csv")
    source.write_bytes(source.read_bytes().replace(b"acetone", b"ACETONE"))
    assert not classify_shard(classifier, one, "part-0.csv").resumed
    assert "ACETONE" in one.target("part-0.csv").read_text(encoding="utf-8-sig")


def test_another_bundle_or_other_options_do_it_again(classifier: Classifier, one: Job) -> None:
    classify_shard(classifier, one, "part-0.csv")
    assert not classify_shard(classifier, replace(one, bundle="0" * 64), "part-0.csv").resumed
    assert not classify_shard(classifier, replace(one, cascade=False), "part-0.csv").resumed
    assert not classify_shard(classifier, replace(one, top_k=2), "part-0.csv").resumed
    assert "label_2" in answers(one.target("part-0.csv"))[0]


class _Appending:
    """A classifier during whose work somebody appends to the shard."""

    def __init__(self, classifier: Classifier, path: Path) -> None:
        self._classifier = classifier
        self._path = path
        self.bundle = classifier.bundle

    def classify_many(self, texts: list[str]) -> object:
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write("late,乙醇\n")
        return self._classifier.classify_many(texts)


def test_a_shard_that_grows_meanwhile_is_refused(classifier: Classifier, one: Job) -> None:
    appending = _Appending(classifier, one.source("part-0.csv"))
    with pytest.raises(DataError, match=r"part-0\.csv changed while it was read; run the same command again"):
        classify_shard(appending, one, "part-0.csv")  # type: ignore[arg-type]
    assert visible(one.out) == []


def test_a_killed_process_leaves_its_half_out_of_sight_and_the_next_one_is_whole(
    classifier: Classifier, one: Job
) -> None:
    killed = one.workplace("part-0.csv") / ".part-0.csv.abcd1234"
    killed.mkdir(parents=True)
    (killed / "part-0.csv").write_text("half", encoding="utf-8")
    classify_shard(classifier, one, "part-0.csv")
    assert visible(one.out) == ["part-0.csv"]
    assert len(answers(one.target("part-0.csv"))) == len(TEXTS)


def test_a_shard_that_took_down_three_processes_is_not_tried_again(classifier: Classifier, one: Job) -> None:
    for number in range(3):
        (one.workplace("part-0.csv") / f".part-0.csv.killed-{number}").mkdir(parents=True)
    outcome = try_shard(classifier, one, "part-0.csv")
    assert outcome.kind == "DataError"
    assert "part-0.csv: 3 processes died while they classified it" in outcome.error


def test_an_error_is_an_outcome_that_names_the_file(classifier: Classifier, one: Job) -> None:
    outcome = try_shard(classifier, replace(one, column="name"), "part-0.csv")
    assert (outcome.kind, outcome.rows) == ("MissingColumnError", 0)
    assert "part-0.csv has no column 'name', only: no, text; name another with --text-column NAME" in outcome.error
    assert try_shard(classifier, one, "none.csv").error.startswith(f"cannot read {one.folder / 'none.csv'}")


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(36, "File name too long", "x.work"), "[Errno 36] File name too long: 'x.work'; check the path"),
        (MemoryError(), "out of memory; give it smaller input"),
    ],
)
def test_what_the_system_refuses_is_no_fault_in_the_program(
    classifier: Classifier, one: Job, error: Exception, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> NoReturn:
        raise error

    monkeypatch.setattr("runtime.folders.shards._refuse_if_deadly", refuse)
    outcome = try_shard(classifier, one, "part-0.csv")
    assert outcome.kind == "DataError"
    assert outcome.error.startswith(f"{one.source('part-0.csv')}: {says}")


def test_a_fault_in_the_program_is_an_outcome_too(one: Job) -> None:
    outcome = try_shard(None, one, "part-0.csv")  # type: ignore[arg-type]
    assert outcome.kind == "GMError"
    assert "part-0.csv: internal error, AttributeError: " in outcome.error
