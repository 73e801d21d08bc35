"""A folder of shards: which are in it, and what a run over it says."""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from runtime import Classifier, ConfigError, DataError
from runtime.bundles.manifest import MANIFEST
from runtime.folders.folder import Shards, classify_folder, find_shards, in_this_process
from runtime.folders.shards import KEPT, RECEIPTS, WORK, Job, Outcome
from runtime.tables.rows import read_table
from tests.runtime.shard_folders import answers, job, visible, write_shard, write_shards
from tests.runtime.small_bundles import TEXTS

Run = Callable[..., str]


@pytest.fixture
def run(classifier: Classifier, shared_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Classifies ``tmp_path / "shards"`` in this process and returns the line that it prints."""

    def classify(*, column: str = "text", jsonl: bool = False) -> str:
        work = job(shared_bundle, tmp_path / "shards", column=column, jsonl=jsonl)
        classify_folder(classifier, work, in_this_process)
        return capsys.readouterr().out

    return classify


def test_shards_are_found_in_folders_too_the_largest_first(tmp_path: Path) -> None:
    write_shard(tmp_path / "b.csv", TEXTS)
    write_shard(tmp_path / "year=2026" / "a.jsonl", TEXTS * 4)
    write_shard(tmp_path / "a.csv", TEXTS)
    for hidden in (".a.csv", "_a.csv", "~$a.xlsx", "_delta_log/0.parquet", ".gm-classify/a.csv"):
        write_shard(tmp_path / hidden, TEXTS)
    (tmp_path / "README").write_text("about", encoding="utf-8")
    (tmp_path / "link").symlink_to(tmp_path / "year=2026")
    shards = find_shards(tmp_path)
    assert shards.names == ("year=2026/a.jsonl", "a.csv", "b.csv")
    assert shards.others == 5


def test_a_bundle_among_the_shards_is_passed_over(bundle: Path, tmp_path: Path) -> None:
    write_shard(tmp_path / "a.csv", TEXTS)
    write_shard(bundle / "within" / "b.csv", TEXTS)
    assert find_shards(tmp_path) == Shards(names=("a.csv",), others=1)
    with pytest.raises(DataError, match="holds no table"):
        find_shards(bundle)


def test_a_folder_with_a_manifest_of_another_program_is_no_bundle(tmp_path: Path) -> None:
    write_shard(tmp_path / "year=2026" / "a.csv", TEXTS)
    (tmp_path / "year=2026" / MANIFEST).touch()
    assert find_shards(tmp_path) == Shards(names=("year=2026/a.csv",), others=1)


def test_as_many_files_of_answers_as_shards_and_every_row_once(run: Run, tmp_path: Path) -> None:
    write_shards(tmp_path / "shards")
    assert run() == "shards: 3 done, 0 done before, 0 failed; rows: 24, 0 of them not accepted\n"
    assert visible(tmp_path / "answers") == visible(tmp_path / "shards")
    for name in visible(tmp_path / "shards"):
        given, got = answers(tmp_path / "shards" / name), answers(tmp_path / "answers" / name)
        assert [(row["no"], row["text"]) for row in got] == [(row["no"], row["text"]) for row in given]


def test_a_text_with_a_carriage_return_stays_one_row(run: Run, tmp_path: Path) -> None:
    write_shard(tmp_path / "shards" / "a.jsonl", ["acid\rdrum", "乙醇"])
    run()
    rows = read_table(tmp_path / "answers" / "a.csv")
    assert [(row.values["no"], row.values["text"]) for row in rows] == [("a-0", "acid\rdrum"), ("a-1", "乙醇")]


def test_a_shard_without_rows_has_answers_that_are_a_table(run: Run, tmp_path: Path) -> None:
    write_shard(tmp_path / "shards" / "none.csv", [])
    assert run() == "shards: 1 done, 0 done before, 0 failed; rows: 0, 0 of them not accepted\n"
    assert read_table(tmp_path / "answers" / "none.csv").columns[:3] == ("no", "text", "label")
    with pytest.raises(DataError, match=r"none\.csv has no column 'name', only: no, text"):
        run(column="name")


def test_a_second_run_does_what_is_new_only(run: Run, tmp_path: Path) -> None:
    folder = write_shards(tmp_path / "shards")
    run()
    write_shard(folder / "part-3.csv", ["", "乙醇"])
    write_shard(folder / "part-0.csv", ["甲苯"])
    assert run() == "shards: 2 done, 2 done before, 0 failed; rows: 19, 1 of them not accepted\n"
    assert [row["text"] for row in answers(tmp_path / "answers" / "part-0.csv")] == ["甲苯"]


def test_a_bad_shard_is_named_and_the_others_are_done(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_shards(tmp_path / "shards", shards=2)
    (folder / "bad.csv").write_text("name\nx\n", encoding="utf-8")
    with pytest.raises(
        DataError, match=r"bad\.csv has no column 'text', only: name; name another with --text-column NAME$"
    ):
        run()
    assert capsys.readouterr().out.startswith("shards: 2 done, 0 done before, 1 failed; rows: 16, ")
    assert visible(tmp_path / "answers") == ["part-0.csv", "part-1.csv"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems count the length of names in other ways")
@pytest.mark.parametrize("jsonl", [False, True])
def test_a_name_that_is_too_long_is_told_each_time_and_the_others_are_done(
    run: Run, tmp_path: Path, jsonl: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    write_shard(tmp_path / "shards" / f"{'氢' * 83}ab.csv", TEXTS)  # As long as can be: in .jsonl too long to look for.
    write_shards(tmp_path / "shards", shards=1)
    for done in ("1 done, 0 done before", "0 done, 1 done before"):
        with pytest.raises(DataError, match=r"氢ab\..*File name too long.*; check the path"):
            run(jsonl=jsonl)
        assert capsys.readouterr().out.startswith(f"shards: {done}, 1 failed")


def test_many_bad_shards_are_one_line(run: Run, tmp_path: Path) -> None:
    write_shards(tmp_path / "shards", shards=8)
    rest = "; 7 more shards failed: part-1.csv, part-2.csv, part-3.csv, part-4.csv, part-5.csv, …"
    with pytest.raises(DataError, match=f"part-0.csv has no column 'x', .*--text-column NAME{rest}$"):
        run(column="x")


def test_the_error_has_the_class_and_so_the_exit_code_of_the_first(
    classifier: Classifier, shared_bundle: Path, tmp_path: Path
) -> None:
    work = job(shared_bundle, write_shards(tmp_path / "shards", shards=1))
    with pytest.raises(ConfigError, match=r"^needs pyarrow$"):
        classify_folder(
            classifier, work, lambda *_: iter([Outcome("a.csv", kind="ConfigError", error="needs pyarrow")])
        )


def test_a_file_that_holds_no_answers_is_not_replaced(run: Run, tmp_path: Path) -> None:
    write_shards(tmp_path / "shards")
    theirs = write_shard(tmp_path / "answers" / "part-1.csv", ["theirs"])
    before = theirs.read_bytes()
    with pytest.raises(DataError, match=r"part-1\.csv: the file is there, and holds no answers; choose another place"):
        run()
    assert (theirs.read_bytes(), visible(tmp_path / "answers")) == (before, ["part-1.csv"])


def test_answers_that_a_killed_run_left_without_a_receipt_are_replaced(run: Run, tmp_path: Path) -> None:
    write_shards(tmp_path / "shards")
    run()
    (tmp_path / "answers" / RECEIPTS / "part-1.csv").unlink()
    assert run().startswith("shards: 1 done, 2 done before, 0 failed")


@pytest.mark.parametrize("older", [False, True])
def test_corrected_answers_are_kept_and_the_other_shards_are_done(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], older: bool
) -> None:
    folder = write_shards(tmp_path / "shards")
    run()
    if older:
        _as_older_checkouts_did(tmp_path / "answers")
    corrected = tmp_path / "answers" / "part-1.csv"
    corrected.write_text(corrected.read_text(encoding="utf-8-sig").replace(",ok", ",by hand"), encoding="utf-8")
    before = corrected.read_bytes()
    write_shard(folder / "part-3.csv", TEXTS)
    with pytest.raises(DataError, match=r"part-1\.csv was changed after it was written, and stays as it is; to have"):
        run()
    assert capsys.readouterr().out.startswith("shards: 1 done, 2 done before, 1 failed")
    assert corrected.read_bytes() == before


def test_answers_to_a_shard_that_is_gone_are_not_mixed_with_the_others(run: Run, tmp_path: Path) -> None:
    folder = write_shards(tmp_path / "shards")
    run()
    (folder / "part-0.csv").rename(folder / "renamed.csv")
    with pytest.raises(DataError, match=r"part-0\.csv answers a shard that .*shards lacks, or in another format"):
        run()
    (tmp_path / "answers" / "part-0.csv").unlink()
    assert run().startswith("shards: 1 done, 2 done before, 0 failed")


def test_csv_does_not_become_json_lines_beside_itself(run: Run, tmp_path: Path) -> None:
    write_shards(tmp_path / "shards", shards=1)
    run()
    with pytest.raises(DataError, match=r"answers/part-0\.csv answers a shard .* or in another format; remove it"):
        run(jsonl=True)


@pytest.mark.parametrize(
    ("one", "other"), [("A.jsonl", "a.csv"), ("äss.jsonl", "ÄSS.csv"), ("STRAẞE.jsonl", "straße.csv")]
)
def test_two_shards_that_would_share_a_file_are_refused(run: Run, tmp_path: Path, one: str, other: str) -> None:
    for name in (one, other):
        write_shard(tmp_path / "shards" / name, TEXTS)
    with pytest.raises(DataError, match=rf"the answers to {one} and {other} would have the same name; rename one"):
        run()


def test_names_that_differ_in_more_than_case_are_two_shards(run: Run, tmp_path: Path) -> None:
    for name in ("Straße.csv", "Strasse.csv"):
        write_shard(tmp_path / "shards" / name, TEXTS)
    assert run().startswith("shards: 2 done, 0 done before, 0 failed")
    assert visible(tmp_path / "answers") == ["Strasse.csv", "Straße.csv"]


def test_what_a_killed_run_left_does_not_count_in_the_next_and_goes(run: Run, tmp_path: Path) -> None:
    write_shards(tmp_path / "shards", shards=1)
    workplace = tmp_path / "answers" / WORK / "part-0.csv"
    for number in range(3):
        (workplace / f".part-0.csv.killed-{number}").mkdir(parents=True)
    assert run().startswith("shards: 1 done")
    kept = tmp_path / "answers" / KEPT
    assert sorted(path.relative_to(kept).as_posix() for path in kept.rglob("*")) == [
        ".lock",
        ".receipts",
        ".receipts/part-0.csv",
        ".work",
    ]


@pytest.mark.parametrize("rows", [1, 3])
def test_a_folder_may_be_called_as_what_is_kept_of_a_table(run: Run, tmp_path: Path, rows: int) -> None:
    for name in ("x.csv.work/y.csv", "x.csv.json/y.csv", "receipts/y.csv", "work/y.csv"):
        write_shard(tmp_path / "shards" / name, TEXTS[:2])
    write_shard(tmp_path / "shards" / "x.csv", TEXTS[:rows])  # The largest is done first.
    assert run().startswith("shards: 5 done, 0 done before, 0 failed")
    assert run().startswith("shards: 0 done, 5 done before, 0 failed")


def _as_older_checkouts_did(out: Path) -> None:
    for path in (out / RECEIPTS).iterdir():
        path.rename(out / KEPT / f"{path.name}.json")
    (out / RECEIPTS).rmdir()


def test_the_receipts_of_older_checkouts_are_still_found(run: Run, tmp_path: Path) -> None:
    folder = write_shards(tmp_path / "shards")
    run()
    _as_older_checkouts_did(tmp_path / "answers")
    assert run().startswith("shards: 0 done, 3 done before, 0 failed")
    (tmp_path / "answers" / "part-0.csv").write_bytes(b"\xef\xbb\xbfno,te")
    assert run().startswith("shards: 1 done, 2 done before, 0 failed")
    assert run().startswith("shards: 0 done, 3 done before, 0 failed")
    (folder / "part-1.csv").unlink()
    with pytest.raises(DataError, match=r"part-1\.csv answers a shard that .*shards lacks"):
        run()


def test_a_second_run_at_the_same_time_is_refused_and_leaves_the_first_its_workplaces(
    classifier: Classifier, shared_bundle: Path, tmp_path: Path
) -> None:
    work = job(shared_bundle, write_shards(tmp_path / "shards"))
    half = work.workplace("part-0.csv") / ".part-0.csv.abcd1234"

    def spread(classifier: Classifier, job: Job, names: Sequence[str]) -> Iterator[Outcome]:
        half.mkdir(parents=True)
        with pytest.raises(DataError, match=r"^another run writes to .*answers; wait until it ends, then run"):
            classify_folder(classifier, work, in_this_process)
        assert half.is_dir()
        yield from in_this_process(classifier, job, names)

    classify_folder(classifier, work, spread)
    assert visible(work.out) == ["part-0.csv", "part-1.csv", "part-2.csv"]
    assert not half.exists()
    classify_folder(classifier, work, in_this_process)


def test_a_folder_without_tables_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "shards").mkdir()
    with pytest.raises(DataError, match=r"shards holds no table; it may hold files that end in \.csv "):
        run()


def test_answers_never_lie_among_the_shards(classifier: Classifier, shared_bundle: Path, tmp_path: Path) -> None:
    work = job(shared_bundle, write_shards(tmp_path / "shards"))
    for out in (work.folder, work.folder / "answers"):
        with pytest.raises(DataError, match="lies in the folder that is read; choose another place with --out"):
            classify_folder(classifier, replace(work, out=out), in_this_process)


@pytest.mark.parametrize("folder", ["in", ".gm-classify", ".gm-classify/.work"])
def test_a_folder_in_the_output_is_not_written_to(
    classifier: Classifier, shared_bundle: Path, tmp_path: Path, folder: str
) -> None:
    write_shard(tmp_path / folder / "a.csv", TEXTS)
    write_shard(tmp_path / folder / folder / "a.csv", TEXTS)  # Its answers would be the file above.
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.csv")}
    work = replace(job(shared_bundle, tmp_path / folder), out=tmp_path)
    with pytest.raises(DataError, match="would lie in the folder that is read"):
        classify_folder(classifier, work, in_this_process)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.csv")} == before


def test_answers_beside_the_folder_in_the_same_output_are_written(
    classifier: Classifier, shared_bundle: Path, tmp_path: Path
) -> None:
    write_shard(tmp_path / "in" / "a.csv", TEXTS)
    work = replace(job(shared_bundle, tmp_path / "in"), out=tmp_path)
    classify_folder(classifier, work, in_this_process)
    assert visible(tmp_path) == ["a.csv", "in"]


def test_no_link_leads_the_answers_to_a_shard(classifier: Classifier, shared_bundle: Path, tmp_path: Path) -> None:
    table = write_shard(tmp_path / "data" / "a.csv", TEXTS)
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / "a.csv").symlink_to(table)
    work = job(shared_bundle, tmp_path / "shards")
    work.out.symlink_to(table.parent)
    before = table.read_bytes()
    with pytest.raises(DataError, match=r"the answers to a\.csv in .* or take the place of a table"):
        classify_folder(classifier, work, in_this_process)
    assert table.read_bytes() == before
