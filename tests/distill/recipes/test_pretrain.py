"""Whole pretraining runs on tiny texts: what they leave, that they learn, repeat, and survive a stop."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModel, AutoModelForMaskedLM, AutoTokenizer, BertConfig, BertModel

from distill.data.words import WordCutter
from distill.lm.processes import Processes
from distill.lm.provenance import note_learned_data
from distill.lm.token_store import TokenStore
from distill.recipes import pretrain as module
from distill.recipes.pretrain import Pretraining, pretrain
from distill.runs.checkpoint import read_checkpoint
from distill.runs.claim import claimed
from distill.runs.run_folder import RunFolder
from distill.unlabelled.corpus import Cleaning, clean_corpus, read_texts
from runtime.errors import ConfigError, DataError
from tests.distill.maps import can_be_told, watch_removals
from tests.distill.recipes.weights import weights
from tests.distill.tiny_corpus import tiny_pretraining, write_tiny_corpus

Event = dict[str, Any]


@pytest.fixture(autouse=True, scope="module")
def dictionary_read_once() -> Iterator[None]:
    """Let all runs share a cutter of words: reading its dictionary takes longer than a tiny run."""
    cutter = WordCutter()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "WordCutter", lambda: cutter)
        yield


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny texts."""
    return write_tiny_corpus(tmp_path_factory.mktemp("tiny") / "texts.txt")


@pytest.fixture(scope="module")
def finished(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A finished run of the tiny recipe."""
    out = tmp_path_factory.mktemp("finished") / "lm"
    pretrain(tiny_pretraining(corpus), out, "cpu")
    return RunFolder(out)


def test_the_folder_is_an_ordinary_one_of_hugging_face(finished: RunFolder) -> None:
    names = {path.name for path in finished.path.iterdir()}
    ours = {"recipe.toml", "metrics.jsonl", "environment.json"}
    assert names >= ours | {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
    assert all((finished.path / name).is_file() for name in names)
    tokenizer = AutoTokenizer.from_pretrained(finished.path, local_files_only=True)
    encoder = AutoModel.from_pretrained(finished.path, local_files_only=True, add_pooling_layer=False)
    states = encoder(**tokenizer("氢氧化钠 溶液", return_tensors="pt")).last_hidden_state
    assert states.shape == (1, 9, 16)
    assert AutoModelForMaskedLM.from_pretrained(finished.path, local_files_only=True).config.vocab_size == len(
        tokenizer
    )


@can_be_told
def test_what_is_left_of_the_checkpoint_is_removed_when_no_file_of_it_is_mapped(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapped = watch_removals(monkeypatch)
    pretrain(tiny_pretraining(corpus), tmp_path / "run", "cpu")
    assert mapped[0]  # else there is nothing to see
    assert not mapped[-1]


def test_the_curve_has_a_point_every_so_often_and_at_the_end(finished: RunFolder) -> None:
    events = finished.metrics()
    assert [event["event"] for event in events] == ["start", "step", "step", "step", "step", "final"]
    assert [event["step"] for event in events] == [0, 6, 12, 18, 22, 22]
    assert events[4]["epoch"] == pytest.approx(22 / 9, abs=1e-3)
    assert events[4]["lr"] == 0.0
    assert events[0]["held_out"]["loss"] == pytest.approx(math.log(events[0]["vocabulary"]), abs=0.3)
    assert events[-1]["held_out"] == events[-2]["held_out"]


def test_the_environment_says_what_the_run_learned_from(finished: RunFolder) -> None:
    environment = finished.environment()
    assert (environment["texts"], environment["held_out_pieces"], environment["processes"]) == (80, 8, 1)
    assert environment["versions"]["torch"] == torch.__version__
    assert len(environment["data_fingerprint"]) == 64


def test_it_learns_to_guess_hidden_words(corpus: Path, tmp_path: Path) -> None:
    final = pretrain(
        tiny_pretraining(corpus, "training.epochs=40", "training.report_every=100"), tmp_path / "lm", "cpu"
    )
    start = RunFolder(tmp_path / "lm").metrics()[0]["held_out"]
    assert final["held_out"]["loss"] < start["loss"] - 1.0
    assert final["held_out"]["accuracy"] > start["accuracy"] + 0.15


def test_same_seed_same_run_and_other_seed_another(finished: RunFolder, corpus: Path, tmp_path: Path) -> None:
    pretrain(tiny_pretraining(corpus), tmp_path / "again", "cpu")
    pretrain(tiny_pretraining(corpus, "training.seed=1"), tmp_path / "other", "cpu")
    again, other = RunFolder(tmp_path / "again"), RunFolder(tmp_path / "other")
    assert again.metrics() == finished.metrics()
    assert weights(again) == weights(finished) != weights(other)


@pytest.fixture
def stop_before_step(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let the next run be interrupted before it takes the step of a number, counted from 0."""

    def stop(number: int) -> None:
        learn = Pretraining._learn_from

        def learn_or_stop(self: Pretraining, *arguments: Any) -> torch.Tensor:  # noqa: ANN401
            if self.step == number:
                monkeypatch.undo()
                raise KeyboardInterrupt
            return learn(self, *arguments)

        monkeypatch.setattr(Pretraining, "_learn_from", learn_or_stop)

    return stop


@pytest.mark.parametrize("stops", [[0], [7], [12], [3, 13, 21]], ids=str)
def test_resumed_run_ends_as_an_uninterrupted_one(
    finished: RunFolder, corpus: Path, tmp_path: Path, stop_before_step: Callable[[int], None], stops: list[int]
) -> None:
    out = tmp_path / "lm"
    for number, step in enumerate(stops):
        stop_before_step(step)
        with pytest.raises(KeyboardInterrupt):
            pretrain(tiny_pretraining(corpus), out, "cpu", resume=number > 0)
    pretrain(tiny_pretraining(corpus), out, "cpu", resume=True)
    resumed = RunFolder(out)
    assert resumed.metrics() == finished.metrics()
    assert weights(resumed) == weights(finished)
    assert not resumed.checkpoint.exists()


@pytest.mark.parametrize("part", ["write_store", "write_bytes", "read_tokenizer"])
def test_a_stop_outside_the_steps_is_survived_too(
    finished: RunFolder, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    def stop(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, part, stop)
        with pytest.raises(KeyboardInterrupt):
            pretrain(tiny_pretraining(corpus), tmp_path / "lm", "cpu")
    pretrain(tiny_pretraining(corpus), tmp_path / "lm", "cpu", resume=True)
    assert RunFolder(tmp_path / "lm").metrics() == finished.metrics()
    assert weights(RunFolder(tmp_path / "lm")) == weights(finished)


def interrupted(corpus: Path, out: Path) -> None:
    def stop(event: Event) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pretrain(tiny_pretraining(corpus), out, "cpu", report=stop)


def test_resume_refuses_other_texts_and_another_recipe(tmp_path: Path) -> None:
    corpus = write_tiny_corpus(tmp_path / "texts.txt")
    interrupted(corpus, tmp_path / "lm")
    with pytest.raises(ConfigError, match="another recipe"):
        pretrain(tiny_pretraining(corpus, "masking.share=0.2"), tmp_path / "lm", "cpu", resume=True)
    with corpus.open("a", encoding="utf-8") as stream:
        stream.write("\n石灰石")
    with pytest.raises(ConfigError, match="texts changed"):
        pretrain(tiny_pretraining(corpus), tmp_path / "lm", "cpu", resume=True)


def test_resume_of_a_damaged_checkpoint_is_refused(corpus: Path, tmp_path: Path) -> None:
    interrupted(corpus, tmp_path / "lm")
    (tmp_path / "lm" / "checkpoint" / "state.safetensors").write_bytes(b"half of it")
    with pytest.raises(DataError, match=r"state\.safetensors"):
        pretrain(tiny_pretraining(corpus), tmp_path / "lm", "cpu", resume=True)


def test_a_folder_in_use_or_finished_is_left_alone(finished: RunFolder, corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigError, match="not empty"):
        pretrain(tiny_pretraining(corpus), tmp_path, "cpu")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(ConfigError, match="finished"):
        pretrain(tiny_pretraining(corpus), finished.path, "cpu", resume=True)


@pytest.fixture(scope="module")
def fixed_model(finished: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model without dropout whose weights no release of transformers draws otherwise."""
    folder = tmp_path_factory.mktemp("fixed")
    tokenizer = AutoTokenizer.from_pretrained(finished.path, local_files_only=True)
    model = AutoModelForMaskedLM.from_pretrained(
        finished.path, local_files_only=True, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0
    )
    generator = torch.Generator().manual_seed(0)
    for _, parameter in sorted(model.named_parameters()):
        torch.nn.init.normal_(parameter, std=0.1, generator=generator)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


Losses = Callable[..., list[float]]


@pytest.fixture
def losses(corpus: Path, fixed_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Losses:
    """Train for four steps and return their losses."""

    def four_steps(*overrides: str) -> list[float]:
        recorded: list[float] = []
        learn = Pretraining._learn_from

        def record(self: Pretraining, *arguments: Any) -> torch.Tensor:  # noqa: ANN401
            loss = learn(self, *arguments)
            recorded.append(float(loss))
            return loss

        steps = ["training.batch_size=16", "training.epochs=1", "training.warmup_share=0", "training.lr=0.02"]
        recipe = tiny_pretraining(corpus, f"model.start='{fixed_model}'", *steps, *overrides)
        with monkeypatch.context() as patch:
            patch.setattr(Pretraining, "_learn_from", record)
            pretrain(recipe, tmp_path / str(len(list(tmp_path.iterdir()))), "cpu")
        return recorded

    return four_steps


def test_losses_of_four_steps(losses: Losses) -> None:
    """Pinned: a change of these numbers is a change of the method."""
    assert losses() == pytest.approx(FOUR_STEPS, abs=1e-4)


FOUR_STEPS = [3.95598, 3.91134, 3.91673, 3.92592]


@pytest.mark.parametrize("parts", [2, 5])
def test_parts_of_a_batch_give_the_gradient_of_the_whole(losses: Losses, parts: int) -> None:
    assert losses(f"training.accumulate={parts}") == pytest.approx(FOUR_STEPS, abs=1e-4)


def test_bfloat16_is_near_to_float32(losses: Losses) -> None:
    assert losses("training.precision=bfloat16") == pytest.approx(FOUR_STEPS, abs=0.05)
    assert losses("training.precision=bfloat16") != pytest.approx(FOUR_STEPS, abs=1e-6)


def test_weights_decay_but_biases_and_normalisations_do_not(corpus: Path, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "lm")
    recipe = tiny_pretraining(corpus, "training.weight_decay=0.25", "training.epochs=0.1", "training.lr=0.1")
    interrupted(corpus, run.path)
    training = Pretraining(recipe, run, TokenStore(run.checkpoint / "texts"), Processes("cpu"), lambda event: None)
    before = {name: parameter.detach().clone() for name, parameter in training.model.named_parameters()}
    for parameter in training.model.parameters():
        parameter.grad = torch.zeros_like(parameter)  # what moves now, decays
    training.optimiser.step()
    for name, parameter in training.model.named_parameters():
        decays = parameter.ndim > 1  # tables and matrices
        assert decays == (name.endswith("weight") and "LayerNorm" not in name)
        kept = 1 - 0.25 * training.schedule.get_last_lr()[0] if decays else 1.0
        torch.testing.assert_close(parameter.detach(), kept * before[name])


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_parts_without_a_hidden_word_do_no_harm(losses: Losses, precision: str) -> None:
    """One of eight pieces has a hidden word, so seven of eight parts have none."""
    few = losses("masking.share=0.001", "training.accumulate=8", f"training.precision={precision}")
    assert few == pytest.approx(losses("masking.share=0.001"), abs=1e-4 if precision == "float32" else 0.1)
    assert all(map(math.isfinite, few))


def test_single_tokens_instead_of_words_are_another_method(losses: Losses) -> None:
    assert losses("masking.whole_words=false") != pytest.approx(FOUR_STEPS, abs=1e-2)


def test_a_batch_of_fewer_pieces_than_parts_is_refused(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a batch of 2 pieces cannot be cut into 3 parts"):
        pretrain(tiny_pretraining(corpus, "training.batch_size=2", "training.accumulate=3"), tmp_path / "lm", "cpu")
    assert not (tmp_path / "lm").exists()  # said before the texts are encoded: another try may use the folder


def test_a_loss_that_is_no_number_leaves_the_last_sound_state(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"training diverged.*lower the learning rate"):
        pretrain(tiny_pretraining(corpus, "training.lr=1e30"), tmp_path / "lm", "cpu")
    tensors, state = read_checkpoint(tmp_path / "lm" / "checkpoint" / "state.safetensors")
    assert state["step"] == 0
    assert all(tensor.isfinite().all() for tensor in tensors.values())


def test_an_encoder_that_learned_labels_is_not_continued(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "teacher" / "encoder").mkdir(parents=True)
    (tmp_path / "teacher" / "head.safetensors").touch()
    start = f"model.start={json.dumps(str(tmp_path / 'teacher' / 'encoder'))}"
    with pytest.raises(ConfigError, match="learned labels; name with --from"):
        pretrain(tiny_pretraining(corpus, start), tmp_path / "lm", "cpu")


def test_a_copy_of_such_an_encoder_is_not_continued_either(finished: RunFolder, corpus: Path, tmp_path: Path) -> None:
    encoder = AutoModel.from_pretrained(finished.path, local_files_only=True, add_pooling_layer=False)
    note_learned_data(encoder, "some data")
    encoder.save_pretrained(tmp_path / "enc")
    AutoTokenizer.from_pretrained(finished.path, local_files_only=True).save_pretrained(tmp_path / "enc")
    with pytest.raises(ConfigError, match="enc learned labels; name with --from"):
        pretrain(tiny_pretraining(corpus, f"model.start='{tmp_path / 'enc'}'"), tmp_path / "lm", "cpu")


def test_texts_are_needed(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no texts to learn from"):
        pretrain(tiny_pretraining(corpus, "data.paths=[]"), tmp_path / "a", "cpu")
    with pytest.raises(DataError, match=r"missing\.txt"):
        pretrain(tiny_pretraining(corpus, 'data.paths=["missing.txt"]'), tmp_path / "b", "cpu")
    (tmp_path / "names.csv").write_text("品名\n盐酸\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"only: 品名; name another with --set data\.text_column=NAME"):
        pretrain(tiny_pretraining(tmp_path / "names.csv"), tmp_path / "c", "cpu")


def test_a_cleaned_corpus_is_read_shard_by_shard(corpus: Path, tmp_path: Path) -> None:
    clean_corpus(read_texts(corpus), tmp_path / "clean", Cleaning(shard_lines=30, near_duplicate=1.0))
    pretrain(tiny_pretraining(tmp_path / "clean", "training.epochs=0.1"), tmp_path / "lm", "cpu")
    assert RunFolder(tmp_path / "lm").environment()["texts"] == 80


def test_a_model_is_continued_with_its_own_tokeniser(finished: RunFolder, corpus: Path, tmp_path: Path) -> None:
    recipe = tiny_pretraining(corpus, f"model.start='{finished.path}'", "training.epochs=0.1")
    pretrain(recipe, tmp_path / "lm", "cpu")
    start = RunFolder(tmp_path / "lm").metrics()[0]["held_out"]
    assert start["loss"] == pytest.approx(finished.metrics()[-1]["held_out"]["loss"], abs=1e-5)
    assert (tmp_path / "lm" / "tokenizer.json").read_bytes() == (finished.path / "tokenizer.json").read_bytes()


def test_an_encoder_without_a_head_gets_one_and_learns(finished: RunFolder, corpus: Path, tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(finished.path, local_files_only=True)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=12,
    )
    torch.manual_seed(0)
    BertModel(config).save_pretrained(tmp_path / "encoder")
    tokenizer.save_pretrained(tmp_path / "encoder")
    # Eight texts are held out: with few hidden words the loss would be chance.
    start = (f"model.start='{tmp_path / 'encoder'}'", "masking.share=0.5")
    recipe = tiny_pretraining(corpus, *start, "training.epochs=8")
    final = pretrain(recipe, tmp_path / "lm", "cpu")
    assert final["held_out"]["loss"] < RunFolder(tmp_path / "lm").metrics()[0]["held_out"]["loss"] - 0.3


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_missing_gpu_is_a_config_error(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--device cpu"):
        pretrain(tiny_pretraining(corpus), tmp_path / "lm", "cuda")


def test_a_folder_that_another_process_trains_in_is_refused(corpus: Path, tmp_path: Path) -> None:
    recipe = tiny_pretraining(corpus)
    with (
        claimed(RunFolder(tmp_path / "lm"), recipe, resume=False),
        pytest.raises(ConfigError, match="another process trains in"),
    ):
        pretrain(recipe, tmp_path / "lm", "cpu", resume=True)
