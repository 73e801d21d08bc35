"""Masked language models of transformers: new ones, and those of a local folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from distill.config.pretraining import MaskedLMConfig
from distill.lm.quiet import LOCAL, reading_from, refuse_missing_weights
from distill.models.lm_teacher import longest_sequence
from runtime.errors import ConfigError, DataError

# How the models of transformers call what turns hidden states into logits.
_HEADS = ("cls", "lm_head")
_MASKED_LM = ("masked language model", "--from", DataError)


class MaskedLM(nn.Module):
    """A masked language model that guesses the hidden tokens only.

    Logits over a vocabulary for every token would take most of the time and memory of a small model.

    Args:
        model: of transformers, with a head for masked language modelling.
    """

    def __init__(self, model: Any) -> None:  # noqa: ANN401 - transformers has no types
        super().__init__()
        self.model = model
        self._head = next((name for name in _HEADS if hasattr(model, name)), None)

    def forward(self, ids: Tensor, attention: Tensor, hidden: Tensor) -> Tensor:
        """Return logits ``[n, V]`` of the n tokens where ``hidden`` is true.

        Args:
            ids: token ids ``[B, L]``.
            attention: ``[B, L]``, 1 for text and 0 for padding.
            hidden: bool ``[B, L]``.
        """
        logits: Tensor
        if self._head is None:
            logits = self.model(input_ids=ids, attention_mask=attention).logits[hidden]
        else:
            states = self.model.base_model(input_ids=ids, attention_mask=attention).last_hidden_state
            logits = getattr(self.model, self._head)(states[hidden])
        return logits


def new_masked_lm(config: MaskedLMConfig, tokenizer: Any) -> MaskedLM:  # noqa: ANN401 - transformers has no types
    """Return a BERT with random weights (torch's global generator)."""
    from transformers import BertConfig, BertForMaskedLM

    return MaskedLM(
        BertForMaskedLM(
            BertConfig(
                vocab_size=len(tokenizer),
                hidden_size=config.width,
                num_hidden_layers=config.layers,
                num_attention_heads=config.heads,
                intermediate_size=config.feed_forward,
                hidden_dropout_prob=config.dropout,
                attention_probs_dropout_prob=config.dropout,
                max_position_embeddings=config.max_len,
                pad_token_id=tokenizer.pad_token_id,
            )
        )
    )


def read_tokenizer(folder: Path) -> Any:  # noqa: ANN401 - transformers has no types
    """Return the fast tokeniser of a local Hugging Face folder.

    Raises:
        DataError: there is none.
        ConfigError: it has no token for masks, padding or either end, or is not a fast one.
    """
    from transformers import AutoTokenizer

    with reading_from(folder, *_MASKED_LM):
        tokenizer = AutoTokenizer.from_pretrained(folder, **LOCAL)
    missing = [name for name in ("pad", "cls", "sep", "mask") if getattr(tokenizer, f"{name}_token_id") is None]
    if missing or not tokenizer.is_fast:
        what = f"has no {missing[0]} token" if missing else "is not a fast one"
        raise ConfigError(f"{folder}: the tokeniser {what}; name a folder whose tokenizer.json has one with --from")
    return tokenizer


def read_masked_lm(folder: Path, tokenizer: Any, max_len: int) -> MaskedLM:  # noqa: ANN401
    """Return the model of a local Hugging Face folder in float32.

    Nothing is fetched from a hub, no pickle is read, and no code in the folder is run. A model without a head for
    masked language modelling gets a new one (torch's global generator).

    Raises:
        DataError: the folder holds no model with safetensors that can guess hidden tokens, or not all its weights.
        ConfigError: the model takes no sequences of ``max_len`` tokens, or does not know all tokens of the tokeniser.
    """
    from transformers import AutoModelForMaskedLM

    with reading_from(folder, *_MASKED_LM):
        model, loaded = AutoModelForMaskedLM.from_pretrained(
            folder, use_safetensors=True, output_loading_info=True, **LOCAL
        )
    base = f"{model.base_model_prefix}."
    missing = [name.removeprefix(base) for name in loaded["missing_keys"] if name.startswith(base)]
    refuse_missing_weights(folder, model.base_model, missing, DataError)
    longest = longest_sequence(model, tokenizer)
    if max_len > longest:
        raise ConfigError(f"{folder}: the model takes {longest} tokens at most; set model.max_len={longest} or less")
    known = len(model.get_input_embeddings().weight)
    if len(tokenizer) > known:
        raise ConfigError(
            f"{folder}: the tokeniser has {len(tokenizer)} tokens and the model knows {known}; enlarge the model by "
            "resize_token_embeddings, or name a folder with the tokeniser that the model was made with"
        )
    return MaskedLM(model.float())
