"""The page as its reader sees it, for runs of every method, and what is said where there is none."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import datetime, timezone
from html.parser import HTMLParser
from pathlib import Path

import pytest

from distill.config.gate_mixup import read_gate_mixup
from distill.config.language_model import FinetuneRecipe, LayersRecipe
from distill.config.methods import AnyRecipe
from distill.config.multi_teacher import MultiTeacherRecipe
from distill.config.recipe import read_recipe_of
from distill.report.page import write_report
from distill.runs.run_folder import PredictionRow, RunFolder
from runtime.errors import DataError
from tests.distill.report.runs import ANSWERS, Page, one_network, said, write_run

Command = Callable[..., int]
Output = pytest.CaptureFixture[str]
SECTIONS = ["Learning curves", "Classes", "Reliability of the scores", "Gate", "Surest mistakes"]
WITHOUT_GATE = [section for section in SECTIONS if section != "Gate"]


def page_of(run: RunFolder) -> Page:
    out = run.path / "report.html"
    write_report(run, out)
    return Page(out.read_text(encoding="utf-8"))


def test_a_run_of_mutual_learning_has_every_section(tmp_path: Path) -> None:
    page = page_of(write_run(tmp_path / "run"))
    assert page.headings == SECTIONS
    result = next(one for one in page.root.iter("p") if one.get("class") == "result")
    assert said(result) == "Student: accuracy 0.5000, macro-F1 0.5000 on 4 test texts of 2 classes"
    facts = page.facts
    assert facts["texts"] == "1,200 train, 40 dev, 4 test"
    assert facts["data"] == "the example set of the package"
    assert facts["left out"] == "nothing"
    assert facts["method"] == "gate_mixup: a graph teacher and a student taught each other"
    assert facts["versions"] == "python 3.11.7, gm-edge 0.1.0"
    assert facts["finished"] == "after 2 min, on cpu"


def test_numbers_of_the_answers_are_on_the_page(tmp_path: Path) -> None:
    page = page_of(write_run(tmp_path))
    classes, matrix = page.tables("Classes")
    assert classes[1:] == [["酸", "0.500", "0.500", "0.500", "2"], ["碱", "0.500", "0.500", "0.500", "2"]]
    assert matrix[1:] == [["1: 酸", "1", "1"], ["2: 碱", "1", "1"]]
    # Gaps 0.05, 0.85, 0.25 and 0.65 of one text each.
    reliability = said(page.section("Reliability of the scores"))
    assert "(ECE, ten bins): 0.450. Mean score 80.0%, share right 50.0%: the scores are too high." in reliability
    assert "gm-export calibrates those of a student with a temperature" in reliability
    assert page.tables("Surest mistakes") == [
        [
            ["text", "class", "predicted", "score"],
            ["草酸", "酸", "碱", "0.850"],
            ["片碱 25kg/袋", "碱", "酸", "0.650"],
        ]
    ]
    assert "70.0% and 90.0%, of the lessons of the student 60.0% and 80.0%" in said(page.section("Gate"))


def test_what_was_left_out_is_linked_where_it_lies_beside_the_page(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", dropped={"duplicate": 3, "some new reason": 1})
    run.left_out.write_text("file,line\n", encoding="utf-8")
    page = page_of(run)
    assert page.facts["left out"] == "3 repeated, 1 some new reason: left_out.csv"
    assert [link.get("href") for link in page.root.iter("a")] == ["left_out.csv"]
    elsewhere = tmp_path / "pages" / "run.html"
    write_report(run, elsewhere)
    assert not [*Page(elsewhere.read_text(encoding="utf-8")).root.iter("a")]


METHODS: list[tuple[AnyRecipe, list[str], list[str]]] = [
    (LayersRecipe(), ["teacher"], ["student", "teacher"]),
    (MultiTeacherRecipe(), ["teachers"], ["student", "teachers"]),
]


@pytest.mark.parametrize(("recipe", "teachers", "legend"), METHODS)
def test_a_student_of_finished_teachers_has_no_gate_and_their_level(
    tmp_path: Path, recipe: AnyRecipe, teachers: list[str], legend: list[str]
) -> None:
    page = page_of(write_run(tmp_path, recipe, one_network("student", *teachers)))
    assert page.headings == WITHOUT_GATE
    chart = next(page.section("Learning curves").iter("svg"))
    assert [said(text) for text in chart.iter("text") if text.get("y") == "34"] == legend


def test_a_language_model_is_called_so_and_begins_with_its_probe(tmp_path: Path) -> None:
    recipe = read_recipe_of(FinetuneRecipe, None, ["lm.folder=models/lm", "data.path=texts.csv"])
    page = page_of(write_run(tmp_path, recipe, one_network("teacher", probe=True)))
    assert page.headings == WITHOUT_GATE
    assert said(page.root[1][1]).startswith("Language model: accuracy 0.5000")
    assert (page.facts["learned from"], page.facts["data"]) == ("models/lm", "texts.csv")
    assert "probe" in said(next(page.section("Learning curves").iter("svg")))


def test_markup_that_people_wrote_is_text(tmp_path: Path) -> None:
    script, image = "<script>alert('酸')</script>", '"><img src=x onerror=alert(1)>&amp;'
    answer = PredictionRow(script, image, script, 0.9, (0.0, 1.0))
    recipe = read_gate_mixup(None, [f"data.path='{image}.csv'"])
    page = page_of(write_run(tmp_path / "a &amp; b", recipe, answers=[answer], labels=[script, image]))
    tags = {element.tag for element in page.root.iter()}
    assert not tags & {"script", "img"}
    assert said(next(page.root.iter("h1"))) == "Training run a &amp; b"
    assert page.tables("Surest mistakes")[0][1] == [script, image, script, "0.900"]
    assert page.tables("Classes")[1][1][0] == f"1: {script}"
    assert page.facts["data"].endswith(f"{image}.csv")


def test_the_page_asks_for_nothing_else(tmp_path: Path) -> None:
    seen = set()

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            seen.update({tag, *(f"{name}=" for name, _ in attrs)})

    out = tmp_path / "report.html"
    write_report(write_run(tmp_path), out)
    text = out.read_text(encoding="utf-8")
    assert text.startswith('<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"/>')
    Tags().feed(text)
    assert "svg" in seen
    assert not seen & {"script", "link", "img", "iframe", "object", "use", "src=", "href=", "xlink:href="}
    assert not [name for name in seen if name.startswith("on")]
    assert "http" not in text
    assert "url(" not in text
    assert "@import" not in text


def test_a_student_without_mistakes_is_told_so(tmp_path: Path) -> None:
    page = page_of(write_run(tmp_path, answers=[ANSWERS[0], ANSWERS[2]]))
    assert "None: all 2 test texts were classified as their labels say." in said(page.section("Surest mistakes"))
    assert page.tables("Surest mistakes") == []


def test_a_run_without_test_texts_has_no_bins(tmp_path: Path) -> None:
    page = page_of(write_run(tmp_path, answers=[]))
    assert "Reliability of the scores" not in page.headings


@pytest.mark.parametrize(("others", "told"), [((0, 96), ", 96 made"), ((3, 0), ", 3 unlabelled"), ((0, 0), "")])
def test_texts_that_teachers_alone_label_are_counted_by_kind(
    tmp_path: Path, others: tuple[int, int], told: str
) -> None:
    rows = {"train": 54, "dev": 18, "test": 0, "unlabelled": others[0], "made": others[1]}
    assert page_of(write_run(tmp_path, rows=rows)).facts["texts"] == f"54 train, 18 dev, 0 test{told}"


def test_a_copy_of_a_run_finished_when_the_run_did(tmp_path: Path) -> None:
    run = write_run(tmp_path, finished_at="2026-03-01T12:00:00+00:00")
    told = datetime(2026, 3, 1, 12, tzinfo=timezone.utc).astimezone()
    assert page_of(run).facts["finished"] == f"{told:%Y-%m-%d %H:%M} after 2 min, on cpu"


def test_a_run_of_a_release_that_told_less_has_a_page(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    run.save_environment({})
    assert "seed" not in page_of(run).facts


def test_the_same_run_gives_the_same_page(tmp_path: Path) -> None:
    run, out = write_run(tmp_path), tmp_path / "report.html"
    write_report(run, out)
    first = out.read_bytes()
    write_report(run, out)
    assert out.read_bytes() == first


@pytest.mark.parametrize(
    ("part", "content", "said"),
    [
        ("environment.json", '{"rows": 3}', r"environment\.json is damaged: rows is not as a run writes it"),
        ("metrics.jsonl", '{"event": 3}\n', r"metrics\.jsonl is damaged: line 1 tells of no training"),
        (
            "predictions/test.jsonl",
            '{"text": "x", "label": "酸", "predicted": "酸", "score": 7, "logits": []}\n',
            r"test\.jsonl is damaged: a score is not between 0 and 1",
        ),
    ],
)
def test_damaged_parts_are_named(tmp_path: Path, part: str, content: str, said: str) -> None:
    run = write_run(tmp_path)
    (run.path / part).write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=said):
        write_report(run, tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_the_command_writes_into_the_run_folder_or_where_it_is_told(
    gm_distill: Command, tmp_path: Path, capsys: Output
) -> None:
    run, out = write_run(tmp_path / "run").path, tmp_path / "pages" / "run.htm"
    for _ in range(2):  # a page of before is replaced
        assert gm_distill("report", run) == 0
        assert capsys.readouterr().out == f"report: {run / 'report.html'}\n"
    assert gm_distill("report", run, "--out", out) == 2
    assert capsys.readouterr().err.endswith(f"there is no folder {out.parent}; make it\n")
    out.parent.mkdir()
    assert gm_distill("report", run, "--out", out) == 0
    assert Page(out.read_text(encoding="utf-8")).headings == SECTIONS
    assert sorted(path.name for path in out.parent.iterdir()) == ["run.htm"]


def test_the_command_replaces_no_file_of_another_kind(gm_distill: Command, tmp_path: Path, capsys: Output) -> None:
    run = write_run(tmp_path)
    before = (tmp_path / "recipe.toml").read_bytes()
    assert gm_distill("report", run.path, "--out", tmp_path / "recipe.toml") == 2
    assert capsys.readouterr().err.endswith("recipe.toml: the page is HTML; end its name in .html\n")
    assert (tmp_path / "recipe.toml").read_bytes() == before
    for name in ("theirs.html", "report.html"):
        (tmp_path / name).write_text("<!DOCTYPE html>\n<html><title>theirs</title></html>", encoding="utf-8")
        assert gm_distill("report", run.path, "--out", tmp_path / name) == 2
        said = "the file is there, and is another one; name a new one, or remove it\n"
        assert capsys.readouterr().err.endswith(f"{name}: {said}")
        assert "theirs" in (tmp_path / name).read_text(encoding="utf-8")
    assert gm_distill("report", run.path) == 2  # its own page would be report.html there


def test_no_run_an_unfinished_one_or_one_that_lost_a_part_exits_3_with_one_line(
    gm_distill: Command, tmp_path: Path, capsys: Output
) -> None:
    def error() -> str:
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err.count("\n") == 1
        return printed.err

    assert gm_distill("report", tmp_path) == 3
    assert "is not a run folder" in error()
    run = write_run(tmp_path / "run")
    shutil.rmtree(run.path / "predictions")
    assert gm_distill("report", run.path) == 3
    assert "test.jsonl is missing, though the run is finished" in error()
    (run.path / "environment.json").unlink()
    assert gm_distill("report", run.path) == 3
    assert f"the run is not finished; go on with 'gm-distill run --out {run.path} --resume'" in error()
    assert not (run.path / "report.html").exists()
