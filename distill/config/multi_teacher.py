"""The recipe of several teachers and one student: typed keys, as in :mod:`distill.config.recipe`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from distill.config.language_model import TaughtDataConfig
from distill.config.recipe import BaseRecipe, Section
from distill.config.sections import FinishedTeachersConfig, ImbalanceConfig, StudentConfig
from distill.config.values import DropoutRate, Norm, Positive, Seed, Share


class TeachersConfig(FinishedTeachersConfig):
    """Who teaches, about which texts, and what their answers weigh."""

    unlabelled_weight: float = Field(3.0, ge=0, description="Weight of their answers about all other texts.")
    temperature: float = Field(1.0, gt=0, description="Temperature of the teachers' answers.")


class MultiTeacherTrainingConfig(Section):
    """Schedule and optimisation of the student."""

    seed: Seed = Field(
        0, description="Fixes split, initial weights, order of batches, dropout and the texts that are made."
    )
    batch_size: Positive = Field(32, description="Labelled texts in a step.")
    unlabelled_batch_size: Positive = Field(96, description="Other texts in a step, if there are any.")
    epochs: Positive = Field(60, description="Most epochs; the rate falls to 0 over them.")
    epoch_steps: Positive = Field(
        150,
        description="Fewest steps of an epoch. It is all labelled texts once; where they are few, they come again, "
        "each time beside other texts without labels.",
    )
    patience: Positive = Field(60, description="Epochs without a better dev macro-F1 before it stops.")
    lr: float = Field(1e-3, gt=0, description="Peak learning rate (AdamW).")
    weight_decay: float = Field(0.01, ge=0, description="Weight decay.")
    warmup_share: Share = Field(0.05, description="Share of all steps during which the rate rises.")
    label_smoothing: DropoutRate = Field(0.1, description="Label smoothing of the cross-entropy.")
    character_dropout: DropoutRate = Field(
        0.05, description="Share of characters that the student, while it learns, sees as unknown."
    )
    gradient_clip: Norm = Field(1.0, description="Largest norm of a gradient.")
    threads: Positive = Field(1, description="CPU threads; the same seed repeats a run with the same number only.")


class MultiTeacherRecipe(BaseRecipe):
    """All keys of training one student with several finished teachers."""

    recipe: Literal["multi_teacher"] = Field("multi_teacher", description="The method that this file is for.")
    data: TaughtDataConfig = TaughtDataConfig()
    student: StudentConfig = StudentConfig()
    teachers: TeachersConfig = TeachersConfig()
    training: MultiTeacherTrainingConfig = MultiTeacherTrainingConfig()
    imbalance: ImbalanceConfig = ImbalanceConfig()
