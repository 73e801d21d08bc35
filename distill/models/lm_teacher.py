"""A pretrained language model that classifies: encoder of transformers → mean over the tokens → linear head."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from distill.lm.quiet import LOCAL, reading_from, refuse_missing_weights
from runtime.errors import ConfigError


class LayerStates(NamedTuple):
    """What chosen layers of an encoder compute for B texts of T tokens.

    Attributes:
        hidden: states after each layer, each ``[B, T, d]``.
        attention: attention of each layer, the mean over its heads, each ``[B, T, T]``; rows sum to 1.
        representation: ``[B, d]``, as :meth:`LMTeacher.encode` gives it.
    """

    hidden: list[Tensor]
    attention: list[Tensor]
    representation: Tensor


class LMTeacher(nn.Module):
    """Encoder, mean over the tokens of a text, linear head.

    Args:
        encoder: a model of transformers that gives ``last_hidden_state``, as :func:`load_encoder` returns it.
        classes: number of labels.
        dropout: rate before the head.
    """

    def __init__(self, encoder: Any, classes: int, dropout: float = 0.0) -> None:  # noqa: ANN401 - untyped package
        super().__init__()
        self.encoder = encoder
        self.dropout = dropout
        self.head = nn.Linear(self.width, classes)

    @property
    def width(self) -> int:
        """Width of hidden states and of the representation."""
        return int(self.encoder.config.hidden_size)

    @property
    def layers(self) -> int:
        """Number of layers."""
        return int(self.encoder.config.num_hidden_layers)

    @property
    def embeddings(self) -> Tensor:
        """The token embeddings ``[vocabulary, e]``; some architectures widen them to the states' width only later."""
        weight: Tensor = self.encoder.get_input_embeddings().weight
        return weight

    def encode(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Return representations ``[B, d]`` of token ids ``[B, T]``; ``mask`` is true where there is text."""
        return _mean(self.encoder(input_ids=ids, attention_mask=mask.long()).last_hidden_state, mask)

    def classify(self, representation: Tensor) -> Tensor:
        """Return logits ``[B, C]``, in float32, of representations ``[B, d]``."""
        # A sentence encoder's features lie close together beside a large common mean, which bfloat16 may not resolve.
        with torch.autocast(representation.device.type, enabled=False):
            dropped = functional.dropout(representation.float(), self.dropout, self.training)
            logits: Tensor = self.head(dropped)
        return logits

    @torch.no_grad()
    def set_head(self, weight: Tensor, bias: Tensor) -> None:
        """Take weights ``[C, d]`` and bias ``[C]`` of a linear classifier of representations."""
        self.head.weight.copy_(weight)
        self.head.bias.copy_(bias)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Return logits ``[B, C]`` of token ids ``[B, T]``."""
        return self.classify(self.encode(ids, mask))

    def states(self, ids: Tensor, mask: Tensor, layers: Sequence[int]) -> LayerStates:
        """Return what ``layers``, counted from 1, compute, and the representation."""
        output = self.encoder(
            input_ids=ids, attention_mask=mask.long(), output_hidden_states=True, output_attentions=True
        )
        return LayerStates(
            # The first of the hidden states is that of the embeddings.
            hidden=[output.hidden_states[layer] for layer in layers],
            attention=[output.attentions[layer - 1].mean(1) for layer in layers],
            representation=_mean(output.last_hidden_state, mask),
        )

    def depth_of(self, parameter: str) -> int:
        """Return the layer that a parameter of the encoder belongs to: 0 for embeddings, 1 for the first layer.

        What is in no layer and is no embedding, such as a final normalisation, counts to the last layer.
        """
        number = re.search(r"\.(\d+)\.", parameter)
        if number:
            return min(int(number[1]) + 1, self.layers)
        return 0 if "embed" in parameter else self.layers


def load_encoder(folder: Path, option: str = "--lm") -> tuple[Any, Any]:
    """Return encoder and tokeniser of a local Hugging Face folder, the encoder in float32.

    Nothing is fetched from a hub, no pickle is read, and no code in the folder is run. ``option`` names another folder
    on the command line.

    Raises:
        ConfigError: the folder holds no such pair, or not all weights, or the tokeniser is not a fast one.
    """
    from transformers import AutoModel, AutoTokenizer

    with reading_from(folder, "encoder", option, ConfigError):
        tokenizer = AutoTokenizer.from_pretrained(folder, **LOCAL)
        # Only the plain attention gives its maps; training with it too keeps one arithmetic for both.
        encoder, loaded = AutoModel.from_pretrained(
            folder, use_safetensors=True, attn_implementation="eager", output_loading_info=True, **LOCAL
        )
    refuse_missing_weights(folder, encoder, loaded["missing_keys"], ConfigError)
    if not tokenizer.is_fast or tokenizer.pad_token_id is None:
        raise ConfigError(f"{folder}: its tokeniser is not a fast one with a padding token; save it as tokenizer.json")
    return encoder.float(), tokenizer


def longest_sequence(encoder: Any, tokenizer: Any) -> int:  # noqa: ANN401 - untyped package
    """Return the most tokens that encoder and tokeniser take."""
    positions = getattr(encoder.config, "max_position_embeddings", None)
    usable = positions - _positions_before_text(encoder) if positions else tokenizer.model_max_length
    return int(min(usable, tokenizer.model_max_length))


def _positions_before_text(encoder: nn.Module) -> int:
    """Return how many rows of the table of positions no token of a text has.

    RoBERTa and its kin, such as XLM-R, count positions from the one after that of padding.
    """
    tables = (module for name, module in encoder.named_modules() if name.endswith("position_embeddings"))
    padding = (getattr(table, "padding_idx", None) for table in tables)
    return max((row + 1 for row in padding if row is not None), default=0)


def _mean(hidden: Tensor, mask: Tensor) -> Tensor:
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    # A tokeniser without special tokens may find nothing in a text: its mean is 0 then, not NaN.
    mean: Tensor = (hidden * weights).sum(1) / weights.sum(1).clamp_min(1)
    return mean
