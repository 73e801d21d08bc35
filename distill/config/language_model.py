"""The recipes of the language-model chain: typed keys, as in :mod:`distill.config.recipe`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from distill.config.file_names import FileName, FileNames
from distill.config.recipe import BaseRecipe, Section
from distill.config.sections import DataConfig, FinishedTeachersConfig, ImbalanceConfig, StudentConfig
from distill.config.values import DropoutRate, Norm, Positive, Seed, Share

_EXPLAINED = FinishedTeachersConfig.model_fields


class LanguageModelConfig(Section):
    """The pretrained encoder and how it reads a text."""

    folder: FileName = Field("", description="Hugging Face folder of the encoder, with a fast tokeniser; needed.")
    prefix: str = Field("", description="Put before every text, as the encoder's makers ask; 'query: ' for E5.")
    max_len: int = Field(128, ge=2, description="Longest text in characters; a longer one keeps its head and tail.")
    dropout: DropoutRate = Field(0.1, description="Dropout on the representation before the classifier.")


class TaughtDataConfig(DataConfig):
    """Labelled texts, and texts that teachers alone label."""

    near_duplicate: Share = Field(
        0.8,
        description="Texts this similar (Jaccard of character 1- and 2-grams) share a split; texts without labels this "
        "similar to one of dev or test are left out.",
    )
    unlabelled: FileNames = Field(
        (),
        description="Folders that 'gm-distill corpus' wrote, or files of texts without labels: .txt with one text a "
        "line, or tables with the text column.",
    )


class FinetuneTeachersConfig(FinishedTeachersConfig):
    """Who teaches a language model besides the labels, and about which texts."""

    folders: FileNames = Field(
        (),
        description="Finished folders of the same data that teach besides the labels, as 'gm-distill finetune' and "
        "'gm-distill run' write them; empty: labels alone, and the keys below do nothing. Each has one vote.",
    )
    dictionary_words: int = Field(5_000, ge=0, description=_EXPLAINED["dictionary_words"].description)
    replaced_words: int = Field(10_000, ge=0, description=_EXPLAINED["replaced_words"].description)


class FinetuneTrainingConfig(Section):
    """Schedule and optimisation of a pretrained encoder."""

    seed: Seed = Field(
        0, description="Fixes split, order of batches, dropout, a random head and the texts that are made."
    )
    batch_size: Positive = Field(32, description="Texts in a batch; those of similar length go together.")
    epochs: Positive = Field(
        5, description="Most epochs; the rate falls to 0 over them. With a random head small sets want 15 or more."
    )
    epoch_steps: Positive = Field(
        40,
        description="Fewest steps of an epoch. It is all texts once; where they are few, as five hundred, they come "
        "again.",
    )
    patience: Positive = Field(5, description="Epochs without a better dev macro-F1 before it stops.")
    head: Literal["probe", "random"] = Field(
        "probe", description="What the classifier starts as; probe: logistic regression on the frozen encoder."
    )
    probe_penalty: float = Field(
        100.0,
        ge=0,
        description="Penalty of the probe's squared weights against the sum of its losses (1/C in scikit-learn's "
        "terms). With a small one the probe fits few texts perfectly and leaves fine-tuning nothing to learn.",
    )
    lr: float = Field(1e-4, gt=0, description="Peak learning rate of the last layer (AdamW).")
    head_lr: float = Field(1e-3, gt=0, description="Peak learning rate of the classifier.")
    layer_decay: float = Field(
        0.95, gt=0, le=1, description="Each layer below learns this much slower; embeddings slowest."
    )
    schedule: Literal["linear", "cosine"] = Field("linear", description="How the rate falls after the warm-up.")
    warmup_share: Share = Field(0.1, description="Share of all steps during which the rate rises.")
    weight_decay: float = Field(0.01, ge=0, description="Weight decay of matrices; vectors have none.")
    label_smoothing: DropoutRate = Field(0.0, description="Label smoothing of the cross-entropy.")
    gradient_clip: Norm = Field(1.0, description="Largest norm of the gradient.")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="auto: bfloat16 on a GPU and on CPUs with instructions for it (AVX512-BF16, AMX), which then take "
        "a third of the time; else float32.",
    )
    threads: Positive = Field(1, description="CPU threads; the same seed repeats a run with the same number only.")


class FinetuneRecipe(BaseRecipe):
    """All keys of fine-tuning a language model on labels."""

    recipe: Literal["finetune"] = Field("finetune", description="The method that this file is for.")
    data: TaughtDataConfig = TaughtDataConfig()
    lm: LanguageModelConfig = LanguageModelConfig()
    teachers: FinetuneTeachersConfig = FinetuneTeachersConfig()
    training: FinetuneTrainingConfig = FinetuneTrainingConfig()
    imbalance: ImbalanceConfig = ImbalanceConfig()


class LayersConfig(Section):
    """What the student takes from the layers of a fine-tuned language model."""

    teacher: FileName = Field("", description="Folder that 'gm-distill finetune' wrote; needed.")
    layers: tuple[int, ...] = Field(
        (),
        description="Teacher layer (1 is the first) that each student block follows; empty: evenly spaced to the last.",
    )
    carry_embeddings: bool = Field(
        True, description="Character embeddings start as the teacher's, reduced to the student's width by PCA."
    )
    hidden_loss: Literal["mse", "cosine"] = Field("mse", description="Distance of hidden states after projection.")
    hidden_weight: float = Field(1.0, ge=0, description="Weight of the hidden states; 0 leaves them out.")
    attention_weight: float = Field(1.0, ge=0, description="Weight of the attention maps, KL; 0 leaves them out.")
    embedding_weight: float = Field(0.1, ge=0, description="Weight of the character embeddings; 0 leaves them out.")
    distill_weight: Share = Field(0.5, description="Weight a of the teacher's outputs; the labels weigh 1 - a.")
    temperature: float = Field(4.0, gt=0, description="Temperature of the teacher's outputs.")


class LayersTrainingConfig(Section):
    """Schedule and optimisation of the student."""

    seed: Seed = Field(0, description="Fixes split, initial weights, order of batches and dropout.")
    batch_size: Positive = Field(64, description="Texts in a batch, with labels and without, mixed.")
    epochs: Positive = Field(24, description="Most epochs over all texts; the rate falls to 0 over them.")
    patience: Positive = Field(10, description="Epochs without a better dev macro-F1 before it stops.")
    lr: float = Field(1e-3, gt=0, description="Peak learning rate (AdamW).")
    weight_decay: float = Field(0.01, ge=0, description="Weight decay.")
    warmup_share: Share = Field(0.05, description="Share of all steps during which the rate rises.")
    label_smoothing: DropoutRate = Field(0.0, description="Label smoothing of the cross-entropy.")
    character_dropout: DropoutRate = Field(
        0.05, description="Share of characters that the student, while it learns, sees as unknown."
    )
    gradient_clip: Norm = Field(1.0, description="Largest norm of a gradient.")


class LayersRecipe(BaseRecipe):
    """All keys of building a student from the layers of a language model."""

    recipe: Literal["lm_layers"] = Field("lm_layers", description="The method that this file is for.")
    data: TaughtDataConfig = TaughtDataConfig()
    student: StudentConfig = StudentConfig()
    lm_layers: LayersConfig = LayersConfig()
    training: LayersTrainingConfig = LayersTrainingConfig()
    imbalance: ImbalanceConfig = ImbalanceConfig()
