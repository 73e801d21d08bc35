"""Masked language models: the guessed tokens only, folders of transformers, faults in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForMaskedLM,
    BertConfig,
    BertForMaskedLM,
    BertModel,
    DistilBertConfig,
    DistilBertForMaskedLM,
    RobertaConfig,
    RobertaForMaskedLM,
)

from distill.config.pretraining import MaskedLMConfig
from distill.lm.character_tokenizer import train_character_tokenizer
from distill.models.masked_lm import MaskedLM, new_masked_lm, read_masked_lm, read_tokenizer
from runtime.errors import ConfigError, DataError

REAL_LM = Path(__file__).parents[4] / "shared" / "models" / "me5-small-zh"
SMALL: dict[str, Any] = {
    "vocab_size": 30,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 20,
}

TOKENIZER = train_character_tokenizer(["氢氧化钠"], 100, 1, 20)


@pytest.mark.parametrize(
    "model",
    [
        BertForMaskedLM(BertConfig(**SMALL)),
        RobertaForMaskedLM(RobertaConfig(**SMALL)),
        DistilBertForMaskedLM(DistilBertConfig(vocab_size=30, dim=16, n_layers=1, n_heads=2, hidden_dim=32)),
    ],
    ids=["bert", "roberta", "distilbert"],
)
def test_logits_are_those_of_the_whole_model_at_the_hidden_tokens(model: Any) -> None:  # noqa: ANN401
    ids, attention = torch.randint(5, 30, (3, 9)), torch.ones(3, 9, dtype=torch.int64)
    attention[1, 6:] = 0
    hidden = torch.zeros(3, 9, dtype=torch.bool)
    hidden[0, [2, 5]] = hidden[1, 1] = True
    model.eval()
    with torch.no_grad():
        expected = model(input_ids=ids, attention_mask=attention).logits[hidden]
        torch.testing.assert_close(MaskedLM(model)(ids, attention, hidden), expected)


def test_new_models_have_the_sizes_of_the_recipe() -> None:
    config = MaskedLMConfig(layers=3, width=24, heads=2, feed_forward=40, max_len=17)
    tokenizer = train_character_tokenizer(["氢氧化钠"], 100, 1, 17)
    model = new_masked_lm(config, tokenizer).model
    assert model.config.num_hidden_layers == 3
    assert model.get_input_embeddings().weight.shape == (len(tokenizer), 24)
    assert model.config.max_position_embeddings == 17


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a model and a character tokeniser."""
    BertForMaskedLM(BertConfig(**SMALL)).save_pretrained(tmp_path / "lm")
    TOKENIZER.save_pretrained(tmp_path / "lm")
    return tmp_path / "lm"


def test_a_folder_gives_its_own_weights(folder: Path) -> None:
    read = read_masked_lm(folder, TOKENIZER, 20).model
    stored = AutoModelForMaskedLM.from_pretrained(folder, local_files_only=True)
    assert all(torch.equal(a, b) for a, b in zip(read.parameters(), stored.parameters(), strict=True))
    assert read_tokenizer(folder).mask_token == "[MASK]"


def test_a_model_without_a_head_gets_one_quietly(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    encoder = BertModel(BertConfig(**SMALL)).half()
    encoder.save_pretrained(tmp_path)
    capfd.readouterr()  # Newer releases show a bar when they write.
    read = read_masked_lm(tmp_path, TOKENIZER, 20).model
    assert read.get_output_embeddings().weight is read.get_input_embeddings().weight
    assert torch.equal(read.get_input_embeddings().weight, encoder.get_input_embeddings().weight.float())
    assert capfd.readouterr().err == ""


def test_weights_that_are_not_there_are_not_drawn_in_silence(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    one_layer = {name: tensor for name, tensor in weights.items() if ".layer.1." not in name}
    save_file(one_layer, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(DataError, match=r"lm: 16 of the 37 weights .* are missing, the first encoder\.layer\.1\."):
        read_masked_lm(folder, TOKENIZER, 20)


def test_tokens_that_were_added_to_the_tokeniser_alone_are_refused(folder: Path) -> None:
    tokenizer = read_tokenizer(folder)
    tokenizer.add_tokens([f"词{number}" for number in range(30)])
    with pytest.raises(ConfigError, match=r"the tokeniser has 39 tokens and the model knows 30; enlarge the model"):
        read_masked_lm(folder, tokenizer, 20)


def test_longer_pieces_than_the_model_takes_are_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"takes 20 tokens at most; set model\.max_len=20"):
        read_masked_lm(folder, TOKENIZER, 21)


def test_the_advice_for_a_roberta_is_a_length_that_it_takes(tmp_path: Path) -> None:
    RobertaForMaskedLM(RobertaConfig(**SMALL)).save_pretrained(tmp_path)  # 20 rows of positions, two for padding
    with pytest.raises(ConfigError, match=r"takes 18 tokens at most; set model\.max_len=18"):
        read_masked_lm(tmp_path, TOKENIZER, 19)
    ids = torch.full((1, 18), 9)
    assert read_masked_lm(tmp_path, TOKENIZER, 18)(ids, torch.ones_like(ids), ids == 9).shape == (18, 30)


def test_a_tokeniser_without_mask_is_refused(folder: Path) -> None:
    tokenizer = read_tokenizer(folder)
    tokenizer.mask_token = None
    tokenizer.save_pretrained(folder)
    with pytest.raises(ConfigError, match="has no mask token"):
        read_tokenizer(folder)


def test_what_is_no_model_is_named_in_one_line(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        read_masked_lm(tmp_path / "nothing", TOKENIZER, 20)
    (tmp_path / "empty").mkdir()
    for read in (lambda: read_masked_lm(tmp_path / "empty", TOKENIZER, 20), lambda: read_tokenizer(tmp_path / "empty")):
        with pytest.raises(DataError, match="empty holds no language model") as caught:
            read()
        assert "\n" not in str(caught.value)
    (folder / "model.safetensors").write_bytes(b"half of it")
    with pytest.raises(DataError, match="lm holds no masked language model"):
        read_masked_lm(folder, TOKENIZER, 20)


def test_pickled_weights_are_not_read(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(DataError, match="safetensors"):
        read_masked_lm(folder, TOKENIZER, 20)


@pytest.mark.skipif(not REAL_LM.is_dir(), reason="the pretrained encoder is not on this machine")
def test_a_real_encoder_is_read(tmp_path: Path) -> None:
    tokenizer = read_tokenizer(REAL_LM)
    model = read_masked_lm(REAL_LM, tokenizer, 64)
    encoded = tokenizer("氢氧化<mask>", return_tensors="pt")
    hidden = encoded["input_ids"] == tokenizer.mask_token_id
    with torch.no_grad():
        logits = model.eval()(encoded["input_ids"], encoded["attention_mask"], hidden)
    assert logits.shape == (1, len(tokenizer))
    assert logits.dtype == torch.float32
