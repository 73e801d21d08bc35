"""The names that tables give to the networks whose scores are in the ``final`` event of a run."""

from __future__ import annotations

from collections.abc import Mapping

from distill.config.language_model import FinetuneRecipe, LayersRecipe
from distill.config.methods import AnyRecipe
from distill.config.multi_teacher import MultiTeacherRecipe

_MUTUAL = {
    "teacher": "teacher (graph network)",
    "initial_student": "student after initial training",
    "student": "student after mutual learning",
}
_LANGUAGE_MODEL = {
    "teachers": "its teachers together",  # the language model may have learned from others
    "teacher": "teacher (language model)",
    "student": "student",
}
_SEVERAL_TEACHERS = {"teachers": "teachers together", "student": "student"}


def network_names(recipe: AnyRecipe) -> Mapping[str, str]:
    """Return the name of each network that a run of this recipe may score, by its key, in the order of tables."""
    if isinstance(recipe, MultiTeacherRecipe):
        return _SEVERAL_TEACHERS
    return _LANGUAGE_MODEL if isinstance(recipe, LayersRecipe | FinetuneRecipe) else _MUTUAL
