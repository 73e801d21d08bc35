"""The page about a finished run, top to bottom: head, learning curves, classes, reliability, gate, mistakes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from distill.config.language_model import FinetuneRecipe
from distill.config.methods import AnyRecipe
from distill.report.curves import Line, line_chart
from distill.report.evaluation import Evaluation, evaluate_test_set
from distill.report.head import Environment, facts, read_environment, score_table
from distill.report.history import History, read_history
from distill.report.markup import Html, element, percent, together
from distill.report.reliability import Reliability, reliability, reliability_chart, reliability_table
from distill.report.style import STYLE
from distill.report.tables import class_table, confusions, mistake_table
from distill.runs.run_folder import RunFolder, damaged
from distill.training.metrics import accuracy, macro_f1
from runtime.files import write_text
from runtime.tables.text_files import readable

_MISTRUST = 0.02
"""Mean scores that lie no further from the share right than this are told as they are, without a judgement."""
_TITLE = "Training run "
# Not an element: HTML gives it no end tag.
_ENCODING = Html('<meta charset="utf-8"/>')
_BEGINNING = f'<!DOCTYPE html>\n<html lang="en"><head>{_ENCODING}<title>{_TITLE}'.encode()


@dataclass(frozen=True, slots=True)
class Finished:
    """What the page tells of.

    Attributes:
        run: its folder.
        recipe: how it was trained.
        about: what it ran on.
        history: how it learned.
        evaluation: its answers on test.
    """

    run: RunFolder
    recipe: AnyRecipe
    about: Environment
    history: History
    evaluation: Evaluation

    @property
    def model(self) -> str:
        """What people call the network that the run is about."""
        return "language model" if isinstance(self.recipe, FinetuneRecipe) else "student"

    @property
    def network(self) -> str:
        """What its events call that network."""
        return _network(self.recipe)


def write_report(run: RunFolder, out: Path) -> None:
    """Write one page of HTML, complete in itself, about a finished run.

    Args:
        run: its folder; nothing but ``out`` is written.
        out: the page; one that is there is replaced.

    Raises:
        DataError: no run folder, the run is not finished, a part of it is missing or damaged, or ``out`` cannot be
            written.
    """
    beside = out.resolve().parent == run.path.resolve()
    write_text(out, page(read_finished(run), beside))


def is_report(path: Path) -> bool:
    """Return whether a file begins as one of these pages does, so that a new one may take its place."""
    with readable(path), path.open("rb") as stream:
        return stream.read(len(_BEGINNING)) == _BEGINNING


def read_finished(run: RunFolder) -> Finished:
    """Read all that the page tells of.

    Raises:
        DataError: no run folder, the run is not finished, or a part of it is missing or damaged.
    """
    recipe = run.recipe()
    # First of all parts: it is the last that a run writes, and without it the others may be missing with good reason.
    about = read_environment(run)
    evaluation = evaluate_test_set(run)
    if not all(0.0 <= answer.score <= 1.0 for answer in evaluation.answers):
        raise damaged(run.path / "predictions" / "test.jsonl", "a score is not between 0 and 1")
    return Finished(run, recipe, about, read_history(run, _network(recipe)), evaluation)


def page(found: Finished, beside: bool) -> Html:
    """Return the page.

    Args:
        found: what it tells of.
        beside: whether it will lie in the run folder, so that it may link to what lies there.
    """
    title = f"{_TITLE}{found.run.path.resolve().name}"
    sections = [_head(found, beside), _curves(found), _classes(found), _reliability(found), _gate(found)]
    body = element("body", element("h1", title), *filter(None, sections), _mistakes(found))
    head = element("head", _ENCODING, element("title", title), element("style", Html(STYLE)))
    return Html(f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n")


def _head(found: Finished, beside: bool) -> Html:
    labels, predicted = found.evaluation.class_ids(found.evaluation.answers)
    classes = len(found.evaluation.names)
    f1 = macro_f1(labels, predicted, classes)
    scored = f"accuracy {accuracy(labels, predicted):.4f}, macro-F1 {f1:.4f}"
    result = f"{found.model.capitalize()}: {scored} on {len(labels):,} test texts of {classes:,} classes"
    scores = score_table(found.recipe, found.history.final_dev, found.history.final_test)
    return together(
        [element("p", result, class_="result"), facts(found.run, found.recipe, found.about, beside), scores]
    )


def _curves(found: Finished) -> Html:
    history = found.history
    charts = [
        line_chart(title, history.steps, list(_lines(found, score)), history.kept(found.network))
        for title, score in (("Accuracy on dev", "accuracy"), ("Macro-F1 on dev", "macro_f1"))
    ]
    note = f"The ring marks the {found.model} that was kept: the best macro-F1 on dev"
    note += ", of the rounds alone." if history.rounds else "."
    return _section("Learning curves", note, element("div", *charts, class_="charts"))


def _lines(found: Finished, score: str) -> Iterator[Line]:
    """Yield the curve of the network that the run is about, then its teacher's; one that did not learn is level."""
    history = found.history
    order = sorted(history.dev, key=lambda network: network != found.network)
    for network in order:
        name = found.model if network == found.network else network
        yield Line(name, tuple(getattr(scores, score) for scores in history.dev[network]))
    for network, scores in history.final_dev.items():
        if network in ("teacher", "teachers") and network not in history.dev:
            yield Line(network, (getattr(scores, score),) * len(history.steps), dotted=False)


def _classes(found: Finished) -> Html:
    heading = element("h3", "Confusions")
    note = "The smallest F1 comes first. Support is the number of test texts of the class."
    return _section("Classes", note, class_table(found.evaluation), heading, confusions(found.evaluation))


def _reliability(found: Finished) -> Html | None:
    """Return how far scores can be trusted, where there are texts to tell it."""
    answers = found.evaluation.answers
    if not answers:
        return None
    scores = np.array([answer.score for answer in answers], dtype=np.float64)
    right = np.array([answer.predicted == answer.label for answer in answers], dtype=np.bool_)
    bins = reliability(scores, right)
    verdict = element("p", _calibration(bins, float(scores.mean()), float(right.mean())))
    shown = element("div", reliability_chart(bins), reliability_table(bins), class_="charts")
    return _section("Reliability of the scores", _how_to_read_bins(found.model), verdict, shown)


def _how_to_read_bins(model: str) -> Html:
    note = (
        "Bars: of the test texts whose score lies there, the share that is right; dots: their mean score. Where scores "
        f"mean what they say, bars end at the dashed line. These are the scores of the {model} as it was trained, "
        "uncalibrated; ",
        element("code", "gm-export"),
        " calibrates those of a student with a temperature, fitted on dev.",
    )
    return together(note)


def _calibration(bins: Reliability, score: float, right: float) -> str:
    said = f"Expected calibration error (ECE, ten bins): {bins.ece:.3f}."
    means = f" Mean score {percent(score)}, share right {percent(right)}"
    if abs(score - right) <= _MISTRUST:
        return f"{said}{means}."
    return f"{said}{means}: the scores are too {'high' if score > right else 'low'}."


def _gate(found: Finished) -> Html | None:
    """Return what the gate let pass, where the method has a gate."""
    history = found.history
    if not history.gate:
        return None
    lines = [Line(name, rates) for name, rates in history.gate.items()]
    ends = [f"of the {one.name} {percent(one.values[0])} and {percent(one.values[-1])}" for one in lines]
    note = (
        "The share of lessons that the gate let pass as they are; the others were augmented before they were taught. "
        "In stage one of a round the teacher teaches the student, in stage two the student the teacher. "
        f"In the first and the last round passed: {', '.join(ends)}."
    )
    return _section("Gate", note, line_chart("Lessons that passed the gate", history.rounds, lines))


def _mistakes(found: Finished) -> Html:
    mistakes = found.evaluation.mistakes
    total = len(found.evaluation.answers)
    if not mistakes:
        return _section("Surest mistakes", f"None: all {total:,} test texts were classified as their labels say.")
    note = (
        f"{len(mistakes):,} of {total:,} test texts were classified wrongly. The surest come first: there it is often "
        "the label that is wrong. ",
        element("code", "gm-distill evaluate RUN --errors errors.csv"),
        " writes all of them.",
    )
    return _section("Surest mistakes", together(note), mistake_table(mistakes))


def _section(title: str, note: str, *parts: Html) -> Html:
    return element("section", element("h2", title), element("p", note), *parts)


def _network(recipe: AnyRecipe) -> str:
    # A fine-tuned language model is scored as the teacher that it will be.
    return "teacher" if isinstance(recipe, FinetuneRecipe) else "student"
