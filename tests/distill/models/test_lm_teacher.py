"""The encoder as a classifier: pooling, layers, loading from a folder and from nowhere else."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models
from torch.nn.functional import normalize
from transformers import (
    BertConfig,
    BertModel,
    MPNetConfig,
    MPNetModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaModel,
    XLMRobertaConfig,
    XLMRobertaModel,
)

from distill.lm.tokens import LMTokenizer
from distill.models.lm_teacher import LMTeacher, load_encoder, longest_sequence
from runtime.errors import ConfigError
from tests.distill.tiny import write_tiny_data
from tests.distill.tiny_lm import REAL_LM, write_tiny_lm

IDS = torch.tensor([[2, 9, 8, 7, 3], [2, 9, 3, 0, 0]])
MASK = IDS != 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Hugging Face folder."""
    place = tmp_path_factory.mktemp("lm")
    return write_tiny_lm(place / "lm", write_tiny_data(place / "data"))


@pytest.fixture(scope="module")
def teacher(folder: Path) -> LMTeacher:
    """A tiny teacher of four classes in evaluation mode."""
    torch.manual_seed(0)
    return LMTeacher(load_encoder(folder)[0], classes=4).eval()


@torch.no_grad()
def test_logits_are_the_head_on_the_mean_of_the_tokens(teacher: LMTeacher) -> None:
    hidden = teacher.encoder(input_ids=IDS[:1]).last_hidden_state
    assert teacher(IDS, MASK).shape == (2, 4)
    torch.testing.assert_close(teacher.encode(IDS, MASK)[0], hidden[0].mean(0))
    torch.testing.assert_close(teacher(IDS, MASK)[0], teacher.head(hidden[0].mean(0)))


@torch.no_grad()
def test_padding_changes_nothing(teacher: LMTeacher) -> None:
    alone = IDS[1:, :3]
    torch.testing.assert_close(teacher(IDS, MASK)[1:], teacher(alone, alone != 0))


@torch.no_grad()
def test_a_text_without_tokens_has_finite_logits(teacher: LMTeacher) -> None:
    nothing = torch.tensor([[True] * 5, [False] * 5])
    assert torch.equal(teacher(IDS, nothing)[1], teacher.head.bias)
    assert teacher.states(IDS, nothing, [1]).representation.isfinite().all()


@torch.no_grad()
def test_states_of_chosen_layers(teacher: LMTeacher) -> None:
    states = teacher.states(IDS, MASK, [2, 1])
    every = teacher.encoder(input_ids=IDS, attention_mask=MASK.long(), output_hidden_states=True).hidden_states
    assert len(every) == 3  # embeddings and two layers
    assert torch.equal(states.hidden[0], every[2])
    assert torch.equal(states.hidden[1], every[1])
    assert torch.equal(states.representation, teacher.encode(IDS, MASK))


@torch.no_grad()
def test_attention_maps_sum_to_one_over_the_text(teacher: LMTeacher) -> None:
    (attention,) = teacher.states(IDS, MASK, [1]).attention
    assert attention.shape == (2, 5, 5)
    torch.testing.assert_close(attention.sum(-1), torch.ones(2, 5))
    assert attention[1, :, 3:].abs().max() < 1e-6


def test_every_parameter_of_the_encoder_has_a_depth(teacher: LMTeacher) -> None:
    depths = {name: teacher.depth_of(name) for name, _ in teacher.encoder.named_parameters()}
    assert depths["embeddings.word_embeddings.weight"] == 0
    assert depths["encoder.layer.0.output.dense.weight"] == 1
    assert depths["encoder.layer.1.output.dense.weight"] == 2
    assert depths["pooler.dense.weight"] == 2


def test_layers_of_other_architectures(teacher: LMTeacher) -> None:
    assert teacher.depth_of("layers.0.attn.Wqkv.weight") == 1
    assert teacher.depth_of("transformer.layer.1.ffn.lin1.weight") == 2
    assert teacher.depth_of("embeddings.LayerNorm.bias") == 0
    assert teacher.depth_of("final_norm.weight") == 2


def test_nothing_is_asked_of_a_network(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    encoder, tokenizer = load_encoder(folder)
    assert longest_sequence(encoder, tokenizer) == 64


SMALL: dict[str, Any] = {
    "vocab_size": 30,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 66,
}


@pytest.mark.parametrize(
    ("encoder", "longest"),
    [
        (BertModel(BertConfig(**SMALL)), 66),
        (RobertaModel(RobertaConfig(**SMALL)), 64),
        (XLMRobertaModel(XLMRobertaConfig(**SMALL)), 64),
        (RobertaModel(RobertaConfig(**SMALL, pad_token_id=0)), 65),
        (MPNetModel(MPNetConfig(**SMALL)), 64),
    ],
    ids=["bert", "roberta", "xlm-roberta", "roberta-pad-0", "mpnet"],
)
@torch.no_grad()
def test_the_longest_sequence_is_one_that_the_encoder_takes_and_no_longer_one(encoder: Any, longest: int) -> None:  # noqa: ANN401
    without_limit = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"a": 0}, unk_token="a")))
    assert longest_sequence(encoder, without_limit) == longest
    encoder.eval()(input_ids=torch.full((1, longest), 9))
    with pytest.raises((IndexError, RuntimeError)):
        encoder(input_ids=torch.full((1, longest + 1), 9))


def test_half_precision_folder_is_loaded_as_float32(folder: Path, tmp_path: Path) -> None:
    encoder, tokenizer = load_encoder(folder)
    encoder.half().save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    assert load_encoder(tmp_path)[0].dtype == torch.float32


def test_missing_folder_is_no_name_to_look_up(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such folder"):
        load_encoder(Path("bert-base-chinese"))


@pytest.mark.parametrize("spoiled", ["config.json", "model.safetensors", "tokenizer.json"])
def test_damaged_folder_is_one_line(folder: Path, tmp_path: Path, spoiled: str) -> None:
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(b"{" if path.name == spoiled else path.read_bytes())
    with pytest.raises(ConfigError, match=str(tmp_path)) as caught:
        load_encoder(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kept", ["under other names", "of one layer"])
def test_weights_that_are_not_there_are_not_drawn_in_silence(folder: Path, tmp_path: Path, kept: str) -> None:
    lm = Path(shutil.copytree(folder, tmp_path / "lm"))
    weights = load_file(lm / "model.safetensors")
    spoiled = _renamed(weights) if kept == "under other names" else _of_one_layer(weights)
    save_file(spoiled, lm / "model.safetensors", {"format": "pt"})
    with pytest.raises(ConfigError, match=r"lm: \d+ of the 39 weights that its config\.json asks for are missing"):
        load_encoder(lm)


def _renamed(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {f"network.module.{name}": tensor for name, tensor in weights.items()}


def _of_one_layer(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor for name, tensor in weights.items() if ".layer.1." not in name}


def test_a_pooler_that_is_not_there_is_not_missed(folder: Path, tmp_path: Path) -> None:
    lm = Path(shutil.copytree(folder, tmp_path / "lm"))
    weights = load_file(lm / "model.safetensors")
    others = {name: tensor for name, tensor in weights.items() if "pooler" not in name}
    save_file(others, lm / "model.safetensors", {"format": "pt"})
    read = load_encoder(lm)[0].state_dict()
    assert all(torch.equal(read[name], tensor) for name, tensor in others.items())


def test_code_in_a_folder_is_neither_run_nor_asked_about(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lm = Path(shutil.copytree(folder, tmp_path / "lm"))
    config = json.loads((lm / "config.json").read_text(encoding="utf-8"))
    strange = {"model_type": "mine", "auto_map": {"AutoConfig": "mine.Config", "AutoModel": "mine.Model"}}
    (lm / "config.json").write_text(json.dumps(config | strange), encoding="utf-8")
    (lm / "mine.py").write_text("raise SystemExit\n", encoding="utf-8")
    monkeypatch.setattr("builtins.input", lambda question: "y")
    with pytest.raises(ConfigError, match="lm holds no encoder with safetensors"):
        load_encoder(lm)


def test_pickled_weights_are_refused(folder: Path, tmp_path: Path) -> None:
    encoder, tokenizer = load_encoder(folder)
    tokenizer.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(encoder.config.to_dict()), encoding="utf-8")
    torch.save(encoder.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(ConfigError, match="safetensors"):
        load_encoder(tmp_path)


@pytest.mark.skipif(not REAL_LM.is_dir(), reason="no ../shared/models/me5-small-zh")
@torch.no_grad()
def test_real_encoder_finds_like_texts_alike() -> None:
    encoder, tokenizer = load_encoder(REAL_LM)
    teacher = LMTeacher(encoder, classes=2).eval()
    reader = LMTokenizer(tokenizer, "", 128, longest_sequence(encoder, tokenizer))
    texts = reader.encode(["氢氧化钠 99%", "工业级片碱(烧碱)", "股市今日大跌"])
    vectors = normalize(teacher.encode(*reader.pad([text.ids for text in texts])))
    caustic, same, other = vectors
    assert caustic @ same > caustic @ other
    # 氧化 is one token: both characters have its place, the blank none.
    assert texts[0].places.tolist()[:5] == [2, 3, 3, 4, -1]
    assert reader.pieces("钠") == [int(texts[0].ids[4])]
