"""Students of finished teachers as the studies train them: of fine-tuned encoders, and of the full method."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.quality.methods import FULL, data_and_seed, finished, trained
from distill.config.language_model import FinetuneRecipe
from distill.config.multi_teacher import MultiTeacherRecipe
from distill.config.recipe import read_recipe_of
from distill.recipes import finetune, multi_teacher
from distill.runs.run_folder import RunFolder

TaughtBy = Literal["both", "lm", "second", "full"]
_SECOND = ("training.epochs=3",)
"""With the texts that are made it reads several times what the first one reads."""


@dataclass(frozen=True, slots=True)
class Chain:
    """What is trained on each set with each seed; a run that is in the folder ``work`` is not trained again.

    Attributes:
        lm: Hugging Face folder of the encoder; none where the full method alone teaches.
        work: keeps run folders.
        texts: files without labels, for the student and the second language model.
        lm_settings: overrides of the recipe of fine-tuning.
        settings: overrides of the recipe of the student.
        taught_by: who teaches the student: the language model and a run of the full method; the language model alone,
            and there is no run of the full method; the latter and a second language model, which both have taught; or
            the run of the full method alone, without any language model.
        full_settings: overrides of the recipe of the full method.
    """

    lm: Path | None
    work: Path
    texts: Sequence[Path] = ()
    lm_settings: Sequence[str] = ()
    settings: Sequence[str] = ()
    taught_by: TaughtBy = "both"
    full_settings: Sequence[str] = ()

    @property
    def told(self) -> list[str]:
        """What distinguishes the student from the defaults, for the reader."""
        return [*self.settings, *self._told_texts, *self._told_full]

    @property
    def told_of_both(self) -> list[str]:
        """What distinguishes language model and full method from the defaults, for the reader."""
        return [*self.lm_settings, *self._told_full]

    @property
    def told_of_second(self) -> list[str]:
        """What distinguishes the second language model from the defaults, for the reader."""
        return [*_SECOND, *self.lm_settings, *self._told_texts, *self._told_full]

    @property
    def _told_texts(self) -> list[str]:
        names = ", ".join(path.name for path in self.texts)
        return [f"data.unlabelled=[{names}]"] if names else []

    @property
    def _told_full(self) -> list[str]:
        return [f"full method: {setting}" for setting in self.full_settings]

    def language_model(self, data: str, seed: int) -> RunFolder:
        """Return the fine-tuned encoder."""
        recipe = read_recipe_of(FinetuneRecipe, None, self._encoder(data, seed))
        return finished(recipe, self.work, finetune.finetune)

    def both(self, data: str, seed: int) -> list[RunFolder]:
        """Return the fine-tuned encoder and the run of the full method."""
        return [self.language_model(data, seed), self.full_method(data, seed)]

    def full_method(self, data: str, seed: int) -> RunFolder:
        """Return the run of the full method."""
        return trained(FULL, data, seed, self.work, self.full_settings)

    def second(self, data: str, seed: int) -> RunFolder:
        """Return a second encoder, which learned what both answer beside the labels."""
        chosen = [*self._taught(self.both(data, seed)), *self._encoder(data, seed, _SECOND)]
        return finished(read_recipe_of(FinetuneRecipe, None, chosen), self.work, finetune.finetune)

    def student(self, data: str, seed: int, made: Sequence[str] = ()) -> RunFolder:
        """Return the student; ``made`` overrides texts that are made."""
        teachers = self._teachers(data, seed)
        chosen = [*data_and_seed(data, seed), *self._taught(teachers), *made, *self.settings]
        return finished(read_recipe_of(MultiTeacherRecipe, None, chosen), self.work, multi_teacher.train)

    def _teachers(self, data: str, seed: int) -> list[RunFolder]:
        if self.taught_by == "lm":
            return [self.language_model(data, seed)]
        if self.taught_by == "full":
            return [self.full_method(data, seed)]
        first = self.second(data, seed) if self.taught_by == "second" else self.language_model(data, seed)
        return [first, self.full_method(data, seed)]

    def _encoder(self, data: str, seed: int, own: Sequence[str] = ()) -> list[str]:
        folder = f"lm.folder={json.dumps(str(self.lm.resolve()) if self.lm else '')}"
        return [folder, *data_and_seed(data, seed), *own, *self.lm_settings]

    def _taught(self, teachers: Sequence[RunFolder]) -> list[str]:
        """Return the overrides that name teachers and texts."""
        folders = json.dumps([str(teacher.path) for teacher in teachers])
        unlabelled = json.dumps([str(path.resolve()) for path in self.texts])
        return [f"data.unlabelled={unlabelled}", f"teachers.folders={folders}"]
