"""The command line as users meet it: output, files, exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from distill.config.gate_mixup import read_gate_mixup
from distill.recipes.gate_mixup import train
from distill.runs.claim import claimed
from distill.runs.run_folder import PredictionRow, RunFolder
from tests.distill.tiny import TINY, tiny_recipe, write_tiny_data
from tests.workbooks import write_workbook

Command = Callable[..., int]
Output = pytest.CaptureFixture[str]
FAST = [word for key in TINY for word in ("--set", key)]


@pytest.fixture(scope="module")
def finished(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    out = tmp_path_factory.mktemp("finished") / "run"
    train(tiny_recipe(data), out, "cpu")
    return out


def test_help_has_examples_and_imports_nothing_heavy() -> None:
    script = (
        "import sys; sys.argv = ['gm-distill', 'run', '--help']\n"
        "from distill.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "heavy = {'torch', 'torch_geometric', 'transformers', 'jieba', 'onnxruntime', 'pydantic'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "gm-distill run --data texts.csv --out run" in done.stdout


def test_missing_packages_give_the_pip_line() -> None:
    script = "import sys; sys.modules['torch'] = None; from distill.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", script, "run"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert 'pip install "gm-edge[train]"' in done.stderr


def test_run_prints_a_line_for_each_step_and_a_closing_table(
    gm_distill: Command, data: Path, tmp_path: Path, capsys: Output
) -> None:
    out = tmp_path / "run"
    assert gm_distill("run", "--data", data, *FAST, "--seed", 3, "--out", out, "--device", "cpu") == 0
    printed = capsys.readouterr()
    lines = printed.err.splitlines()
    assert lines[0] == "54 train, 18 dev, 18 test texts of 3 classes"
    assert [line.split("  ")[0] for line in lines[1:5]] == ["epoch 1/2", "epoch 2/2", "round 1/2", "round 2/2"]
    assert "gate passed" in lines[3]
    assert printed.out.split("\n")[0].split() == ["test", "set", "accuracy", "macro-F1"]
    final = RunFolder(out).metrics()[-1]["test"]["student"]
    assert f"{final['accuracy']:.4f}    {final['macro_f1']:.4f}" in printed.out
    assert f"next: gm-export --int8 {out}" in printed.out
    assert RunFolder(out).recipe().training.seed == 3


def test_options_name_columns_and_encoding(gm_distill: Command, tmp_path: Path, data: Path, capsys: Output) -> None:
    rows = [line.split("\t") for line in (data / "train.tsv").read_text(encoding="utf-8").splitlines()[1:]]
    table = tmp_path / "产品.csv"
    table.write_text("\n".join(["品名,类别", *(",".join(row) for row in rows)]), encoding="gb18030")
    options = ["--data", table, "--text-column", "品名", "--label-column", "类别", "--encoding", "gb18030"]
    once = ["--set", "training.initial_epochs=1", "--set", "training.rounds=1"]
    assert gm_distill("run", *options, *FAST, *once, "--out", tmp_path / "run", "--device", "cpu") == 0
    assert RunFolder(tmp_path / "run").labels() == ("树脂", "碱", "酸")


def test_run_leaves_the_rows_that_it_left_out(gm_distill: Command, tmp_path: Path, capsys: Output) -> None:
    data, out = write_tiny_data(tmp_path / "data"), tmp_path / "run"
    with (data / "train.tsv").open("a", encoding="utf-8") as rows:
        rows.write("盐酸 试剂\t碱\n白油\t\n")
    once = ["--set", "training.initial_epochs=1", "--set", "training.rounds=1"]
    assert gm_distill("run", "--data", data, *FAST, *once, "--out", out, "--device", "cpu") == 0
    left_out = f"left out: 1 without a label, 2 with conflicting labels ({out / 'left_out.csv'})"
    assert capsys.readouterr().err.startswith(f"53 train, 18 dev, 18 test texts of 3 classes; {left_out}\n")
    assert (out / "left_out.csv").read_text(encoding="utf-8-sig").splitlines() == [
        "file,line,reason,text,label",
        "train.tsv,57,empty label,白油,",
        "train.tsv,2,conflicting labels,盐酸 试剂,酸",
        "train.tsv,56,conflicting labels,盐酸 试剂,碱",
    ]
    assert RunFolder(out).environment()["dropped"] == {"empty label": 1, "conflicting labels": 2}


def test_data_path_of_a_recipe_counts_from_its_folder(
    gm_distill: Command, tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = data.parent / "recipe.toml"
    recipe.write_text(tiny_recipe(Path("data"), "training.rounds=1").to_toml(), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert gm_distill("run", recipe, "--out", "run", "--device", "cpu") == 0
    assert Path(RunFolder(Path("run")).recipe().data.path) == data


def test_resume_needs_no_recipe(gm_distill: Command, data: Path, tmp_path: Path, finished: Path) -> None:
    def stop(event: dict[str, object]) -> None:
        raise KeyboardInterrupt

    out = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train(tiny_recipe(data), out, "cpu", report=stop)
    assert gm_distill("run", "--out", out, "--resume", "--device", "cpu") == 0
    assert RunFolder(out).metrics() == RunFolder(finished).metrics()


def test_a_run_can_be_repeated_and_resumed_by_its_own_recipe_from_anywhere(
    gm_distill: Command, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.chdir(data.parent)
    with monkeypatch.context() as patch:
        patch.setattr("distill.recipes.gate_mixup.GateMixup.mutual_learning", stop)
        assert gm_distill("run", "--data", data.name, *FAST, "--out", tmp_path / "1", "--device", "cpu") == 130
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert gm_distill("run", "--out", "../1", "--resume", "--device", "cpu") == 0
    assert gm_distill("run", "../1/recipe.toml", "--out", "../2", "--device", "cpu") == 0
    first, second = RunFolder(tmp_path / "1"), RunFolder(tmp_path / "2")
    assert first.metrics() == second.metrics()
    assert first.recipe() == second.recipe()


@pytest.mark.parametrize("arguments", [[], ["--set", "training.seed=1"]])
def test_resume_of_a_folder_that_holds_no_run_trains_nothing(
    gm_distill: Command, tmp_path: Path, capsys: Output, arguments: list[str]
) -> None:
    out = tmp_path / "mistyped"
    for command in ("run", "finetune", "pretrain"):
        assert gm_distill(command, *arguments, "--out", out, "--resume") == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert "mistyped: there is no run to go on with" in error
    assert not out.exists()


def test_resume_begins_a_run_whose_data_are_named(gm_distill: Command, data: Path, tmp_path: Path) -> None:
    once = ["--set", "training.initial_epochs=1", "--set", "training.rounds=1"]
    out = tmp_path / "run"
    assert gm_distill("run", "--data", data, *FAST, *once, "--out", out, "--resume", "--device", "cpu") == 0
    assert Path(RunFolder(out).recipe().data.path) == data


def test_ctrl_c_keeps_the_checkpoint_and_says_how_to_go_on(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    arguments = ["run", "--data", str(data), *FAST, "--set", "training.initial_epochs=5000", "--out", str(out)]
    script = "from distill.cli import main; main()"
    command, one_thread = [sys.executable, "-c", script, *arguments], {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=one_thread) as process:
        assert process.stderr is not None
        next(line for line in process.stderr if line.startswith("epoch 1/5000"))
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    assert process.returncode == 130
    assert rest.splitlines()[-1] == f"interrupted; go on with: gm-distill run --out {out} --resume"
    assert "Traceback" not in rest
    assert list((out / "checkpoint").iterdir())


def test_a_second_process_is_refused_until_the_first_is_killed(
    gm_distill: Command, data: Path, tmp_path: Path, capsys: Output
) -> None:
    out = tmp_path / "run"
    arguments = ["run", "--data", str(data), *FAST, "--set", "training.initial_epochs=5000", "--out", str(out)]
    command = [sys.executable, "-c", "from distill.cli import main; main()", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        next(line for line in process.stderr if line.startswith("epoch 1/5000"))
        assert gm_distill("run", "--out", out, "--resume") == 2
        process.kill()
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"another process trains in {out}; wait until it ends" in error
    with claimed(RunFolder(out), RunFolder(out).recipe(), resume=True):
        pass


def test_folder_in_use_exits_2_with_one_line(gm_distill: Command, finished: Path, capsys: Output) -> None:
    assert gm_distill("run", "--out", finished) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "not empty" in error


def test_wrong_key_exits_2_and_missing_data_3(gm_distill: Command, tmp_path: Path, capsys: Output) -> None:
    assert gm_distill("run", "--set", "training.sead=1", "--out", tmp_path / "a") == 2
    assert "training.sead" in capsys.readouterr().err
    assert gm_distill("run", "--data", tmp_path / "nothing.csv", "--out", tmp_path / "b") == 3
    assert "nothing.csv" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["run", "finetune"])
def test_a_seed_beyond_what_a_recipe_can_hold_exits_2(
    gm_distill: Command, tmp_path: Path, capsys: Output, command: str
) -> None:
    assert gm_distill(command, "--seed", 99999999999999999999, "--out", tmp_path / "run") == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "training.seed: Input should be less than or equal to 9223372036854775807" in error


@pytest.mark.parametrize("named", [["run", "--data"], ["pretrain"]])
def test_names_that_are_no_utf_8_are_refused_before_anything_is_written(
    gm_distill: Command, tmp_path: Path, capsys: Output, named: list[str]
) -> None:
    # A byte 0xff, as Python passes it on.
    assert gm_distill(*named, "\udcff.csv", "--out", tmp_path / "run", "--device", "cpu") == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "cannot hold names that are no UTF-8" in error
    assert "rename the file or folder" in error
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(sys.platform == "darwin", reason="its file systems refuse such names themselves")
def test_recipe_in_a_folder_whose_name_is_no_utf_8_is_refused(
    gm_distill: Command, tmp_path: Path, capsys: Output
) -> None:
    recipe = tmp_path / "\udcff" / "recipe.toml"
    recipe.parent.mkdir()
    recipe.write_text('[data]\npath = "texts.csv"\n', encoding="utf-8")
    assert gm_distill("run", recipe, "--out", tmp_path / "run") == 2
    assert "rename the file or folder" in capsys.readouterr().err


def test_init_writes_a_recipe_and_data_that_train(gm_distill: Command, tmp_path: Path, capsys: Output) -> None:
    folder = tmp_path / "my plant"
    assert gm_distill("init", folder) == 0
    assert "gm-distill run" in capsys.readouterr().out
    assert read_gate_mixup(folder / "recipe.toml").data.path == "data.tsv"
    once = ["--set", "training.initial_epochs=1", "--set", "training.rounds=1"]
    code = gm_distill("run", folder / "recipe.toml", *FAST, *once, "--out", folder / "run", "--device", "cpu")
    assert code == 0
    assert len(RunFolder(folder / "run").labels()) > 2


def test_init_overwrites_nothing(gm_distill: Command, tmp_path: Path, capsys: Output) -> None:
    (tmp_path / "data.tsv").write_text("mine", encoding="utf-8")
    assert gm_distill("init", tmp_path) == 2
    assert "data.tsv exists" in capsys.readouterr().err
    assert (tmp_path / "data.tsv").read_text(encoding="utf-8") == "mine"
    assert not (tmp_path / "recipe.toml").exists()


def test_evaluate_reports_the_test_set_of_the_run(gm_distill: Command, tmp_path: Path, capsys: Output) -> None:
    run = RunFolder(tmp_path)
    run.save_recipe(read_gate_mixup(None))
    run.save_labels(["酸", "碱"])
    said = [("酸", "酸"), ("酸", "酸"), ("酸", "碱"), ("碱", "碱")]
    run.save_predictions("test", [PredictionRow("x", label, guess, 0.9, (0.0, 1.0)) for label, guess in said])
    assert gm_distill("evaluate", tmp_path) == 0
    assert capsys.readouterr().out.splitlines() == [
        "4 texts: accuracy 0.7500, macro-F1 0.7333",
        "",
        "class  precision  recall     F1  support",
        "酸         1.000   0.667  0.800        3",
        "碱         0.500   1.000  0.667        1",
        "",
        "class  taken for  texts",
        "酸            碱      1",
        "",
        "wrongly classified texts: 1; to get them, add --errors errors.csv",
    ]


def test_evaluate_other_data(gm_distill: Command, finished: Path, data: Path, tmp_path: Path, capsys: Output) -> None:
    assert gm_distill("evaluate", finished) == 0
    stored = capsys.readouterr().out
    assert gm_distill("evaluate", finished, "--data", data / "test.tsv") == 0
    assert capsys.readouterr().out == stored
    said = [("盐酸", "酸"), ("", "碱"), ("\u200b \u3000", "碱"), ("煤", "矿")]
    rows = [{"名": text, "类": label} for text, label in said]
    other = tmp_path / "other.jsonl"
    other.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    assert gm_distill("evaluate", finished, "--data", other, "--text-column", "名", "--label-column", "类") == 0
    assert capsys.readouterr().out.splitlines()[:2] == [
        "1 texts (2 more without a text or a label): accuracy 1.0000, macro-F1 1.0000 "
        "(mean over the 1 of 3 classes that occur as label or answer)",
        "1 more texts of classes that the run does not know ('矿' 1): counted as wrong, they make the accuracy 0.5000",
    ]


def test_evaluate_on_texts_that_the_run_learned_says_so(
    gm_distill: Command, finished: Path, data: Path, capsys: Output
) -> None:
    assert gm_distill("evaluate", finished, "--data", data / "train.tsv") == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines()[1] == (
        "the run learned the labels of all these texts, or was chosen by them: the scores say nothing of others"
    )
    assert not printed.err  # it reads no other data to tell


def test_evaluate_writes_the_mistakes_with_the_surest_first(
    gm_distill: Command, tmp_path: Path, capsys: Output
) -> None:
    run, errors = RunFolder(tmp_path / "run"), tmp_path / "errors.csv"
    run.save_recipe(read_gate_mixup(None))
    run.save_labels(["酸", "碱"])
    said = [("盐酸", "酸", "酸", 0.9), ("片碱", "碱", "酸", 0.6), ("纯碱, 袋装", "酸", "碱", 0.99)]
    run.save_predictions("test", [PredictionRow(*answer, (0.0, 1.0)) for answer in said])
    assert gm_distill("evaluate", run.path, "--errors", errors) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"wrongly classified texts: 2, in {errors}"
    assert errors.read_text(encoding="utf-8-sig").splitlines() == [
        "text,label,predicted,score",
        '"纯碱, 袋装",酸,碱,0.99',
        "片碱,碱,酸,0.6",
    ]


def test_evaluate_writes_errors_neither_over_the_data_nor_in_another_format(
    gm_distill: Command, finished: Path, tmp_path: Path, capsys: Output
) -> None:
    data = tmp_path / "data.csv"
    data.write_text("text,label\n盐酸,碱\n", encoding="utf-8")
    assert gm_distill("evaluate", finished, "--data", data, "--errors", tmp_path / "errors.xlsx") == 2
    assert capsys.readouterr().err.endswith("errors.xlsx: the file is CSV; end its name in .csv\n")
    assert gm_distill("evaluate", finished, "--data", data, "--errors", data) == 2
    assert capsys.readouterr().err.endswith("is the table itself; name another file, so that it stays as it is\n")
    assert data.read_text(encoding="utf-8") == "text,label\n盐酸,碱\n"
    assert gm_distill("evaluate", finished, "--errors", data) == 2
    assert capsys.readouterr().err.endswith("the file is there, and is another one; name a new one, or remove it\n")
    assert gm_distill("evaluate", finished, "--errors", tmp_path / "none" / "errors.csv") == 2
    assert "there is no folder" in capsys.readouterr().err
    for _ in range(2):
        assert gm_distill("evaluate", finished, "--errors", tmp_path / "errors.csv") == 0


def test_corrected_mistakes_are_scored_and_stay(
    gm_distill: Command, finished: Path, tmp_path: Path, capsys: Output
) -> None:
    errors = tmp_path / "errors.csv"
    errors.write_text("text,label,predicted,score\n盐酸,酸,碱,0.9\n", encoding="utf-8")
    assert gm_distill("evaluate", finished, "--data", errors, "--errors", errors) == 2
    assert "is the table itself" in capsys.readouterr().err
    assert errors.read_text(encoding="utf-8").count("\n") == 2


def test_evaluate_takes_columns_of_a_file_only(gm_distill: Command, finished: Path, capsys: Output) -> None:
    assert gm_distill("evaluate", finished, "--text-column", "名") == 2
    assert "--text-column, --label-column, --encoding and --sheet belong to --data" in capsys.readouterr().err


def test_report_of_a_run_has_its_scores(gm_distill: Command, finished: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    assert gm_distill("report", finished, "--out", page) == 0
    final = RunFolder(finished).metrics()[-1]["test"]["student"]
    scored = (
        f"Student: accuracy {final['accuracy']:.4f}, macro-F1 {final['macro_f1']:.4f} on 18 test texts of 3 classes"
    )
    assert scored in page.read_text(encoding="utf-8")


def test_a_run_warns_of_a_class_that_is_lost_and_of_labels_written_in_two_ways(
    gm_distill: Command, tmp_path: Path, capsys: Output
) -> None:
    data = write_tiny_data(tmp_path / "data")
    with (data / "train.tsv").open("a", encoding="utf-8") as rows:
        rows.write("盐酸 试剂\t危险品\nSDS 粉\tSDS\nK12 粉\tsds\n")
    once = ["--set", "training.initial_epochs=1", "--set", "training.rounds=1"]
    assert gm_distill("run", "--data", data, *FAST, *once, "--out", tmp_path / "run", "--device", "cpu") == 0
    assert capsys.readouterr().err.splitlines()[1:3] == [
        "no row is left of class '危险品': 1 with conflicting labels",
        "labels that differ only in width, case or white space: 'SDS', 'sds'; "
        "write them alike where they mean one class",
    ]


def test_a_sheet_is_named_where_several_have_the_columns(
    gm_distill: Command, finished: Path, tmp_path: Path, capsys: Output
) -> None:
    acids, bases = ([["text", "label"], *([f"{label}{number}", label] for number in range(6))] for label in "酸碱")
    path = write_workbook(tmp_path / "year.xlsx", {"一月": acids, "二月": bases})
    for command in (
        ("audit", path),
        ("evaluate", finished, "--data", path),
        ("run", "--data", path, "--out", tmp_path / "out"),
    ):
        assert gm_distill(*command) == 3
        assert "the sheets '一月', '二月' have these columns; name one with --sheet" in capsys.readouterr().err
    assert gm_distill("evaluate", finished, "--data", path, "--sheet", "二月") == 0
    assert "6 texts" in capsys.readouterr().out
    assert gm_distill("run", "--data", path, "--sheet", "三月", "--out", tmp_path / "out") == 3
    assert "no sheet '三月', only: 一月, 二月" in capsys.readouterr().err


def test_evaluate_of_no_run_or_unknown_labels_exits_3(
    gm_distill: Command, finished: Path, tmp_path: Path, capsys: Output
) -> None:
    assert gm_distill("evaluate", tmp_path) == 3
    assert "not a run folder" in capsys.readouterr().err
    other = tmp_path / "other.tsv"
    other.write_text("text\tlabel\n煤\t矿\n", encoding="utf-8")
    assert gm_distill("evaluate", finished, "--data", other) == 3
    assert "--label-column" in capsys.readouterr().err
    other.write_text("text\tlabel\n\t酸\n", encoding="utf-8")
    assert gm_distill("evaluate", finished, "--data", other) == 3
    assert "--text-column" in capsys.readouterr().err
