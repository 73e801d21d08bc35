"""A Hugging Face encoder small enough to train in a second: random weights, one token a character."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from distill.config.language_model import FinetuneRecipe, LayersRecipe
from distill.config.recipe import read_recipe_of
from runtime.tables.rows import read_table
from runtime.text import normalise

REAL_LM = Path(__file__).parents[3] / "shared" / "models" / "me5-small-zh"
"""A real pretrained encoder, where there is one."""


def write_tiny_lm(folder: Path, data: Path) -> Path:
    """Write a BERT of two layers of 32 whose vocabulary is that of the training texts; return the folder."""
    texts = [normalise(row.values["text"]) for row in read_table(data / "train.tsv")]
    characters = sorted(set("".join(texts)) - {" "})
    vocabulary = {token: number for number, token in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *characters])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    by_character = pre_tokenizers.Split("", "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), by_character])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    named = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=64, **named).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder)
    return folder


def tiny_finetune(data: Path, lm: Path, *overrides: str) -> FinetuneRecipe:
    """Return a recipe of two epochs of seven steps."""
    paths = [f"data.path={json.dumps(str(data))}", f"lm.folder={json.dumps(str(lm))}"]
    return read_recipe_of(FinetuneRecipe, None, [*paths, *SMALL_FINETUNE, *overrides])


def tiny_layers(data: Path, teacher: Path, *overrides: str) -> LayersRecipe:
    """Return a recipe of a tiny student: two epochs of seven steps on the labelled texts alone."""
    paths = [f"data.path={json.dumps(str(data))}", f"lm_layers.teacher={json.dumps(str(teacher))}"]
    return read_recipe_of(LayersRecipe, None, [*paths, *SMALL_STUDENT, *overrides])


SMALL_FINETUNE = (
    "training.batch_size=8",
    "training.epochs=2",
    "training.epoch_steps=1",
    "training.lr=0.003",
    "training.layer_decay=0.9",
    "training.precision=float32",
    "lm.max_len=16",
)
SMALL_STUDENT = (
    "student.layers=2",
    "student.width=16",
    "student.heads=2",
    "student.feed_forward=32",
    "student.max_len=16",
    "training.batch_size=8",
    "training.epochs=2",
    "training.lr=0.005",
)
