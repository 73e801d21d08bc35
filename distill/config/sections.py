"""Sections that recipes of several methods share: data, student, rare classes, and finished teachers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from distill.config.file_names import FileName, FileNames
from distill.config.recipe import Section
from distill.config.values import Buckets, DropoutRate, Positive, Share


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


class FinishedTeachersConfig(Section):
    """Who teaches, and about which texts."""

    folders: FileNames = Field(
        (),
        description="Finished folders of the same data that teach, as 'gm-distill finetune' and 'gm-distill run' write "
        "them; needed. Each has one vote; of a gate_mixup run graph network and student share it.",
    )
    dictionary_words: int = Field(
        60_000,
        ge=0,
        description="Words of jieba's dictionary that the teachers label; 0 where texts are not Chinese: none of them "
        "then replaces another either.",
    )
    replaced_words: int = Field(
        80_000,
        ge=0,
        description="Texts with one word replaced that the teachers label: texts of train and without labels, of at "
        "most 40 characters.",
    )
    distill_weight: Share = Field(
        0.5, description="Weight a of the teachers' answers about labelled texts; the labels weigh 1 - a."
    )
