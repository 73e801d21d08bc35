"""The command ``gm-export``.

torch and onnx take seconds to import: only the commands that need them do, so that ``--help`` answers at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import click

from distill.layout import table
from export.options import TARGETS, Limits, Options
from runtime.command import run_command
from runtime.errors import ParityError
from runtime.extras import needs_extra
from runtime.version import VERSION, version_option

if TYPE_CHECKING:
    from export.cascade import FittedCascade
    from export.parity import Comparison
    from export.pipeline import Exported
    from runtime.bundles.reference import Reference

_DEFAULTS = Options()
_SHARE = click.FloatRange(0.0, 1.0)
_KEY = click.Path(path_type=Path, dir_okay=False)
_SHOWN_FLIPS = 5


def main() -> None:
    """Run the command line; the entry point ``gm-export``."""
    run_command(cli, "gm-export")


_HELP = {"help_option_names": ["-h", "--help"]}
_RUN = "run"


class _DefaultGroup(click.Group):
    """A group that takes arguments which do not begin with the name of a command as those of ``run``.

    ``run`` as the first word is passed on too: it may be the name of a run folder, as :func:`_one_folder` decides.
    """

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        first = args[0] if args else ""
        if first == _RUN or first not in {VERSION, *self.commands, *self.get_help_option_names(context)}:
            self._refuse_misspelt(first, context)
            args = [_RUN, *args]
        return super().parse_args(context, args)

    def _refuse_misspelt(self, word: str, context: click.Context) -> None:
        # An option may be much like a command, as --sign is.
        near = [] if word.startswith("-") else get_close_matches(word, self.commands)
        if near and word != _RUN and not os.path.exists(word):
            hint = f"did you mean {' or '.join(near)}? For a list of the commands: gm-export --help"
            raise click.UsageError(f"{word!r} is neither a command nor a run folder; {hint}", context)


def _one_folder(context: click.Context, parameter: click.Parameter, words: tuple[str, ...]) -> Path:
    """Return the run folder among the words of ``gm-export run RUN``, ``gm-export RUN`` and ``gm-export run``.

    In the last, ``run`` is a folder of that name.
    """
    named = words[1:] if len(words) > 1 and words[0] == _RUN else words
    if len(named) > 1:
        raise click.UsageError(
            f"one RUN at a time, not {' '.join(named)!r:.80}; a command comes before all else, see gm-export --help",
            context,
        )
    folder: Path = click.Path(path_type=Path, file_okay=False).convert(named[0], parameter, context)
    return folder


@click.group(cls=_DefaultGroup, options_metavar="", subcommand_metavar="[COMMAND] ...", context_settings=_HELP)
@version_option
def cli() -> None:
    """Export trained students as bundles, sign bundles and check them.

    Without the name of a command it is 'run', which exports; 'gm-export run --help' shows its options.

    \b
    Examples:
      gm-export --int8 run --out bundle
      gm-export verify bundle
      gm-export kit --help
    """


@cli.command(context_settings=_HELP)
@click.argument("run_folder", metavar="RUN", nargs=-1, required=True, callback=_one_folder)
@click.option("--int8", is_flag=True, default=_DEFAULTS.int8, help="Quantise; without it the bundle holds fp32 models.")
@click.option(
    "--target",
    type=click.Choice(TARGETS),
    default=_DEFAULTS.target,
    show_default=True,
    help="Processor of the device; generic is right on all, with 7-bit weights.",
)
@click.option(
    "--backend",
    type=click.Choice(["onnx", "openvino", "both"]),
    default="onnx",
    show_default=True,
    help="Models to write.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default="bundle",
    show_default=True,
    help="Folder, or file ending in .gmb.",
)
@click.option("--name", default="", help="Name in the manifest.  [default: that of the run folder]")
@click.option("--keep-fp32", is_flag=True, help="Put fp32.onnx beside the INT8 model.")
@click.option(
    "--precision",
    type=_SHARE,
    default=_DEFAULTS.precision,
    show_default=True,
    help="Accept a text when its score is as high as that of texts of which this share is right; 0 accepts all.",
)
@click.option(
    "--min-agreement",
    type=_SHARE,
    default=_DEFAULTS.limits.min_agreement,
    show_default=True,
    help="Share of test texts that must keep their label.",
)
@click.option(
    "--max-f1-drop",
    type=_SHARE,
    default=_DEFAULTS.limits.max_f1_drop,
    show_default=True,
    help="Largest loss of macro-F1.",
)
@click.option(
    "--cascade", is_flag=True, help="Let n-grams alone answer the texts they are sure of, in a fraction of the time."
)
@click.option("--sign", type=_KEY, metavar="KEY", help="Sign the bundle with this private key; see gm-export keygen.")
@click.option(
    "--replace", is_flag=True, help="Replace the bundle in --out though another run made it, or it alone is signed."
)
def run(
    run_folder: Path,
    int8: bool,
    target: str,
    backend: str,
    out: Path,
    name: str,
    keep_fp32: bool,
    precision: float,
    min_agreement: float,
    max_f1_drop: float,
    cascade: bool,
    sign: Path | None,
    replace: bool,
) -> None:
    """Export the student of RUN as a bundle, after measuring that it still decides the same.

    RUN is the folder that 'gm-distill run' wrote. 'gm-export verify BUNDLE' checks a bundle later, on any machine.
    --cascade needs a student with n-grams, the default. Where these cannot answer a tenth of the development texts
    without losing right answers, or lose more macro-F1 on test than --max-f1-drop, a line says so and the bundle is
    written without a cascade. Where the head is sure it may decide otherwise than the student: --min-agreement is for
    the models alone, and how many texts keep their label with the head is told.

    \b
    Examples:
      gm-export --int8 run --out bundle
      gm-export --int8 run --target avx512_vnni --backend both --out products.gmb
      gm-export --int8 run --cascade --out bundle
      gm-export --int8 run --sign plant.key --out bundle
      gm-export verify bundle --public-key plant.key.pub

    \b
    Exit codes: 0 done, 2 wrong use, 3 run folder or disk, 5 the model decides otherwise (nothing is
    written), 6 engine.
    """
    if keep_fp32 and not int8:
        raise click.UsageError("--keep-fp32 goes with --int8; without it the model is fp32 anyway")
    with needs_extra("export", "export"):
        from export.pipeline import export_run
    options = Options(
        int8=int8,
        target=target,
        onnx=backend != "openvino",
        openvino=backend != "onnx",
        keep_fp32=keep_fp32,
        name=name,
        precision=precision,
        limits=Limits(min_agreement, max_f1_drop),
        sign=sign,
        cascade=cascade,
        replace=replace,
    )
    _print_exported(export_run(run_folder, out, options, lambda line: click.echo(line, err=True)))


@cli.command(context_settings=_HELP)
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--public-key", type=_KEY, metavar="PUB", help="Check that the owner of this key signed BUNDLE.")
def verify(bundle: Path, public_key: Path | None) -> None:
    """Check every hash of BUNDLE and replay its golden texts on this machine, on each engine that it is for.

    Of an engine that is not installed here, a line says that it was not checked.

    \b
    Exit codes: 0 sound, 4 damaged, not signed by PUB or no bundle, 5 this machine decides otherwise, 6 engine.
    """
    from export.verification import verify_bundle

    verdicts = verify_bundle(bundle, public_key)
    if public_key:
        click.echo(f"signature: by the owner of {public_key}")
    for verdict in verdicts:
        click.echo(verdict.line)
    failed = [verdict.engine for verdict in verdicts if verdict.ok is False]
    if failed:
        raise ParityError(
            f"{bundle}: on {' and '.join(failed)} this machine decides otherwise than the exporting one; "
            "export again with --target generic"
        )


@cli.command(context_settings=_HELP)
@click.argument("key", type=_KEY)
def keygen(key: Path) -> None:
    """Make a pair of keys: KEY to sign bundles with, KEY.pub for the devices that check them.

    KEY is not encrypted, only its owner can read it: keep it off the devices, and keep a copy.

    \b
    Examples:
      gm-export keygen plant.key
      gm-export --int8 run --sign plant.key --out bundle
      gm-classify bundle --public-key plant.key.pub TEXT

    \b
    Exit codes: 0 done, 2 KEY exists or a package is missing, 3 disk.
    """
    from export.signing import write_keys

    click.echo(f"private key: {key}\npublic key: {write_keys(key)}")


@cli.command(context_settings=_HELP)
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--key", type=_KEY, metavar="KEY", required=True, help="Private key, as gm-export keygen makes it.")
def sign(bundle: Path, key: Path) -> None:
    """Sign BUNDLE, a folder or a .gmb file, after checking every hash of it.

    \b
    Exit codes: 0 done, 2 no usable KEY, 3 disk, 4 damaged or no bundle.
    """
    from export.signing import read_private_key, sign_bundle

    sign_bundle(bundle, read_private_key(key))
    click.echo(f"signed: {bundle}")


@cli.command(context_settings=_HELP)
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--platform", required=True, metavar="TAG", help="As in the names of wheels.")
@click.option("--python", required=True, metavar="X.Y", help="Version of the device's Python.")
@click.option(
    "--out", type=click.Path(path_type=Path), default="kit", show_default=True, help="Folder; it must not exist."
)
@click.option("--extra", "extras", multiple=True, help="Extra of this package that the device needs, as openvino.")
@click.option(
    "--wheel", type=_KEY, help="Wheel of this package.  [default: built from this checkout, or of what is installed]"
)
@click.option(
    "--find-links",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Take the other wheels from this folder, not from a package index.",
)
@click.option(
    "--check",
    is_flag=True,
    help="Then install the kit here, in a throwaway environment, and run its test; not on Windows.",
)
def kit(
    bundle: Path,
    platform: str,
    python: str,
    out: Path,
    extras: tuple[str, ...],
    wheel: Path | None,
    find_links: Path | None,
    check: bool,
) -> None:
    """Make one folder that installs BUNDLE and the runtime where there is no network.

    It holds the wheels of the runtime and of all it requires, their hashes, the bundle, and install.sh and install.ps1,
    which check the bundle on the device once it is installed. This command itself downloads, by pip. --check tries
    install.sh, so it is not for Windows.

    \b
    Examples:
      gm-export kit bundle --platform manylinux_2_28_x86_64 --python 3.11 --out kit
      gm-export kit products.gmb --platform win_amd64 --python 3.12 --extra openvino

    \b
    Exit codes: 0 done, 2 wrong use or no such wheels, 3 disk, 4 damaged or no bundle.
    """
    if check and sys.platform == "win32":
        raise click.UsageError(
            "--check runs install.sh, which Windows cannot; leave it out and run the kit's install.ps1"
        )
    from export.kit import KitOptions, check_kit, make_kit

    wheels = make_kit(bundle, out, KitOptions(platform, python, extras, wheel, find_links))
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    script = "powershell -ExecutionPolicy Bypass -File install.ps1" if platform.startswith("win") else "sh install.sh"
    click.echo(f"{out}: {len(wheels)} wheels, {size / 1e6:.1f} MB\nnext: copy it to the device, and there: {script}")
    if check:
        click.echo(check_kit(out))


def _print_exported(exported: Exported) -> None:
    sizes = {variant.name: variant.size for variant in exported.variants}
    comparisons = exported.comparisons
    rows = [_row(found, sizes[found.variant]) for found in comparisons]
    header = [f"{comparisons[0].texts} test texts", "accuracy", "macro-F1", "agreement", "flips", "logits", "size"]
    click.echo(table(header, rows))
    for found in comparisons:
        _print_flips(found)
    _print_decisions(exported)
    click.echo(f"bundle: {exported.path}\nnext: gm-classify {exported.path} TEXT")


def _print_decisions(exported: Exported) -> None:
    """Print what a classifier of the bundle goes by: it takes the cascade where there is one."""
    manifest, cascade = exported.manifest, exported.cascade
    temperature, accepted_from, reference = manifest.temperature, manifest.thresholds.default, exported.reference
    if cascade:
        entry = cascade.entry
        temperature, accepted_from, reference = entry.temperature, entry.accepted_from, entry.reference
    click.echo(f"\ntemperature {temperature:g}, {_accepted(accepted_from)}\n{_promised(reference)}")
    if cascade:
        _print_cascade(cascade)


def _print_cascade(cascade: FittedCascade) -> None:
    answered, test = cascade.metrics["answered_by_head"], cascade.metrics["test"]
    click.echo(
        f"cascade: from a score of {cascade.entry.threshold:.2f} its head answers alone, {answered['dev']:.0%} of the "
        f"development and {answered['test']:.0%} of the test texts; "
        f"on test, accuracy {test['accuracy']:.4f}, macro-F1 {test['macro_f1']:.4f}, "
        f"{test['agreement']:.2%} labelled as by the student"
    )


def _accepted(threshold: float) -> str:
    if threshold == 1.0:
        return "nothing is accepted: no score is high enough for --precision"
    return f"accepted from a score of {threshold:.3f}"


def _promised(reference: Reference) -> str:
    kept = [promise for promise in reference.promises if promise.threshold is not None]
    if not kept:
        more = "more would (gm-distill run --set data.dev_share=0.2)"
        return f"--max-error: {reference.base} prove no error rate; {more}"
    rates = ", ".join(f"{promise.max_error:g} accepts {promise.coverage:.0%}" for promise in kept)
    return f"--max-error, kept with 95 % confidence, of {reference.texts} development texts: {rates}"


def _row(found: Comparison, size: int) -> Sequence[str]:
    return [
        found.variant,
        f"{found.accuracy:.4f}",
        f"{found.macro_f1:.4f}",
        f"{found.agreement:.2%}",
        str(len(found.flips)),
        f"±{found.largest_difference:.1g}",
        f"{size / 1e6:.2f} MB",
    ]


def _print_flips(found: Comparison) -> None:
    from export.parity import KEPT_FLIPS

    for flip in found.flips[:_SHOWN_FLIPS]:
        click.echo(f"  {found.variant}: {flip.text:.40} is {flip.label}; was {flip.before}, now {flip.after}")
    more = len(found.flips) - _SHOWN_FLIPS
    if more > 0:
        where = f"the first {KEPT_FLIPS} of all " if len(found.flips) > KEPT_FLIPS else ""
        click.echo(f"  {found.variant}: and {more} more, {where}in manifest.json")
