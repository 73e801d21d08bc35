"""The recipe: every key that a training run knows, its type, its default and what it means.

The descriptions below are the comments of the shipped TOML files, which are generated from here.
Defaults are chosen on development data; ``benchmarks/`` holds the measurements.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import tomlkit
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from tomlkit.exceptions import TOMLKitError

from distill.config.file_names import FileName, absolute_names, names_files
from distill.config.overrides import Override, apply_overrides, option_that_set, read_setting
from runtime.cascade import MOST_BUCKETS
from runtime.errors import ConfigError

if TYPE_CHECKING:
    from typing_extensions import Self

SHIPPED_RECIPES = Path(__file__).parents[1] / "recipes"
"""A TOML file for each method, with every key at its default."""

Share = Annotated[float, Field(ge=0.0, le=1.0)]
DropoutRate = Annotated[float, Field(ge=0.0, lt=1.0)]
Positive = Annotated[int, Field(ge=1)]
# Infinity clips nothing.
Norm = Annotated[float, Field(gt=0, allow_inf_nan=True)]
# The largest whole number that every reader of TOML knows; torch takes it too.
Seed = Annotated[int, Field(ge=0, le=2**63 - 1)]


def _power_of_two(buckets: int) -> int:
    if buckets & (buckets - 1):
        raise ValueError("must be a power of two, or 0")
    return buckets


Buckets = Annotated[int, Field(ge=0, le=MOST_BUCKETS), AfterValidator(_power_of_two)]


class Section(BaseModel):
    """Some keys of a recipe; unknown keys and numbers that are not finite are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, allow_inf_nan=False)

    def file_keys(self) -> list[str]:
        """Return the keys that name files or folders."""
        return [key for key, field in type(self).model_fields.items() if names_files(field)]


class DataConfig(Section):
    """Where the texts come from and how one file is split."""

    path: FileName = Field(
        "", description="Folder with train/dev/test, or one file; empty: the example set of the package."
    )
    text_column: str = Field("text", description="Column that holds the text.")
    label_column: str = Field("label", description="Column that holds the class.")
    encoding: str = Field("", description="Encoding of the files; empty: UTF-8 with or without BOM, else GB18030.")
    sheet: str = Field("", description="Sheet of Excel files; empty: the one that has the columns; *: all that do.")
    dev_share: Share = Field(0.1, description="Share of one file that becomes the development set.")
    test_share: Share = Field(0.1, description="Share of one file that becomes the test set.")
    near_duplicate: Share = Field(
        0.8,
        description="Texts this similar (Jaccard of character 1- and 2-grams) share a split.",
    )


class StudentConfig(Section):
    """The Transformer that goes to the plant floor."""

    # One block, not two: as accurate on three sets, a third faster in INT8, because what a block costs beside its
    # products is paid once.
    layers: Positive = Field(1, description="Transformer blocks.")
    width: Positive = Field(128, description="Width of embeddings and hidden states.")
    heads: Positive = Field(2, description="Attention heads; they divide the width.")
    # Wider ones, up to 1,024, were no more accurate on three sets.
    feed_forward: Positive = Field(256, description="Width inside the feed-forward layers.")
    # By labels alone no better on two sets of one and three thousand texts (benchmarks/results/bigrams).
    bigram_buckets: Buckets = Field(
        0,
        le=1 << 18,
        description="Buckets of hashed bigrams whose embeddings the Transformer takes in with those of its characters, "
        "a power of two; 0: none. For tens of thousands of texts, 65536 for instance; each takes as many bytes in an "
        "INT8 model as the width says, and training takes up to twice as long.",
    )
    ngram_buckets: Buckets = Field(
        16_384,
        description="Buckets of hashed characters and bigrams beside the Transformer, a power of two; 0: none. Tens of "
        "thousands of texts want more, 262144 for instance; each takes two bytes a class in the bundle.",
    )
    ngram_width: Positive = Field(64, description="Width of the embeddings of n-grams.")
    dropout: DropoutRate = Field(
        0.1, description="Dropout on what a block takes in, attention, feed-forward and the heads."
    )
    max_len: int = Field(128, ge=2, description="Longest text in characters; a longer one keeps its head and tail.")

    @model_validator(mode="after")
    def _heads_divide_width(self) -> StudentConfig:
        if self.width % self.heads:
            raise ValueError(f"heads ({self.heads}) must divide width ({self.width})")
        return self


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


class ImbalanceConfig(Section):
    """What the cross-entropy with the labels does for classes of few texts."""

    class_weights: Literal["none", "sqrt", "balanced"] = Field(
        "none",
        description="Weight of a text by the number n of texts of its class: none: 1; sqrt: 1/sqrt(n); balanced: 1/n.",
    )
    logit_adjustment: float = Field(
        0.0,
        ge=0,
        description="Tau of logit adjustment; 1: decides as if classes were equally frequent, as balanced weights do; "
        "both at once do it twice.",
    )


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


class BaseRecipe(Section):
    """The base of the recipes of all methods; fields are sections, or top-level keys."""

    @classmethod
    def method(cls) -> str:
        """Return the name of the method, as the key ``recipe`` of a file gives it."""
        named = cls.model_fields.get("recipe")
        return str(named.default) if named else "gate_mixup"

    def file_keys(self) -> list[str]:
        """Return the keys that name files or folders, as ``data.path``."""
        return [f"{name}.{key}" for name, section in self._sections() for key in section.file_keys()]

    @property
    def sha256(self) -> str:
        """Fingerprint of the method and its keys, except those that name files.

        The files, data and models, have fingerprints of their own in ``environment.json``.
        """
        files = self.file_keys()
        values = {key: value for key, value in self._values().items() if key not in files}
        return hashlib.sha256(json.dumps([self.method(), values], sort_keys=True).encode("utf-8")).hexdigest()

    def with_paths_from(self, folder: Path, but: Container[str] = ()) -> Self:
        """Return the recipe with absolute paths.

        Args:
            folder: where relative paths start.
            but: keys, as ``data.path``, whose paths stay as they are.
        """
        sections = {}
        for name, section in self._sections():
            keys = [key for key in section.file_keys() if f"{name}.{key}" not in but]
            moved = {key: absolute_names(folder, getattr(section, key)) for key in keys}
            sections[name] = section.model_copy(update=moved)
        return self.model_copy(update=sections)

    def differences(self, other: Self, but: Container[str]) -> list[str]:
        """Return the keys in which the recipes differ, each with both values: ``training.seed=0, not 1``.

        Args:
            other: recipe of the same method.
            but: keys that may differ.
        """
        own, others = self._values(), other._values()
        return [f"{key}={own[key]}, not {others[key]}" for key in own if own[key] != others[key] and key not in but]

    def _sections(self) -> list[tuple[str, Section]]:
        return [(name, section) for name, section in self if isinstance(section, Section)]

    def _values(self) -> dict[str, str]:
        values = {f"{name}.{key}": value for name, section in self._sections() for key, value in section}
        return {key: json.dumps(value, ensure_ascii=False) for key, value in values.items()}

    def to_toml(self) -> str:
        """Return the recipe as TOML in which each key carries its description as a comment."""
        document = tomlkit.document()
        for name, value in self:
            if isinstance(value, Section):
                document.add(name, _section_table(value))
            else:
                document.add(tomlkit.comment(type(self).model_fields[name].description or ""))
                document.add(name, value)
        return tomlkit.dumps(document)


class Recipe(BaseRecipe):
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


_Kind = TypeVar("_Kind", bound=BaseRecipe)


def read_recipe(path: Path | None, overrides: Iterable[str | Override] = ()) -> Recipe:
    """Read a recipe of Gate-Mixup mutual distillation; see :func:`read_recipe_of`."""
    return read_recipe_of(Recipe, path, overrides)


def read_recipe_of(kind: type[_Kind], path: Path | None, overrides: Iterable[str | Override] = ()) -> _Kind:
    """Read a recipe file, apply ``section.key=value`` overrides and check every key.

    Args:
        kind: the class of the recipe.
        path: TOML file; ``None`` means the defaults.
        overrides: as given to ``--set``, see :func:`distill.config.overrides.read_setting`, or to another option.

    Raises:
        ConfigError: unreadable file, unknown key, or a value of the wrong type or range.
    """
    keys: dict[str, Any] = read_toml(path) if path else {}
    given = [read_setting(kind, one) if isinstance(one, str) else one for one in overrides]
    apply_overrides(keys, given)
    try:
        return kind.model_validate(keys)
    except ValidationError as error:
        key, problem = _first_problem(kind, error)
        # An element of a list is given with the list.
        where = option_that_set(given, ".".join(key.split(".")[:2])) or path or "--set"
        raise ConfigError(f"{where}: {problem}") from error


def _section_table(section: Section) -> tomlkit.items.Table:
    table = tomlkit.table()
    for key, field in type(section).model_fields.items():
        value = getattr(section, key)
        table.add(tomlkit.comment(field.description or ""))
        table.add(key, list(value) if isinstance(value, tuple) else value)
    return table


def read_toml(path: Path) -> dict[str, Any]:
    """Return the keys of a recipe file, unchecked.

    Raises:
        ConfigError: the file cannot be read or is not TOML.
    """
    try:
        return tomlkit.parse(path.read_text(encoding="utf-8-sig")).unwrap()
    except (OSError, UnicodeDecodeError, TOMLKitError) as error:
        raise ConfigError(f"cannot read recipe {path}: {error}; see 'gm-distill init' for a valid one") from error


def method_of(path: Path) -> str:
    """Return the method that a recipe file names, unchecked; one that names none is of Gate-Mixup.

    Raises:
        ConfigError: see :func:`read_toml`.
    """
    return str(read_toml(path).get("recipe", Recipe.method()))


def _first_problem(kind: type[BaseRecipe], error: ValidationError) -> tuple[str, str]:
    """Return the key, or the section, and what is wrong with it."""
    problem = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in problem["loc"]) or "recipe"
    if problem["type"] == "extra_forbidden":
        return key, f"unknown key {key}; {_where_keys_stand(kind)}"
    return key, f"{key}: {problem['msg']} (got {problem['input']!r})"


def _where_keys_stand(kind: type[BaseRecipe]) -> str:
    """Return where to find every key of a method."""
    if kind is Recipe:
        return "'gm-distill init' writes a recipe with every key"
    return f"every key of this method stands in {SHIPPED_RECIPES / kind.method()}.toml"
