"""The head of the page: what was trained on what, how, with which versions, and how good it became."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pydantic import BaseModel, ValidationError

from distill.config.language_model import FinetuneRecipe, LayersRecipe
from distill.config.methods import AnyRecipe
from distill.config.multi_teacher import MultiTeacherRecipe
from distill.data.summary import left_out_in_words
from distill.layout import duration
from distill.report.history import Scores
from distill.report.markup import Html, data_table, element, together
from distill.runs.networks import network_names
from distill.runs.run_folder import RunFolder, damaged

_METHODS = {
    "gate_mixup": "a graph teacher and a student taught each other",
    "lm_layers": "a student was built from the layers of a language model",
    "multi_teacher": "a student learned from several finished teachers",
    "finetune": "a language model was fine-tuned on the labels",
}
_SPLITS = ("train", "dev", "test")
_OTHERS = ("unlabelled", "made")


class Environment(BaseModel):
    """What is read of ``environment.json``; of a run of another release, a part may be missing."""

    seed: int | None = None
    device: str = ""
    versions: dict[str, str] = {}
    rows: dict[str, int] = {}
    dropped: dict[str, int] = {}
    wall_s: float | None = None
    finished_at: datetime | None = None


def read_environment(run: RunFolder) -> Environment:
    """Read what a finished run ran on.

    Raises:
        DataError: the run is not finished, or the file is damaged.
    """
    try:
        return Environment.model_validate(run.environment())
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise damaged(run.environment_file, f"{where} is not as a run writes it") from error


def facts(run: RunFolder, recipe: AnyRecipe, about: Environment, beside: bool) -> Html:
    """Return what is known of a run, name by name.

    Args:
        run: its folder.
        recipe: of the run.
        about: what it ran on.
        beside: whether the page lies in the run folder, so that it may link to what lies there.
    """
    told = {
        "run folder": str(run.path.absolute()),
        "data": recipe.data.path or "the example set of the package",
        "texts": ", ".join(f"{about.rows[kind]:,} {kind}" for kind in _kinds(about.rows)),
        "left out": _left_out(run, about.dropped, beside),
        "method": f"{recipe.method()}: {_METHODS[recipe.method()]}",
        "learned from": ", ".join(_sources(recipe)),
        "seed": "" if about.seed is None else str(about.seed),
        "finished": _finished(about),
        "versions": ", ".join(f"{name} {version}" for name, version in about.versions.items()),
    }
    return element("dl", *(_fact(name, value) for name, value in told.items() if value))


def score_table(recipe: AnyRecipe, dev: Mapping[str, Scores], test: Mapping[str, Scores]) -> Html:
    """Return accuracy and macro-F1 of all networks that the run scored at its end, on dev and on test."""
    names = network_names(recipe)
    both = sorted(test.keys() & dev.keys(), key=[*names, *sorted(test)].index)
    cells = [[names.get(name, name), *_four_places(dev[name]), *_four_places(test[name])] for name in both]
    header = ["network", "accuracy, dev", "macro-F1, dev", "accuracy, test", "macro-F1, test"]
    return data_table(header, cells, "numbers")


def _kinds(rows: Mapping[str, int]) -> list[str]:
    return [*filter(rows.__contains__, _SPLITS), *filter(rows.get, _OTHERS)]


def _four_places(scores: Scores) -> tuple[str, str]:
    return f"{scores.accuracy:.4f}", f"{scores.macro_f1:.4f}"


def _fact(name: str, value: str) -> Html:
    return together([element("dt", name), element("dd", value)])


def _left_out(run: RunFolder, dropped: Mapping[str, int], beside: bool) -> Html:
    """Return how many rows were left out and why, and where they stand."""
    if not dropped:
        return element("span", "nothing")
    file = run.left_out.name
    linked = beside and run.left_out.is_file()
    where = element("a", file, href=file) if linked else element("span", file)
    return element("span", f"{left_out_in_words(dropped)}: ", where)


def _sources(recipe: AnyRecipe) -> tuple[str, ...]:
    """Return the finished models that a run was given."""
    if isinstance(recipe, MultiTeacherRecipe):
        return recipe.teachers.folders
    if isinstance(recipe, FinetuneRecipe):
        return (recipe.lm.folder, *recipe.teachers.folders)
    return (recipe.lm_layers.teacher,) if isinstance(recipe, LayersRecipe) else tuple(filter(None, [recipe.teacher.lm]))


def _finished(about: Environment) -> str:
    """Return when a run ended, by the clock of the reader, how long it took, and on what."""
    when = f"{about.finished_at.astimezone():%Y-%m-%d %H:%M}" if about.finished_at else ""
    took = "" if about.wall_s is None else f"after {duration(about.wall_s)}"
    return " ".join(filter(None, [when, took])) + (f", on {about.device}" if about.device else "")
