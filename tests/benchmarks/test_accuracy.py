"""The study of accuracy: peers are trained on train, chosen by dev, scored on test; what is measured is kept."""

from json import loads
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.accuracy import command, study_of
from benchmarks.contenders.sizes import SIZES
from benchmarks.quality.accuracy_report import markdown
from benchmarks.quality.answers import by_class, score
from benchmarks.quality.class_report import class_markdown
from benchmarks.quality.classifiers import PEERS, character_svm, fasttext, majority, word_svm
from benchmarks.quality.methods import CASCADE, FULL, INT8, METHODS, SIZE_ROWS, run_key, served
from benchmarks.quality.peer_rows import SVM
from benchmarks.quality.scores import Score, Scores
from benchmarks.quality.textcnn import text_cnn
from distill.config.gate_mixup import read_gate_mixup
from distill.config.sections import StudentConfig
from distill.data.corpus import Corpus, Example
from runtime.errors import ConfigError
from tests.distill.tiny import write_tiny_data
from tests.export.conftest import NAMES, ROWS, write_run
from tests.threads import one_thread

__all__ = ["one_thread"]

TINY = ("student.width=16", "student.layers=1", "teacher.width=16", "teacher.layers=1", "training.rounds=1")


def corpus(test_label: str = "聚乙烯") -> Corpus:
    train = tuple(Example(f"{name}{number}", name) for name in ("硫酸", "聚乙烯") for number in range(12))
    dev = (Example("硫酸一", "硫酸"), Example("聚乙烯一", "聚乙烯"))
    test = (Example("浓硫酸", "硫酸"), Example("聚乙烯粒", test_label))
    return Corpus((*train, Example("硫酸盐", "硫酸")), dev, test, ("硫酸", "聚乙烯"), {}, "")


@pytest.mark.parametrize("peer", [character_svm, word_svm, text_cnn])
def test_a_peer_learns_what_train_tells(peer: object) -> None:
    assert callable(peer)
    assert peer(corpus(), 0).labels == ["硫酸", "聚乙烯"]


def test_fasttext_reads_labels_with_blanks(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fasttext")
    monkeypatch.setattr("benchmarks.quality.classifiers._AUTOTUNE_SECONDS", 2)
    assert set(fasttext(corpus(), 0).labels) <= {"硫酸", "聚乙烯"}


def test_the_majority_is_that_of_train() -> None:
    assert majority(corpus(), 0).labels == ["硫酸", "硫酸"]


def test_scores_are_those_of_the_test_set() -> None:
    scored = score(corpus("硫酸"), ["硫酸", "聚乙烯"])
    assert scored["accuracy"] == pytest.approx(0.5)
    assert scored["macro_f1"] == pytest.approx(1 / 3)


def test_scores_by_class_are_those_of_the_classes_of_test() -> None:
    f1, texts = by_class(corpus("硫酸"), ["硫酸", "聚乙烯"])
    assert f1 == {"硫酸": pytest.approx(2 / 3)}
    assert texts == {"硫酸": 2}


def _scores(path: Path) -> Scores:
    scores = Scores(path)
    for seed, (full, alone) in enumerate([(0.9, 0.8), (0.8, 0.75)]):
        scores.add(Score("acids", FULL, seed, full, full, "f"))
        scores.add(Score("acids", "student alone, as many steps", seed, alone, alone, "f"))
    return scores


def test_scores_survive_in_their_file(tmp_path: Path) -> None:
    before = _scores(tmp_path / "accuracy.json")
    after = Scores(before.path)
    assert after.all == before.all
    assert after.find("acids", FULL, 1)
    assert not after.find("acids", FULL, 2)


@pytest.mark.parametrize(
    ("fingerprint", "settings", "differs"),
    [("g", "", "on other data: fingerprint 'f', now 'g'"), ("f", "a=1", "by other settings: '', now 'a=1'")],
)
def test_a_score_from_other_data_or_settings_is_refused_by_name(
    tmp_path: Path, fingerprint: str, settings: str, differs: str
) -> None:
    scores = _scores(tmp_path / "accuracy.json")
    assert scores.kept("acids", FULL, 1, "f", "")
    assert not scores.kept("acids", FULL, 2, fingerprint, settings)
    with pytest.raises(ConfigError) as raised:
        scores.kept("acids", FULL, 1, fingerprint, settings)
    assert f"'full method' of acids, seed 1, {differs}; choose another --out" in str(raised.value)


def test_a_score_measured_again_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    scores = _scores(tmp_path / "accuracy.json")
    rows, again = (
        scores.names("row"),
        Score("acids", FULL, 1, 0.5, 0.5, "f", class_f1={"酸": 0.5}, class_texts={"酸": 2}),
    )
    scores.add(again)
    assert Scores(scores.path).all == scores.all
    assert scores.names("row") == rows
    assert [s for s in scores.all if s.row == FULL and s.seed == 1] == [again]
    assert "class_f1" not in loads(scores.path.read_text(encoding="utf-8"))[0]


def test_the_report_by_class_begins_with_the_smallest(tmp_path: Path) -> None:
    scores = Scores(tmp_path / "accuracy.json")
    for seed, f1 in enumerate((0.5, 0.7)):
        scores.add(Score("acids", INT8, seed, 0.9, 0.9, "f", "", {"酸": 0.9, "碱": f1}, {"酸": 20, "碱": 4}))
    scores.add(Score("acids", SVM, 0, 0.9, 0.9, "f", "", {"酸": 0.95, "碱": 0.5}, {"酸": 20, "碱": 4}))
    lines = class_markdown(scores, INT8, SVM).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    assert cells[1:] == [["碱", "4", "60.0", "50.0", "+10.0"], ["酸", "20", "90.0", "95.0", "-5.0"]]


def test_scores_kept_without_classes_are_told_with_the_command_that_brings_them(tmp_path: Path) -> None:
    scores = Scores(tmp_path / "accuracy.json")
    for row in (INT8, SVM):
        scores.add(Score("acids", row, 0, 0.9, 0.9, "f"))
    report = class_markdown(scores, INT8, SVM)
    assert f'--data "acids=PATH" --row "{FULL}" --row "{SVM}" --seeds 1 --again' in report


def test_spread_and_paired_difference(tmp_path: Path) -> None:
    scores = _scores(tmp_path / "accuracy.json")
    spread = scores.spread("acids", FULL, "accuracy")
    assert spread is not None
    assert spread == pytest.approx((0.85, 0.5**0.5 / 10))
    paired = scores.paired(FULL, "student alone, as many steps", "macro_f1")
    assert paired is not None
    assert paired.difference == pytest.approx(0.075)
    assert paired.runs == 2
    # t = 0.075 / (0.03536 / sqrt 2) = 3, one degree of freedom.
    assert paired.p_value == pytest.approx(0.2048, abs=1e-3)
    assert scores.paired(FULL, INT8, "accuracy") is None


def test_a_set_that_lost_labels_is_no_further_evidence(tmp_path: Path) -> None:
    scores = _scores(tmp_path / "accuracy.json")
    before = scores.paired(FULL, "student alone, as many steps", "accuracy", scores.whole_sets())
    for row, accuracy in ((FULL, 0.2), ("student alone, as many steps", 0.9)):
        scores.add(Score("acids, 10 % of the labels", row, 0, accuracy, accuracy, "f", label_share=0.1))
    again = Scores(tmp_path / "accuracy.json")
    assert again.whole_sets() == ["acids"]
    assert again.paired(FULL, "student alone, as many steps", "accuracy", again.whole_sets()) == before
    assert "## acids, 10 % of the labels" in markdown(again)
    assert again.paired(FULL, "student alone, as many steps", "accuracy", []) is None  # no set is not all sets


def test_peers_learn_from_the_labels_that_are_left(tmp_path: Path) -> None:
    data = write_tiny_data(tmp_path / "data")
    arguments = ["--data", f"tiny={data}", "--row", "majority", "--seeds", "2", "--label-share", "0.1"]
    arguments += ["--work", str(tmp_path / "work"), "--out", str(tmp_path)]
    told = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert told.exit_code == 0, told.output
    first = (tmp_path / "accuracy.json").read_bytes()
    assert CliRunner().invoke(command, arguments, catch_exceptions=False).exit_code == 0
    assert (tmp_path / "accuracy.json").read_bytes() == first
    kept = Scores(tmp_path / "accuracy.json").all
    assert [(score.data, score.seed, score.label_share) for score in kept] == [
        ("tiny, 10 % of the labels", seed, 0.1) for seed in (0, 1)
    ]


def test_a_kept_row_of_other_data_or_settings_ends_the_command_unless_again(tmp_path: Path) -> None:
    data = write_tiny_data(tmp_path / "data")
    arguments = ["--data", f"tiny={data}", "--row", SVM, "--seeds", "1", "--out", str(tmp_path)]
    assert CliRunner().invoke(command, arguments, catch_exceptions=False).exit_code == 0
    (kept,) = Scores(tmp_path / "accuracy.json").all
    assert (kept.settings, kept.chosen) == ("C by macro-F1 on dev", "C=1")
    with (data / "test.tsv").open("a", encoding="utf-8") as test:
        test.write("发烟硫酸\t酸\n")
    told = CliRunner().invoke(command, arguments)
    assert isinstance(told.exception, ConfigError)
    assert f"has {SVM!r} of tiny, seed 0, on other data" in str(told.exception)
    assert CliRunner().invoke(command, [*arguments, "--again"], catch_exceptions=False).exit_code == 0
    (measured,) = Scores(tmp_path / "accuracy.json").all
    assert len(measured.answers) == len(kept.answers) + 1


def test_rows_that_come_with_the_full_method_are_looked_at_before_it_is_trained(tmp_path: Path) -> None:
    data = write_tiny_data(tmp_path / "data")
    scores = Scores(tmp_path / "accuracy.json")
    study = study_of(f"tiny={data}", 0, 1.0, tmp_path / "work", scores)
    scores.add(Score("tiny", INT8, 0, 0.5, 0.5, study.corpus.fingerprint[:16], "training.rounds=2"))
    assert not study.has("majority")
    with pytest.raises(ConfigError, match="'full method, INT8 bundle' of tiny, seed 0, by other settings"):
        study.has(FULL, ("training.rounds=1",))


def test_answers_are_kept_and_no_text_is(tmp_path: Path) -> None:
    data = write_tiny_data(tmp_path / "data")
    arguments = ["--data", f"tiny={data}", "--row", "majority", "--seeds", "1", "--out", str(tmp_path)]
    assert CliRunner().invoke(command, arguments, catch_exceptions=False).exit_code == 0
    (kept,) = loads((tmp_path / "accuracy.json").read_text(encoding="utf-8"))
    assert (kept["classes"], kept["truth"], kept["answers"]) == (3, "222222111111000000", "2" * 18)
    assert "盐酸" not in str(kept)


def test_the_report_has_every_row_and_difference(tmp_path: Path) -> None:
    report = markdown(_scores(tmp_path / "accuracy.json"))
    assert "| full method                  | 85.0 ± 7.1 | 85.0 ± 7.1 |     2 |" in report
    assert "| full method − student alone, as many steps | +7.50 (p = 0.20, seeds only) |" in report
    assert report.endswith("| 2 runs |\n")


@pytest.mark.parametrize("row", METHODS)
def test_every_method_is_a_valid_recipe(row: str) -> None:
    takes_something_away = read_gate_mixup(None, METHODS[row]) != read_gate_mixup(None)
    assert takes_something_away == (row != FULL)


@pytest.mark.parametrize("row", SIZE_ROWS)
def test_every_size_is_a_valid_recipe_of_a_student_alone(row: str) -> None:
    recipe = read_gate_mixup(None, SIZE_ROWS[row])
    assert recipe.student != StudentConfig()
    assert recipe.model_copy(update={"student": StudentConfig()}) == read_gate_mixup(None)


def test_a_run_is_known_by_the_values_of_its_recipe_and_not_by_its_comments(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = read_gate_mixup(None, TINY)
    key, text = run_key(recipe), recipe.to_toml()
    monkeypatch.setattr(StudentConfig.model_fields["layers"], "description", "Blocks.")
    assert recipe.to_toml() != text
    assert run_key(read_gate_mixup(None, TINY)) == key
    assert run_key(read_gate_mixup(None, [*TINY, "training.seed=1"])) != key


def test_a_bundle_with_a_cascade_has_a_row_with_it_and_one_without(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    examples = [Example(text, label) for text, label in ROWS[:9]]
    found = served(run, examples)
    has_cascade = (run.path / "bundle" / "cascade.json").exists()
    assert set(found) == ({INT8, CASCADE} if has_cascade else {INT8})
    assert all(set(labels) <= set(NAMES) and len(labels) == 9 for labels in found.values())


def test_a_study_trains_exports_and_goes_on_where_it_was(tmp_path: Path) -> None:
    rows = [
        f"{name}{number}号\t{name}"
        for name in ("工业硫酸", "聚乙烯粒")
        for number in "一二三四五六七八九十甲乙丙丁戊己庚辛"
    ]
    data = tmp_path / "data.tsv"
    data.write_text("\n".join(["text\tlabel", *rows]) + "\n", encoding="utf-8")
    settings = [part for setting in (*TINY, "training.initial_epochs=2") for part in ("--set", setting)]
    arguments = ["--data", f"acids={data}", "--seeds", "1", "--work", str(tmp_path / "work"), "--out", str(tmp_path)]
    arguments += ["--row", FULL, "--row", SIZES[0].row, "--row", "majority", *settings]
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    scores = Scores(tmp_path / "accuracy.json")
    trained = {"GNN teacher", "student after initial training", FULL}
    assert trained | {"majority"} <= set(scores.names("row"))
    again = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert Scores(tmp_path / "accuracy.json").all == scores.all
    assert (tmp_path / "accuracy.md").read_text(encoding="utf-8") in again.stdout
    assert not set(PEERS) - {"majority"} & set(scores.names("row"))
    assert (SIZES[0].row in scores.names("row")) == (INT8 in scores.names("row"))
    kept = [dict(score.class_texts) for score in scores.all if score.row == INT8]
    assert all(set(texts) == {"工业硫酸", "聚乙烯粒"} for texts in kept)
    before = (tmp_path / "accuracy.json").read_bytes()
    CliRunner().invoke(command, [*arguments, "--again"], catch_exceptions=False)
    assert (tmp_path / "accuracy.json").read_bytes() == before
    assert len(list((tmp_path / "work").iterdir())) == 2
