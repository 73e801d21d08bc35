"""The language-model chain as the studies train it: a fine-tuned encoder, the full method, a student of one or both."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.methods import FULL, data_and_seed, finished, trained
from distill.lm.recipe import FinetuneRecipe
from distill.recipe import read_recipe_of
from distill.recipes import finetune, multi_teacher
from distill.run_folder import RunFolder
from distill.teachers.recipe import MultiTeacherRecipe


@dataclass(frozen=True, slots=True)
class Chain:
    """What is trained on each set with each seed; a run that is in the folder ``work`` is not trained again.

    Attributes:
        lm: Hugging Face folder of the encoder.
        work: keeps run folders.
        texts: files without labels, for the student.
        lm_settings: overrides of the recipe of fine-tuning.
        settings: overrides of the recipe of the student.
        alone: the language model alone teaches the student; there is no run of the full method.
    """

    lm: Path
    work: Path
    texts: Sequence[Path] = ()
    lm_settings: Sequence[str] = ()
    settings: Sequence[str] = ()
    alone: bool = False

    @property
    def told(self) -> list[str]:
        """What distinguishes the student from the defaults, for the reader."""
        names = ", ".join(path.name for path in self.texts)
        return [*self.settings, *([f"data.unlabelled=[{names}]"] if names else [])]

    def language_model(self, data: str, seed: int) -> RunFolder:
        """Return the fine-tuned encoder."""
        encoder = f"lm.folder={json.dumps(str(self.lm.resolve()))}"
        chosen = [encoder, *data_and_seed(data, seed), *self.lm_settings]
        return finished(read_recipe_of(FinetuneRecipe, None, chosen), self.work, finetune.finetune)

    def student(self, data: str, seed: int, made: Sequence[str] = ()) -> RunFolder:
        """Return the student of all teachers; ``made`` overrides texts that are made."""
        teachers = [self.language_model(data, seed)]
        if not self.alone:
            teachers.append(trained(FULL, data, seed, self.work, ()))
        folders = json.dumps([str(teacher.path) for teacher in teachers])
        unlabelled = json.dumps([str(path.resolve()) for path in self.texts])
        given = [f"data.unlabelled={unlabelled}", f"teachers.folders={folders}"]
        chosen = [*data_and_seed(data, seed), *given, *made, *self.settings]
        return finished(read_recipe_of(MultiTeacherRecipe, None, chosen), self.work, multi_teacher.train)
