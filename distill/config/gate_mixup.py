"""The recipe of Gate-Mixup mutual distillation: its keys, their defaults and what they mean.

Defaults are chosen on development data; ``benchmarks/`` holds the measurements.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from distill.config.file_names import FileName
from distill.config.overrides import Override
from distill.config.recipe import BaseRecipe, Section, read_recipe_of
from distill.config.sections import DataConfig, ImbalanceConfig, StudentConfig
from distill.config.values import DropoutRate, Norm, Positive, Seed, Share


class GraphConfig(Section):
    """How a text becomes a graph."""

    nodes: tuple[Literal["char", "bigram", "trigram", "word"], ...] = Field(
        ("char", "bigram"), min_length=1, description="Kinds of node; words are cut by jieba."
    )
    edges: tuple[Literal["adjacency", "containment", "cooccurrence"], ...] = Field(
        ("adjacency", "containment", "cooccurrence"),
        description="Kinds of edge: neighbours, parts, or pairs in a window weighted by corpus PMI.",
    )
    window: Positive = Field(2, description="Nodes of one kind at most this far apart co-occur.")
    min_count: Positive = Field(2, description="N-grams and words rarer than this in training share one id.")
    max_len: int = Field(256, ge=2, description="Longest text in characters; a longer one keeps its head and tail.")


class TeacherConfig(Section):
    """The graph neural network."""

    layers: Positive = Field(2, description="Message-passing layers (GATv2).")
    width: Positive = Field(128, description="Width of node states and of the graph network's representation.")
    heads: Positive = Field(4, description="Attention heads; they divide the width.")
    dropout: DropoutRate = Field(0.3, description="Dropout on node features, between layers and before the classifier.")
    node_dropout: DropoutRate = Field(0.1, description="Share of nodes that training shows as unknown ones.")
    # The teacher gains two points, the student, which has n-grams of its own, nothing (benchmarks/results/bag).
    bag_width: int = Field(
        0,
        ge=0,
        description="Width of the node embeddings whose mean answers beside the graph network; 0: it answers alone.",
    )
    features: Literal["ids", "lm"] = Field(
        "ids", description="What a node is: its id alone, or also the token states of a frozen language model."
    )
    lm: FileName = Field(
        "",
        description="Where features is lm: the language model's folder, as 'gm-distill finetune' wrote it, or any "
        "Hugging Face encoder.",
    )

    @model_validator(mode="after")
    def _heads_divide_width(self) -> TeacherConfig:
        if self.width % self.heads:
            raise ValueError(f"heads ({self.heads}) must divide width ({self.width})")
        return self


class TrainingConfig(Section):
    """Schedules and optimisation."""

    seed: Seed = Field(0, description="Fixes split, initial weights, order of batches, dropout and Mixup.")
    batch_size: Positive = Field(32, description="Texts in a batch; sets of a thousand texts want small ones.")
    # By dev of 504 texts, 16 steps once, 53.1 % macro-F1 grow to 64; 150 steps give no more than 50.
    epoch_steps: Positive = Field(
        40,
        description="Fewest steps of an epoch. It is all texts once; where they are few, they come again.",
    )
    initial_epochs: Positive = Field(6, description="Epochs of initial training on the labels, teacher and student.")
    rounds: Positive = Field(16, description="Most rounds of mutual learning; a round is stage one, then stage two.")
    stage_epochs: Positive = Field(1, description="Epochs of each stage in a round.")
    patience: Positive = Field(16, description="Rounds without a better student on dev macro-F1 before it stops.")
    student_lr: float = Field(1e-3, gt=0, description="Peak learning rate of the student (AdamW).")
    teacher_lr: float = Field(1e-3, gt=0, description="Peak learning rate of the teacher (AdamW).")
    weight_decay: float = Field(0.01, ge=0, description="Weight decay of both.")
    mutual_lr_share: float = Field(
        0.8, gt=0, description="Learning rate when mutual learning begins, as a share of the peak; it falls to 0."
    )
    warmup_share: Share = Field(0.1, description="Share of initial training during which the rate rises.")
    label_smoothing: DropoutRate = Field(0.1, description="Label smoothing of the cross-entropy.")
    character_dropout: DropoutRate = Field(
        0.05, description="Share of characters that the student, while it learns, sees as unknown."
    )
    gradient_clip: Norm = Field(1.0, description="Largest norm of a gradient.")


class GateMixupConfig(Section):
    """Indicator, gate, augmentation and losses of mutual distillation (after CN115481249B)."""

    indicator: Literal["true_class_probability", "correct_margin", "batch_accuracy", "batch_macro_f1"] = Field(
        "true_class_probability", description="Scores the output of the network that teaches, 0 to 1."
    )
    threshold: Share = Field(0.5, description="Gate: an output that scores lower is augmented.")
    dropout: DropoutRate = Field(0.3, description="Dropout rate of the augmented representation.")
    mixup_alpha: float = Field(0.4, gt=0, description="Mixup weight is drawn from Beta(alpha, alpha) for each text.")
    residual: Literal["sum", "mean"] = Field("mean", description="How the augmented representation joins the original.")
    distill_weight: Share = Field(0.5, description="Weight a of the distillation loss; the labels weigh 1 - a.")
    temperature: float = Field(1.0, gt=0, description="Temperature of the distillation loss.")
    representation_weight: float = Field(0.1, ge=0, description="Weight b of the distance of representations.")


class AblateConfig(Section):
    """Switches a part of the method off; everything else stays equal."""

    indicator: bool = Field(False, description="Every output scores 0: all are augmented.")
    gate: bool = Field(False, description="Every output passes as it is: none is augmented.")
    mixup: bool = Field(False, description="The augmented representation is the dropped-out one alone.")
    residual: bool = Field(False, description="The augmented representation replaces the original.")
    stage_two: bool = Field(
        False, description="The student does not teach the teacher, which learns from labels alone."
    )
    kl: bool = Field(False, description="Labels and representations only.")


class GateMixupRecipe(BaseRecipe):
    """All keys of Gate-Mixup mutual distillation, by section."""

    data: DataConfig = DataConfig()
    student: StudentConfig = StudentConfig()
    graph: GraphConfig = GraphConfig()
    teacher: TeacherConfig = TeacherConfig()
    training: TrainingConfig = TrainingConfig()
    imbalance: ImbalanceConfig = ImbalanceConfig()
    gate_mixup: GateMixupConfig = GateMixupConfig()
    ablate: AblateConfig = AblateConfig()

    @model_validator(mode="before")
    @classmethod
    def _method_may_be_named(cls, keys: dict[str, Any]) -> dict[str, Any]:
        """Allow ``recipe = "gate_mixup"``: other methods need the key, for this one it is the default."""
        return {name: value for name, value in keys.items() if (name, value) != ("recipe", "gate_mixup")}


def read_gate_mixup(path: Path | None, overrides: Iterable[str | Override] = ()) -> GateMixupRecipe:
    """Read a recipe of Gate-Mixup mutual distillation; see :func:`read_recipe_of`."""
    return read_recipe_of(GateMixupRecipe, path, overrides)
