"""What the three commands share: one-line errors, an exit code for each kind, and clean endings."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from typing import IO, NoReturn

import click

from runtime.errors import as_reported

INTERRUPTED = 130
"""Exit code after Ctrl-C, as a shell gives it."""
TERMINATED = 143
"""Exit code after SIGTERM, as a shell gives it."""
HUNG_UP = 129
"""Exit code after SIGHUP, as a shell gives it: the terminal was closed, or the connection to it lost."""
BROKEN_PIPE = 141
"""Exit code when the reader of the output has gone, as a shell gives it."""
_DEBUG = "--debug"
_ENDED_BY: dict[int, int] = {signal.SIGTERM: TERMINATED}
if sys.platform != "win32":
    _ENDED_BY[signal.SIGHUP] = HUNG_UP


def run_command(command: click.Command, prog_name: str) -> NoReturn:
    """Run a click command on this process's arguments and exit.

    Exit codes: 0, that of the :class:`GMError`, 2 for wrong use of options, 3 when the system refuses to read or
    write, 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP, 141 when the output's reader has gone, and 1 for a
    fault in this program. Any error is one line on stderr; ``--debug``, which every command gets here, adds the
    traceback.
    """
    _add_debug_option(command)
    # No text may crash the output: what the terminal's encoding lacks is shown as an escape.
    _escape_unprintable(sys.stdout)
    _escape_unprintable(sys.stderr)
    _end_cleanly()
    sys.exit(_run(command, prog_name, sys.argv[1:]))


def is_terminal(stream: IO[str] | None) -> bool:
    """Return whether a person reads a standard stream; ``None`` is one that is closed, or that pythonw lacks."""
    return stream is not None and stream.isatty()


def _run(command: click.Command, prog_name: str, arguments: list[str]) -> int:
    try:
        # Not command.main(): that ends the process itself, with 1, when the output's reader has gone.
        with command.make_context(prog_name, arguments.copy()) as context:
            command.invoke(context)
        _flush(sys.stdout)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo(f"{prog_name}: interrupted", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        # The interpreter flushes stdout once more when it ends, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except Exception as error:
        if _DEBUG in arguments:
            traceback.print_exc()
        reported = as_reported(error, "please report it with the output of --debug")
        click.echo(f"{prog_name}: {reported}", err=True)
        return reported.exit_code
    return 0


def _flush(stdout: IO[str] | None) -> None:
    if stdout is not None:  # as under pythonw, or where the caller closed it
        stdout.flush()


def _end_cleanly() -> None:
    """Clean up half-written files on SIGTERM (a service is stopped) and SIGHUP (a terminal closes), as on Ctrl-C."""
    for number in _ENDED_BY:
        # A program started by nohup goes on without its terminal.
        if number == signal.SIGTERM or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)


def _end(number: int, _frame: object) -> NoReturn:
    # Only once: a closing terminal may signal twice, by the shell and by the system, the second during the cleanup.
    for other in _ENDED_BY:
        signal.signal(other, signal.SIG_IGN)
    sys.exit(_ENDED_BY[number])


def _add_debug_option(command: click.Command) -> None:
    for child in command.commands.values() if isinstance(command, click.Group) else ():
        _add_debug_option(child)
    if not any(_DEBUG in parameter.opts for parameter in command.params):
        text = "Show where in the program an error comes from."
        command.params.append(click.Option([_DEBUG], is_flag=True, expose_value=False, help=text))


def _escape_unprintable(stream: IO[str] | None) -> None:
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")
