"""An encoder tells what labelled data it learned, whatever became of its folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from transformers import AutoModel, AutoModelForMaskedLM

from distill.lm.provenance import finetuned_folder, learned_data, learned_labels, note_learned_data
from runtime.errors import DataError


@pytest.fixture
def noted(lm: Path, tmp_path: Path) -> Path:
    """The folder of an encoder that learned some data."""
    encoder = AutoModel.from_pretrained(lm, local_files_only=True)
    note_learned_data(encoder, "some data")
    encoder.save_pretrained(tmp_path / "noted")
    return tmp_path / "noted"


def test_an_encoder_tells_what_it_learned(noted: Path, lm: Path, tmp_path: Path) -> None:
    assert (learned_data(noted), learned_labels(noted)) == ("some data", True)
    assert (learned_data(lm), learned_labels(lm)) == (None, False)
    assert learned_data(tmp_path / "nowhere") is None


def test_what_other_programs_make_of_it_tells_it_too(noted: Path, tmp_path: Path) -> None:
    AutoModelForMaskedLM.from_pretrained(noted, local_files_only=True).save_pretrained(tmp_path / "continued")
    assert learned_data(tmp_path / "continued") == "some data"


def test_one_that_learned_anew_tells_the_last_data(noted: Path, tmp_path: Path) -> None:
    encoder = AutoModel.from_pretrained(noted, local_files_only=True)
    note_learned_data(encoder, "other data")
    encoder.save_pretrained(tmp_path / "again")
    assert learned_data(tmp_path / "again") == "other data"


def test_fine_tuning_of_before_there_were_notes_is_known_by_its_folder(lm: Path, tmp_path: Path) -> None:
    encoder = tmp_path / "teacher" / "encoder"
    encoder.mkdir(parents=True)
    (encoder / "config.json").write_bytes((lm / "config.json").read_bytes())
    assert (learned_data(encoder), finetuned_folder(encoder)) == (None, None)
    (tmp_path / "teacher" / "head.safetensors").touch()
    assert finetuned_folder(encoder) == (tmp_path / "teacher").resolve()
    assert learned_labels(encoder)
    with pytest.raises(DataError, match=r"environment\.json"):
        learned_data(encoder)
    (tmp_path / "teacher" / "environment.json").write_text("{}", encoding="utf-8")
    with pytest.raises(DataError, match=r"environment\.json"):
        learned_data(encoder)
    (tmp_path / "teacher" / "environment.json").write_text('{"data_fingerprint": "old data"}', encoding="utf-8")
    assert learned_data(encoder) == "old data"


@pytest.mark.parametrize("content", ["", "[]", "half of {", json.dumps({"model_type": "bert"})])
def test_a_config_that_tells_nothing_is_left_to_who_reads_the_encoder(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content, encoding="utf-8")
    assert learned_data(tmp_path) is None
