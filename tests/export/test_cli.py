"""The command as a user types it."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from export.bundle import file_entries, with_manifest, write_bundle
from export.cli import _print_flips, main
from export.options import Options
from export.parity import LabelledTexts, compare
from runtime import Classifier
from runtime.bundles.bundle import Bundle
from runtime.cli import classify
from runtime.errors import ConfigError, DataError
from tests.export.conftest import LAYERS, NAMES, SIZES, CommandRun, write_brittle_run, write_run


def _call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["gm-export", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        main()
    return caught.value.code


def test_the_output_is_one_table_and_the_way_on(exported: CommandRun) -> None:
    lines = exported.stdout.splitlines()
    assert lines[0].split()[:3] == ["30", "test", "texts"]
    assert [line.split("  ")[0] for line in lines[1:4]] == ["ONNX INT8", "OpenVINO INT8", "ONNX fp32"]
    assert "100.00%" in lines[1]
    assert f"bundle: {exported.out}" in lines
    promised = next(line for line in lines if line.startswith("--max-error"))
    assert "of 30 development texts: 0.1 accepts 100%" in promised
    # A torch for GPUs on a machine without one says so, from some release on.
    assert len([line for line in exported.stderr.splitlines() if "No CUDA runtime" not in line]) == 1


def test_both_engines_and_the_fp32_model_are_in_the_bundle(exported: CommandRun) -> None:
    assert set(Bundle.open(exported.out).manifest.backends) == {"onnx", "openvino", "fp32"}


def test_verify_replays_the_golden_texts_on_each_engine(
    exported: CommandRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _call(monkeypatch, "verify", exported.out) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["onnx", "openvino", "fp32"]
    assert all("100.0% get the exporting machine's label" in line for line in lines)


def test_verify_says_which_engine_it_could_not_check(
    exported: CommandRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _without_openvino(monkeypatch)
    assert _call(monkeypatch, "verify", exported.out) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["onnx", "openvino", "fp32"]
    assert lines[1].startswith("openvino: not checked; ")
    assert lines[1].endswith('pip install "gm-edge[openvino]"')


def test_a_bundle_for_openvino_alone_is_served_as_the_hint_says(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bundle"
    assert _call(monkeypatch, run_folder, "--backend", "openvino", "--out", out) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"next: gm-classify {out} TEXT"
    for arguments in ([str(out), "氢氧化钠 片碱"], [str(out), "--selftest"]):
        classify.main(arguments, standalone_mode=False)
    _without_openvino(monkeypatch)
    assert _call(monkeypatch, "verify", out) == 2
    assert 'pip install "gm-edge[openvino]"' in capsys.readouterr().err


def test_verify_notices_one_flipped_bit(
    exported: CommandRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = _copy(exported.out, tmp_path / "copy")
    content = bytearray((copy / "model.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (copy / "model.onnx").write_bytes(content)
    assert _call(monkeypatch, "verify", copy) == 4
    assert "model.onnx has another SHA-256" in capsys.readouterr().err


def test_verify_notices_a_machine_that_decides_otherwise(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bundle"
    assert _call(monkeypatch, run_folder, "--out", out) == 0
    manifest = Bundle.open(out).manifest
    files = {name: (out / name).read_bytes() for name in manifest.files}
    # What a saturating processor would look like: the golden texts have other labels than the model gives here.
    files["golden.jsonl"] = files["golden.jsonl"].replace('"label": "酸"'.encode(), '"label": "碱"'.encode())
    write_bundle(out, with_manifest(files, replace(manifest, files=file_entries(files))))
    capsys.readouterr()
    assert _call(monkeypatch, "verify", out) == 5
    assert "this machine decides otherwise" in capsys.readouterr().err


def test_verify_of_what_is_no_bundle_exits_4(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _call(monkeypatch, "verify", tmp_path) == 4


def test_a_refusal_exits_5_with_one_line_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    brittle = write_brittle_run(tmp_path / "run", *LAYERS).path
    assert _call(monkeypatch, "--int8", brittle, "--out", tmp_path / "bundle") == 5
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("gm-export: ONNX INT8: ")
    assert "nothing was written" in error
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize(
    ("flips", "says"), [(5, ""), (100, "and 95 more, in"), (101, "and 96 more, the first 100 of all in")]
)
def test_flips_that_are_not_shown_are_counted(flips: int, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = np.tile(np.array([1, 0], dtype=np.float32), (flips, 1))
    data = LabelledTexts(tuple(map(str, range(flips))), np.zeros(flips, np.int64), ("acid", "base"))
    _print_flips(compare("INT8", data, before, before[:, ::-1]))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "  INT8: 0 is acid; was acid, now base"
    assert lines[5:] == ([f"  INT8: {says} manifest.json"] if says else [])


def test_an_export_that_accepts_nothing_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path / "run")
    rows = run.predictions("dev")
    run.save_predictions("dev", [replace(row, label=NAMES[row.label == NAMES[0]]) for row in rows])  # all wrong
    assert _call(monkeypatch, run.path, "--out", tmp_path / "bundle") == 0
    assert "nothing is accepted: no score is high enough for --precision" in capsys.readouterr().out
    with Classifier(tmp_path / "bundle") as classifier:
        assert not any(prediction.accepted for prediction in classifier.classify_many([row.text for row in rows]))


def test_what_is_printed_of_a_promise_is_what_the_device_accepts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three of thirty texts are foreign: the device refuses them, right or wrong and whatever their score."""
    run = write_run(tmp_path / "run")
    rows = run.predictions("dev")
    foreign = [replace(row, text=f"☃☃☃☃{number}", label=NAMES[0]) for number, row in enumerate(rows[:3])]
    run.save_predictions("dev", [*foreign, *rows[3:]])
    assert _call(monkeypatch, run.path, "--out", tmp_path / "bundle") == 0
    shown = capsys.readouterr().out
    assert "accepted from a score of 0.000" in shown
    assert "of 30 development texts: 0.15 accepts 90%" in shown
    with Classifier(tmp_path / "bundle", max_error=0.15) as classifier:
        # One by one, as they were when the threshold was fitted: it is the very score of one of them.
        accepted = [classifier.classify(row.text).accepted for row in [*foreign, *rows[3:]]]
    assert accepted == [False] * 3 + [True] * 27
    with pytest.raises(ConfigError, match="from the 27 of 30 development texts with enough known characters"):
        Classifier(tmp_path / "bundle", max_error=0.1)


def test_another_runs_bundle_is_replaced_with_a_flag_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "first")
    write_run(tmp_path / "second", *SIZES, "training.seed=1")
    for run, code in (("first", 0), ("first", 0), ("second", 2)):
        assert _call(monkeypatch, run) == code
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("gm-export: bundle holds 'first', the bundle of a run with other settings in its recipe; ")
    assert _call(monkeypatch, "second", "--replace") == 0
    assert Bundle.open("bundle").manifest.name == "second"


def test_a_folder_that_is_no_run_exits_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _call(monkeypatch, "--int8", tmp_path) == 3
    assert "is not a run folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [[], ["--keep-fp32", "run"], ["--target", "sparc", "run"], ["--min-agreement", "99.5", "run"], ["verify"]],
)
def test_wrong_use_exits_2(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _call(monkeypatch, *arguments) == 2
    assert "Usage: gm-export" in capsys.readouterr().err


def test_where_nothing_is_chosen_the_command_exports_with_the_default_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(run: Path, target: Path, options: Options, report: object) -> None:
        assert options == Options()
        raise DataError("nothing is exported")

    monkeypatch.setattr("export.pipeline.export_run", stopped)
    assert _call(monkeypatch, tmp_path, "--out", tmp_path / "bundle") == DataError.exit_code


@pytest.mark.parametrize("arguments", ["--help", "-h", "verify --help"])
def test_help_answers_without_loading_torch_or_onnx(arguments: str) -> None:
    code = (
        f"import sys; sys.argv = 'gm-export {arguments}'.split()\n"
        "from export.cli import main\n"
        "try: main()\n"
        "finally: assert not {'torch', 'onnx', 'onnxruntime', 'transformers'} & set(sys.modules)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Usage: gm-export")


def _listed_commands(text: str) -> set[str]:
    return {line.split()[0] for line in text.partition("Commands:")[2].splitlines() if line}


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_lists_the_commands_and_says_which_one_it_is_without_a_name(
    option: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _call(monkeypatch, option) == 0
    shown = capsys.readouterr().out
    assert {"keygen", "kit", "run", "sign", "verify"} <= _listed_commands(shown)
    assert "'gm-export run --help' shows its options" in " ".join(shown.split())


@pytest.mark.parametrize("arguments", ["{run} --debug", "--debug {run}", "run {run} --debug", "run --debug {run}"])
def test_the_name_of_the_default_command_may_be_given(
    arguments: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [word.format(run=tmp_path / "acids") for word in arguments.split()]
    assert _call(monkeypatch, *words) == 3
    assert f"gm-export: {tmp_path / 'acids'} is not a run folder" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", ["run --int8", "--int8 run", "run run --int8", "run --int8 run"])
def test_a_run_folder_may_be_called_run(
    arguments: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert _call(monkeypatch, *arguments.split()) == 3
    assert "gm-export: run is not a run folder" in capsys.readouterr().err


def test_a_misspelt_command_is_told_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for arguments, name in (("verfy b", "verify"), ("sing b --key k", "sign"), ("keygne k", "keygen")):
        assert _call(monkeypatch, *arguments.split()) == 2
        error = capsys.readouterr().err.splitlines()[-1]
        assert "is neither a command nor a run folder; did you mean " + name in error


@pytest.mark.parametrize("first", [["--sign", "key"], ["--sign=k"]])
def test_any_option_may_come_first(
    first: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _call(monkeypatch, *first, "--int8", tmp_path) == 2
    assert "cannot read private key k" in capsys.readouterr().err


def test_a_run_folder_may_be_called_nearly_like_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "signs").mkdir()
    assert _call(monkeypatch, "signs", "--int8") == 3
    assert "signs is not a run folder" in capsys.readouterr().err


@pytest.mark.parametrize(("arguments", "words"), [("a b", "a b"), ("run a b", "a b"), ("--int8 verify b", "verify b")])
def test_one_run_folder_at_a_time(
    arguments: str, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _call(monkeypatch, *arguments.split()) == 2
    assert f"one RUN at a time, not '{words}'; a command comes before all else" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("package", "arguments"),
    [("onnx", []), ("optimum", ["--int8"]), ("openvino", ["--backend", "openvino"])],
)
def test_a_missing_package_is_named_with_the_way_to_get_it(
    package: str,
    arguments: list[str],
    run_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _forget_modules(monkeypatch, (package, "export"))
    monkeypatch.setitem(sys.modules, package, None)
    assert _call(monkeypatch, run_folder, *arguments, "--out", tmp_path / "bundle") == 2
    assert 'pip install "gm-edge[export]"' in capsys.readouterr().err


def _forget_modules(monkeypatch: pytest.MonkeyPatch, packages: tuple[str, ...]) -> None:
    """Have what lies in packages imported anew; when the test ends, names lead to the modules of before again."""
    forgotten = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in packages}
    for name, module in forgotten.items():
        parent, _, child = name.rpartition(".")
        if parent in forgotten:
            # Without this the package would keep the new module as its attribute, which later tests would patch.
            monkeypatch.setattr(forgotten[parent], child, module, raising=False)
        monkeypatch.delitem(sys.modules, name)


def _without_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "runtime.backends.openvino", raising=False)
    monkeypatch.setitem(sys.modules, "openvino", None)


def _copy(bundle: Path, target: Path) -> Path:
    for path in bundle.rglob("*"):
        if path.is_file():
            copy = target / path.relative_to(bundle)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    return target
