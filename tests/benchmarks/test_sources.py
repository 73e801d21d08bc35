"""A source left out: what is trained on, what is tested on, and the study itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.quality.chain_rows import INT8_ROW, LM_ROW, STUDENT_ROW, TEXTS_INT8_ROW, TEXTS_ROW
from benchmarks.quality.methods import ALONE_ROW, FULL, INT8
from benchmarks.quality.peer_rows import SVM
from benchmarks.quality.scores import Score, Scores
from benchmarks.quality.sources_report import leads, markdown
from benchmarks.sources import command, leave_out, read_rows, write_part
from distill.config.sections import DataConfig
from distill.data.corpus import Example, read_corpus
from runtime.errors import DataError
from tests.benchmarks.tiny_chain import short_full_method, tiny_chain
from tests.distill.tiny_lm import write_tiny_lm
from tests.threads import one_thread

__all__ = ["one_thread"]

TINY = ("student.width=16", "student.layers=1", "teacher.width=16", "teacher.layers=1", "training.rounds=1")
SOURCES = ("tariff", "trade marks", "tax")
KINDS = {"酸": ("硫酸", "盐酸", "硝酸"), "树脂": ("聚乙烯", "聚丙烯", "聚苯乙烯")}
NUMBERS = {"train": "一二三四五六七八", "dev": "九十", "test": "甲乙"}


def write_set(folder: Path) -> Path:
    """Write a set of three sources; the tax alone has a class ``火药``, two texts of which are in test."""
    folder.mkdir()
    for split, numbers in NUMBERS.items():
        rows = [
            f"{name}{source[:4]}{number}\t{label}\t{source}"
            for source in SOURCES
            for label, names in KINDS.items()
            for name in names
            for number in numbers
        ]
        rows += [f"火药{number}\t火药\ttax" for number in numbers]
        (folder / f"{split}.tsv").write_text("\n".join(["text\tlabel\tsource", *rows]) + "\n", encoding="utf-8")
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_set(tmp_path / "set")


def _run(data: Path, out: Path, *options: str) -> str:
    arguments = ["--data", str(data), "--work", str(out / "work"), "--out", str(out), *options]
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def test_training_sees_nothing_of_the_source_left_out(data: Path) -> None:
    parts = leave_out(read_rows(data, "source"), all_rows=False)
    assert [part.name for part in parts] == list(SOURCES)
    for part in parts:
        foreign = part.name[:4]
        sizes = {split: len(examples) for split, examples in part.examples.items()}
        powder = part.name == "tax"
        assert sizes == {"train": 96 + 8 * (not powder), "dev": 24 + 2 * (not powder), "test": 12 + 2 * powder}
        assert all(foreign in one.text or one.label == "火药" for one in part.examples["test"])
        assert not any(foreign in one.text for split in ("train", "dev") for one in part.examples[split])


def test_all_rows_of_the_source_can_be_tested_on(data: Path) -> None:
    tax = leave_out(read_rows(data, "source"), all_rows=True)[2]
    assert tax.name == "tax, all rows"
    assert len(tax.examples["test"]) == 6 * 12 + 12


def test_the_tables_of_a_part_are_read_as_they_were_written(data: Path, tmp_path: Path) -> None:
    part = leave_out(read_rows(data, "source"), all_rows=False)[0]
    folder = write_part(part, tmp_path / "parts")
    corpus = read_corpus(DataConfig(path=str(folder)), 0)
    assert (corpus.train, corpus.dev, corpus.test) == tuple(part.examples[name] for name in ("train", "dev", "test"))
    assert write_part(part, tmp_path / "parts") == folder


def test_classes_that_train_lacks_are_errors_and_their_share_is_told(data: Path, tmp_path: Path) -> None:
    report = _run(data, tmp_path, "--seeds", "1", "--row", SVM)
    scores = {score.data: score for score in Scores(tmp_path / "sources.json").all}
    assert set(scores) == set(SOURCES)
    tax = scores["tax"]
    assert tax.unseen == pytest.approx(2 / 14)
    assert (tax.settings, tax.chosen, tax.classes, len(tax.truth)) == ("C by macro-F1 on dev", "C=1", 3, 14)
    assert tax.accuracy <= 12 / 14
    assert tax.class_f1["火药"] == 0.0
    assert tax.class_texts == {"树脂": 6, "火药": 2, "酸": 6}
    assert scores["tariff"].unseen == 0.0
    assert "14 test texts of 3 classes; 14.3 % of the texts have a class that no other source has." in report
    assert (tmp_path / "sources.md").read_text(encoding="utf-8") in report


def test_the_study_trains_serves_and_goes_on_where_it_was(data: Path, tmp_path: Path) -> None:
    settings = [part for setting in (*TINY, "training.initial_epochs=1") for part in ("--set", setting)]
    options = ["--seeds", "1", "--row", FULL, "--row", ALONE_ROW, "--row", "majority", *settings]
    _run(data, tmp_path, *options)
    scores = Scores(tmp_path / "sources.json")
    assert {(s.data, s.row) for s in scores.all} == {
        (source, row) for source in SOURCES for row in (FULL, ALONE_ROW, INT8, "majority")
    }
    full = next(s for s in scores.all if (s.data, s.row) == ("tax", FULL))
    assert sum(full.class_texts.values()) == 14
    _run(data, tmp_path, *options)
    assert Scores(tmp_path / "sources.json").all == scores.all


def test_the_student_of_a_language_model_is_measured_too(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.quality.chain.trained", short_full_method)
    monkeypatch.setattr("benchmarks.sources.Chain", tiny_chain)
    lm, names = write_tiny_lm(tmp_path / "lm", data), tmp_path / "names.txt"
    names.write_text("氯化钠\n氯化钾\n", encoding="utf-8")
    chains = ["--row", STUDENT_ROW, "--row", TEXTS_ROW, "--lm", str(lm), "--unlabelled", str(names)]
    _run(data, tmp_path, "--seeds", "1", *chains, "--row", SVM)
    scores = Scores(tmp_path / "sources.json")
    rows = {LM_ROW, INT8_ROW, STUDENT_ROW, TEXTS_INT8_ROW, TEXTS_ROW, SVM}
    assert {(s.data, s.row) for s in scores.all} == {(source, row) for source in SOURCES for row in rows}
    assert all(sum(s.class_texts.values()) == 14 for s in scores.all if s.data == "tax")  # unknown classes count
    told = [target.line for target in leads(scores)]
    for bundle in ("INT8 bundle of the student of both", "the same with unlabelled texts"):
        assert sum(f"{bundle} over the SVM" in line for line in told) == len(SOURCES)


def test_texts_without_labels_want_a_language_model(data: Path, tmp_path: Path) -> None:
    told = CliRunner().invoke(command, ["--data", str(data), "--unlabelled", str(tmp_path)])
    assert told.exit_code == 2
    assert "give --lm FOLDER" in told.output


def test_the_bundle_is_to_beat_the_svm_on_every_source(tmp_path: Path) -> None:
    scores = Scores(tmp_path / "sources.json")
    for data, accuracy in (("tariff", 0.75), ("tax", 0.73)):
        scores.add(Score(data, SVM, 0, 0.7, 0.6, "f", "", {"酸": 0.6}, {"酸": 9}))
        scores.add(Score(data, INT8, 0, accuracy, 0.6, "f", "", {"酸": 0.6}, {"酸": 9}))
    assert [target.verdict for target in leads(scores)] == ["met", "MISSED"]
    report = markdown(scores)
    assert "| full method, INT8 bundle      | 75.0 ± 0.0 | 60.0 ± 0.0 |                  +5.0 |     1 |" in report
    assert "MISSED        INT8 bundle over the SVM without tax: ≥ 4 points, measured 3.00 points" in report


def test_a_set_that_does_not_tell_its_sources_is_refused(data: Path) -> None:
    with pytest.raises(DataError, match="no column 'origin'; needed are text, label"):
        read_rows(data, "origin")
    (data / "dev.tsv").unlink()
    with pytest.raises(DataError, match="has 0 tables named dev"):
        read_rows(data, "source")


def test_one_source_cannot_be_left_out(tmp_path: Path) -> None:
    for split in NUMBERS:
        (tmp_path / f"{split}.tsv").write_text("text\tlabel\tsource\n硫酸\t酸\ttax\n", encoding="utf-8")
    with pytest.raises(DataError, match="fewer than two sources"):
        read_rows(tmp_path, "source")


def test_a_row_that_is_none_ends_the_command_with_2(data: Path, tmp_path: Path) -> None:
    outcome = CliRunner().invoke(command, ["--data", str(data), "--out", str(tmp_path), "--row", "SVM"])
    assert outcome.exit_code == 2
    assert "no such row: SVM" in outcome.output


def test_blanks_around_cells_are_not_part_of_them(tmp_path: Path) -> None:
    for split in NUMBERS:
        table = "text\tlabel\tsource\n 硫酸 \t强  酸\t tax \n碱\t\ttax\n盐酸\t酸\ttariff\n"
        (tmp_path / f"{split}.tsv").write_text(table, encoding="utf-8")
    first, second = read_rows(tmp_path, "source")[:2]
    assert (first.example, first.source, second.source) == (Example("硫酸", "强 酸"), "tax", "tariff")
