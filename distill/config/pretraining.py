"""The recipe of pretraining: every key of ``gm-distill pretrain``, its type, its default and what it means.

The descriptions are the comments of ``recipes/pretrain.toml``, which is generated from here.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from distill.config.file_names import FileName, FileNames
from distill.config.recipe import BaseRecipe, Section
from distill.config.values import DropoutRate, Norm, Positive, Seed, Share


class UnlabelledDataConfig(Section):
    """The texts to learn from."""

    paths: FileNames = Field(
        (), description="Folders that 'gm-distill corpus' wrote, or files of texts; needed, here or as arguments."
    )
    text_column: str = Field("text", description="Column that holds the text, where a file is a table.")
    encoding: str = Field("", description="Encoding of the files; empty: UTF-8 with or without BOM, else GB18030.")
    held_out: Positive = Field(1000, description="Texts kept to test on, by hash; at most a tenth of all.")


class MaskedLMConfig(Section):
    """The language model."""

    start: FileName = Field(
        "",
        description="Hugging Face folder to continue from, with its tokeniser and sizes; empty: from scratch.",
    )
    layers: Positive = Field(4, description="Transformer blocks (from scratch).")
    width: Positive = Field(256, description="Width of embeddings and hidden states (from scratch).")
    heads: Positive = Field(4, description="Attention heads; they divide the width (from scratch).")
    feed_forward: Positive = Field(1024, description="Width inside the feed-forward layers (from scratch).")
    dropout: DropoutRate = Field(0.1, description="Dropout on hidden states and attention (from scratch).")
    vocabulary: Positive = Field(8000, description="Most characters that the tokeniser knows (from scratch).")
    min_count: Positive = Field(2, description="Characters rarer than this in the texts share one id (from scratch).")
    max_len: int = Field(
        128,
        ge=4,
        description="Longest piece in tokens, its two marks among them; a longer text is cut into several.",
    )

    @model_validator(mode="after")
    def _heads_divide_width(self) -> MaskedLMConfig:
        if self.width % self.heads:
            raise ValueError(f"heads ({self.heads}) must divide width ({self.width})")
        return self


class MaskingConfig(Section):
    """What is hidden from the model, for it to guess."""

    share: float = Field(
        0.15,
        gt=0,
        lt=1,
        description="Share of the words; a short piece may have none this time, and never are all of them hidden.",
    )
    whole_words: bool = Field(
        True, description="Hide the words that jieba cuts, single tokens of a piece of one word; false: single tokens."
    )


class PretrainTrainingConfig(Section):
    """Schedule and optimisation."""

    seed: Seed = Field(0, description="Fixes initial weights, order of batches, masks and dropout.")
    batch_size: Positive = Field(64, description="Pieces in a batch, over all devices.")
    accumulate: Positive = Field(
        1, description="Parts that each device computes its share of a batch in; more parts need less memory."
    )
    epochs: float = Field(10.0, gt=0, description="Times that the texts are read; 0.5 is half of them.")
    lr: float = Field(5e-4, gt=0, description="Peak learning rate (AdamW); 1e-4 suits a model that is continued.")
    weight_decay: float = Field(0.01, ge=0, description="Weight decay; biases and normalisations have none.")
    warmup_share: Share = Field(0.1, description="Share of the steps during which the rate rises; then it falls to 0.")
    gradient_clip: Norm = Field(1.0, description="Largest norm of a gradient.")
    report_every: Positive = Field(200, description="Steps between two points of the curve; each is a checkpoint too.")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="auto: bfloat16 on a GPU and on CPUs with instructions for it (AVX512-BF16, AMX); else float32.",
    )
    threads: Positive = Field(1, description="CPU threads; the same number gives the same result again.")


class PretrainRecipe(BaseRecipe):
    """All keys of a pretraining run, by section."""

    recipe: Literal["pretrain"] = Field("pretrain", description="The method.")
    data: UnlabelledDataConfig = UnlabelledDataConfig()
    model: MaskedLMConfig = MaskedLMConfig()
    masking: MaskingConfig = MaskingConfig()
    training: PretrainTrainingConfig = PretrainTrainingConfig()
