"""One line for each error, the right exit code, quiet ends: the same for all three commands."""

import os
import subprocess
import sys
from collections.abc import Sequence

import click
import pytest

from runtime.command import is_terminal, run_command
from runtime.errors import BackendError, ParityError


def _run(
    body: click.Command, arguments: Sequence[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str, str]:
    """Run a command in this process and return exit code, stdout and stderr."""
    monkeypatch.setattr(sys, "argv", ["prog", *arguments])
    with pytest.raises(SystemExit) as caught:
        run_command(body, "prog")
    out, err = capsys.readouterr()
    assert isinstance(caught.value.code, int)
    return caught.value.code, out, err


def _raising(error: BaseException) -> click.Command:
    @click.command()
    def body() -> None:
        raise error

    return body


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (ParityError("agreement 90 %; look"), 5, "prog: agreement 90 %; look\n"),
        (BackendError("no engine; install it"), 6, "prog: no engine; install it\n"),
        (PermissionError(13, "Permission denied", "x.csv"), 3, "prog: [Errno 13] Permission denied: 'x.csv'; check"),
        (ModuleNotFoundError("No module named 'torch'"), 2, "prog: No module named 'torch'; run: pip install"),
        (MemoryError(), 3, "prog: out of memory; "),
        (KeyError("x"), 1, "prog: internal error, KeyError: 'x'; please report it with the output of --debug"),
        (KeyboardInterrupt(), 130, "prog: interrupted\n"),
        (click.UsageError("wrong"), 2, "Usage: "),
    ],
)
def test_each_error_ends_with_its_code_and_without_traceback(
    error: BaseException, code: int, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    got, out, err = _run(_raising(error), [], monkeypatch, capsys)
    assert (got, out) == (code, "")
    assert err.startswith(says)
    assert "Traceback" not in err


def test_debug_adds_the_traceback_before_the_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = _run(_raising(ParityError("bad; look")), ["--debug"], monkeypatch, capsys)
    assert code == 5
    assert err.startswith("Traceback")
    assert err.endswith("prog: bad; look\n")


def test_every_command_of_a_group_has_debug_in_its_help(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    group = click.Group(commands={"sub": _raising(ParityError("bad; look"))})
    for arguments in (["--help"], ["sub", "--help"]):
        code, out, _ = _run(group, arguments, monkeypatch, capsys)
        assert (code, out.count("--debug")) == (0, 1)
    assert _run(group, ["sub", "--debug"], monkeypatch, capsys)[0] == 5


def test_success_is_zero_and_an_explicit_code_is_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    @click.option("--code", type=int)
    @click.pass_context
    def body(context: click.Context, code: int | None) -> None:
        click.echo("done")
        if code is not None:
            context.exit(code)

    assert _run(body, [], monkeypatch, capsys) == (0, "done\n", "")
    assert _run(body, ["--code", "7"], monkeypatch, capsys) == (7, "done\n", "")


_PROGRAM = """
import sys, click
from runtime.command import run_command
@click.command()
@click.argument("count", type=int)
def body(count):
    for _ in range(count):
        sys.stdout.write("氢\\ud800" * 100 + "\\n")
run_command(body, "prog")
"""


def test_a_stream_that_is_closed_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_terminal(None)
    assert not is_terminal(sys.stderr)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert is_terminal(sys.stderr)


@pytest.mark.skipif(sys.platform == "win32", reason="pipes break in another way on Windows")
def test_a_reader_that_leaves_ends_the_command_quietly() -> None:
    command = [sys.executable, "-c", _PROGRAM, "100000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_what_the_terminal_cannot_show_is_escaped() -> None:
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", _PROGRAM, "1"], capture_output=True, env=environment, check=True)
    assert done.stdout.startswith(rb"\u6c22\ud800")
