"""The folder of a fine-tuned language model: a run folder with encoder and head in place of the student.

::

    recipe.toml  labels.json  environment.json  metrics.jsonl  predictions/{dev,test}.jsonl
    learned.json        hashes of the texts of train and dev
    left_out.csv        only if rows of the data were left out
    encoder/            an ordinary Hugging Face folder
    head.safetensors    the linear head
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from distill.config.language_model import FinetuneRecipe, LanguageModelConfig
from distill.lm.misnamed import run_method
from distill.lm.provenance import finetuned_folder, learned_data, note_learned_data
from distill.lm.tokens import LMTokenizer
from distill.models.lm_teacher import LMTeacher, load_encoder, longest_sequence
from distill.runs.fingerprints import file_fingerprint, refuse_other_data
from distill.runs.run_folder import RunFolder
from runtime.errors import ConfigError, DataError
from runtime.files import atomic_path, write_bytes

# A tokeniser made anew gives other ids to the same weights.
_MODEL_FILES = {".safetensors", ".bin", ".json", ".txt", ".model"}


@dataclass(frozen=True, slots=True)
class FinetunedLM:
    """What a folder of ``gm-distill finetune`` holds.

    Attributes:
        teacher: the language model with its head, in evaluation mode, on the CPU.
        tokenizer: reads texts for it.
        labels: the classes in the order of the logits.
        data_fingerprint: of the texts and the split that it was fine-tuned on.
        sha256: of what lies in the folder: weights, configuration, tokeniser.
        precision: in which it was fine-tuned and is asked: that of its recipe.
    """

    teacher: LMTeacher
    tokenizer: LMTokenizer
    labels: tuple[str, ...]
    data_fingerprint: str
    sha256: str
    precision: str


@dataclass(frozen=True, slots=True)
class FrozenLM:
    """A language model that is asked and learns no more.

    Attributes:
        encoder: a model of transformers in evaluation mode, on the CPU.
        tokenizer: reads texts for it.
        sha256: of what lies in its folder: weights, configuration, tokeniser.
        precision: in which it is asked: that of the recipe of its fine-tuning, if it was.
    """

    encoder: Any
    tokenizer: LMTokenizer
    sha256: str
    precision: str = "auto"


def read_tokenizer_and_encoder(
    config: LanguageModelConfig, folder: Path, option: str = "--lm"
) -> tuple[LMTokenizer, nn.Module]:
    """Return the encoder in ``folder`` and what reads texts for it, by prefix and longest text of ``config``.

    ``option`` is what names another folder on the command line.
    """
    encoder, tokenizer = load_encoder(folder, option)
    reader = LMTokenizer(tokenizer, config.prefix, config.max_len, longest_sequence(encoder, tokenizer))
    return reader, encoder


def save_finetuned(run: RunFolder, teacher: LMTeacher, tokenizer: LMTokenizer, data_fingerprint: str) -> None:
    """Write encoder, tokeniser and head; the encoder tells from now on what data it learned."""
    note_learned_data(teacher.encoder, data_fingerprint)
    with atomic_path(run.path / "encoder") as folder:
        teacher.encoder.save_pretrained(folder)
        tokenizer.tokenizer.save_pretrained(folder)
    head = {name: tensor.contiguous() for name, tensor in teacher.head.state_dict().items()}
    write_bytes(run.path / "head.safetensors", save(head))


def read_finetuned(path: Path, max_len: int) -> FinetunedLM:
    """Read the folder that :func:`save_finetuned` completed.

    Args:
        path: the folder.
        max_len: longest text in characters that its tokeniser shall read.

    Raises:
        DataError: it is no such folder, or a part is missing or damaged.
    """
    run = RunFolder(path)
    recipe, labels = run.recipe(), run.labels()
    if not isinstance(recipe, FinetuneRecipe):
        raise DataError(f"{path} holds no fine-tuned language model; make one with 'gm-distill finetune'")
    try:
        config = recipe.lm.model_copy(update={"max_len": max_len})
        tokenizer, encoder = read_tokenizer_and_encoder(config, path / "encoder")
        teacher = LMTeacher(encoder, len(labels), recipe.lm.dropout)
        teacher.head.load_state_dict(load_file(path / "head.safetensors"))
    except (ConfigError, OSError, SafetensorError, RuntimeError) as error:
        raise DataError(f"{path} is damaged: {error}; fine-tune again with 'gm-distill finetune'") from error
    sha256 = file_fingerprint([*_model_files(path / "encoder"), path / "head.safetensors"])
    return FinetunedLM(teacher.eval(), tokenizer, labels, run.data_fingerprint(), sha256, recipe.training.precision)


def read_frozen(path: Path, data_fingerprint: str, max_len: int) -> FrozenLM:
    """Read a language model for texts of one corpus.

    Args:
        path: a folder that :func:`save_finetuned` completed, or an ordinary Hugging Face folder.
        data_fingerprint: of the corpus.
        max_len: longest text in characters that its tokeniser shall read.

    Raises:
        ConfigError: it was fine-tuned on other data, or there is no such folder.
        DataError: a part is missing or damaged.
    """
    path = finetuned_folder(path) or path
    if run_method(path) == "finetune":
        finetuned = read_finetuned(path, max_len)
        refuse_other_data(path, finetuned.data_fingerprint, data_fingerprint)
        return FrozenLM(finetuned.teacher.encoder, finetuned.tokenizer, finetuned.sha256, finetuned.precision)
    refuse_labels_of_other_data(path, data_fingerprint)
    tokenizer, encoder = read_tokenizer_and_encoder(LanguageModelConfig(max_len=max_len), path, "--set teacher.lm=")
    return FrozenLM(encoder.eval(), tokenizer, model_sha256(path))


def refuse_labels_of_other_data(encoder: Path, data_fingerprint: str) -> None:
    """Refuse the encoder of a fine-tuning on other data, wherever it was copied to.

    Args:
        encoder: a Hugging Face folder.
        data_fingerprint: of the corpus that it is wanted for.

    Raises:
        ConfigError: it learned labels of another corpus.
        DataError: what it learned cannot be read.
    """
    learned = learned_data(encoder)
    if learned is not None:
        refuse_other_data(encoder, learned, data_fingerprint)


def model_sha256(folder: Path) -> str:
    """Return the SHA-256 of weights, configuration and tokeniser as they lie in a Hugging Face folder.

    Not of a model that was read: what a folder lacks, as a pooler that nobody asks, is drawn anew each time.

    Raises:
        DataError: a file cannot be read.
    """
    return file_fingerprint(_model_files(folder))


def _model_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in _MODEL_FILES and path.is_file())
