"""What commands that train have in common: their options, progress and closing lines.

Nothing heavy is imported before it is needed, as in :mod:`distill.cli`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from distill.layout import table
from runtime.command import INTERRUPTED
from runtime.extras import needs_extra

if TYPE_CHECKING:
    from distill.config.methods import AnyRecipe

_Command = TypeVar("_Command", bound=Callable[..., None])

FOLDER = click.Path(path_type=Path, file_okay=False)
FILE_OR_FOLDER = click.Path(path_type=Path)
# Folders pass: one may have the name of a shipped recipe, and then the recipe is meant.
RECIPE = click.Path(path_type=Path)
_STUDENT_NEXT = "run folder: {out}\nnext: gm-export --int8 {out}"
_TEACHER_NEXT = "teacher: {out}\nnext: gm-distill run --teacher {out} --data ..."


class Method(NamedTuple):
    """How to train by a recipe.

    Attributes:
        train: the function that trains.
        total: most epochs and rounds.
        describe: turns one of its events into a line.
        closing: the last lines of the command; ``{out}`` stands for the folder.
    """

    train: Callable[..., dict[str, Any]]
    total: int
    describe: Callable[[dict[str, Any]], Any]
    closing: str


def training_options(out: str, what: str) -> Callable[[_Command], _Command]:
    """Return the options of commands that train on labels; ``out`` is the folder to write by default."""
    return _all_of(
        click.option(
            "--data", type=FILE_OR_FOLDER, help="Folder with train/dev/test, or one file.  [default: example set]"
        ),
        click.option("--text-column", metavar="NAME", help="Column that holds the text.  [default: text]"),
        click.option("--label-column", metavar="NAME", help="Column that holds the class.  [default: label]"),
        click.option("--encoding", metavar="NAME", help="Encoding of the files.  [default: UTF-8, else GB18030]"),
        click.option("--sheet", metavar="NAME", help="Sheet of a workbook; *: all that fit.  [default: the only one]"),
        click.option("--seed", type=click.IntRange(min=0), help="Short for --set training.seed=N."),
        run_options(what, default=out, show_default=True),
    )


def teacher_options(command: _Command) -> _Command:
    """Add the options of commands that train with finished teachers."""
    return _all_of(
        click.option(
            "--teacher", "folders", multiple=True, type=FOLDER, help="Finished folder that teaches; may be repeated."
        ),
        click.option(
            "--unlabelled",
            multiple=True,
            type=FILE_OR_FOLDER,
            help="Texts that only teachers label, read as UTF-8, else in --encoding; may be repeated.",
        ),
    )(command)


def run_options(what: str, **out: Any) -> Callable[[_Command], _Command]:  # noqa: ANN401 - click's own keywords
    """Return the options of every command that trains; ``out`` are further settings of ``--out``."""
    return _all_of(
        click.option(
            "--set", "settings", metavar="SECTION.KEY=VALUE", multiple=True, help="Set any key of the recipe."
        ),
        click.option("--out", type=FOLDER, help=f"{what} to write.", **out),
        click.option("--resume", is_flag=True, help="Go on with the interrupted run in --out."),
        click.option(
            "--device",
            type=click.Choice(["auto", "cpu", "cuda"]),
            default="auto",
            show_default=True,
            help="Where to train; auto takes a GPU if there is one.",
        ),
    )


def _all_of(*options: Callable[[_Command], _Command]) -> Callable[[_Command], _Command]:
    def with_options(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return with_options


@contextmanager
def resumable(out: Path) -> Iterator[None]:
    """Let Ctrl-C end the command with the line that says how to go on with the run in ``out``."""
    try:
        yield
    except KeyboardInterrupt:
        command = click.get_current_context().info_name
        click.echo(f"\ninterrupted; go on with: gm-distill {command} --out {out} --resume", err=True)
        raise SystemExit(INTERRUPTED) from None


def train(recipe: AnyRecipe, out: Path, device: str, resume: bool) -> None:
    """Train by the method of the recipe, show the progress, and print the scores on the test set."""
    with needs_extra("training", "train"):
        from distill.commands.progress import progress
        from distill.runs.networks import network_names

        method = _method(recipe)
    with resumable(out), progress(method.total, method.describe) as report:
        final = method.train(recipe, out, device, resume, report)
    click.echo(_closing_table(final["test"], network_names(recipe)))
    click.echo("\n" + method.closing.format(out=out))


def _method(recipe: AnyRecipe) -> Method:
    from distill.commands import progress
    from distill.config.language_model import FinetuneRecipe, LayersRecipe
    from distill.config.multi_teacher import MultiTeacherRecipe

    if isinstance(recipe, FinetuneRecipe):
        from distill.recipes import finetune as recipe_of_teacher

        return Method(recipe_of_teacher.finetune, *progress.epochs(recipe.training.epochs), _TEACHER_NEXT)
    if isinstance(recipe, LayersRecipe):
        from distill.recipes import lm_layers

        return Method(lm_layers.train, *progress.epochs(recipe.training.epochs), _STUDENT_NEXT)
    if isinstance(recipe, MultiTeacherRecipe):
        from distill.recipes import multi_teacher

        epochs = progress.epochs(recipe.training.epochs)
        return Method(multi_teacher.train, *epochs, _STUDENT_NEXT)
    from distill.recipes import gate_mixup

    return Method(gate_mixup.train, *progress.mutual_learning(recipe.training), _STUDENT_NEXT)


def _closing_table(test: Mapping[str, Mapping[str, float]], names: Mapping[str, str]) -> str:
    rows = [
        [text, f"{test[name]['accuracy']:.4f}", f"{test[name]['macro_f1']:.4f}"]
        for name, text in names.items()
        if name in test
    ]
    return table(["test set", "accuracy", "macro-F1"], rows)
