"""What finished teachers answer together."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from distill.data.corpus import Corpus, read_corpus
from distill.lm.folder import read_finetuned
from distill.lm.teacher_cache import teacher_logits
from distill.recipes import gate_mixup
from distill.runs.run_folder import RunFolder
from distill.teachers import answers
from distill.teachers.answers import Teachers, cached_answers
from distill.training.predict import student_logits
from runtime.errors import ConfigError, DataError
from tests.distill.teachers.runs import finished_teachers
from tests.distill.tiny import tiny_recipe, write_tiny_data

CPU = torch.device("cpu")
ONE_ROUND = ("training.initial_epochs=1", "training.rounds=1")
TEXTS = ["盐酸 试剂", "聚丙烯 颗粒", "", "𠮷 unknown", "石灰"]


@pytest.fixture(scope="module")
def folders(data: Path, lm: Path) -> tuple[Path, Path]:
    return finished_teachers(data, lm)


@pytest.fixture(scope="module")
def corpus(data: Path) -> Corpus:
    return read_corpus(tiny_recipe(data).data, 0)


def teachers(corpus: Corpus, *folders: Path) -> Teachers:
    return Teachers([str(folder) for folder in folders], corpus.fingerprint, CPU)


def test_a_language_model_alone_answers_as_it_does(folders: tuple[Path, Path], corpus: Corpus) -> None:
    own = teacher_logits(read_finetuned(folders[0], 16), TEXTS, CPU).log_softmax(1)
    torch.testing.assert_close(teachers(corpus, folders[0]).answer(TEXTS), own)


def test_each_folder_has_one_vote_that_the_networks_of_a_run_share(folders: tuple[Path, Path], corpus: Corpus) -> None:
    lm, mutual = (teachers(corpus, folder).answer(TEXTS).exp() for folder in folders)
    torch.testing.assert_close(teachers(corpus, *folders).answer(TEXTS).exp(), (lm + mutual) / 2)
    run = RunFolder(folders[1])
    student = torch.from_numpy(student_logits(run.student(), run.tokenizer(), TEXTS)).softmax(1)
    graph = 2 * mutual - student
    torch.testing.assert_close(graph.sum(1), torch.ones(len(TEXTS)))
    assert (graph - student).abs().max() > 0.01  # two networks, not one twice


def test_the_graph_network_of_a_run_scores_as_the_run_said(folders: tuple[Path, Path], corpus: Corpus) -> None:
    run = RunFolder(folders[1])
    together = Teachers([str(folders[1])], corpus.fingerprint, CPU)
    by_graph = together.voters[0][1]([example.text for example in corpus.test]).argmax(1)
    truth = torch.tensor([corpus.labels.index(example.label) for example in corpus.test])
    said = run.metrics()[-1]["test"]["teacher"]["accuracy"]
    assert float((by_graph == truth).float().mean()) == pytest.approx(said)


def test_a_graph_network_with_a_language_model_asks_it_wherever_it_is_asked(
    data: Path, lm: Path, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tiny_recipe(data, "teacher.features=lm", f"teacher.lm={lm.name}", *ONE_ROUND)
    monkeypatch.chdir(lm.parent)
    gate_mixup.train(recipe, tmp_path / "run", "cpu")
    monkeypatch.chdir(tmp_path)
    answer = teachers(corpus, tmp_path / "run").answer(TEXTS)
    torch.testing.assert_close(answer.exp().sum(1), torch.ones(len(TEXTS)))


def test_answers_are_asked_for_once(
    folders: tuple[Path, Path], corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "_CHUNK", 2)
    asked: list[int] = []
    together = teachers(corpus, *folders)
    first = cached_answers(tmp_path / "kept", together, TEXTS, asked.append)
    assert asked == [2, 4, 5]
    torch.testing.assert_close(first, together.answer(TEXTS))
    (tmp_path / "kept" / "answers-2.npy").unlink()  # as if it had been stopped
    torch.testing.assert_close(cached_answers(tmp_path / "kept", together, TEXTS, asked.append), first)
    assert asked == [2, 4, 5, 4]


def test_damaged_answers_are_named(folders: tuple[Path, Path], corpus: Corpus, tmp_path: Path) -> None:
    (tmp_path / "answers-0.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(DataError, match=r"answers-0\.npy is damaged; remove it"):
        cached_answers(tmp_path, teachers(corpus, folders[0]), TEXTS)


def test_teachers_of_other_data_are_refused(folders: tuple[Path, Path], tmp_path: Path) -> None:
    other = write_tiny_data(tmp_path / "data")
    with (other / "train.tsv").open("a", encoding="utf-8") as stream:
        stream.write("冰醋酸\t酸\n")
    with pytest.raises(ConfigError, match="may know labels of dev and test"):
        teachers(read_corpus(tiny_recipe(other).data, 0), *folders)


def test_a_folder_that_is_no_run_is_named(data: Path, corpus: Corpus) -> None:
    with pytest.raises(DataError, match="not a run folder"):
        teachers(corpus, data)


def test_a_teacher_that_does_not_tell_what_it_learned_is_named(
    folders: tuple[Path, Path], corpus: Corpus, tmp_path: Path
) -> None:
    for folder in folders:
        copy = Path(shutil.copytree(folder, tmp_path / folder.name))
        RunFolder(copy).save_environment({"seed": 0})
        with pytest.raises(DataError, match=r"environment\.json is damaged"):
            teachers(corpus, copy)


def test_answers_of_teachers_that_are_sure_stay_finite(folders: tuple[Path, Path], corpus: Corpus) -> None:
    together = teachers(corpus, folders[0])
    together.voters = [[lambda texts: torch.tensor([[300.0, 0.0, 0.0]]).expand(len(texts), 3)]]
    assert together.answer(TEXTS).isfinite().all()


def test_the_networks_of_a_run_share_a_vote_by_their_probabilities(folders: tuple[Path, Path], corpus: Corpus) -> None:
    """Of a sure network and an unsure one: by the mean of the logits, the sure one would be heard alone."""
    together = teachers(corpus, folders[0])
    sure, unsure = torch.tensor([0.98, 0.01, 0.01]), torch.tensor([0.2, 0.4, 0.4])
    together.voters = [[lambda texts: sure.log()[None], lambda texts: unsure.log()[None]]]
    torch.testing.assert_close(together.answer(["盐酸"]).exp(), torch.tensor([[0.59, 0.205, 0.205]]))


@pytest.mark.parametrize("change", ["removed", "another"])
def test_a_graph_network_is_asked_with_its_own_language_model_or_not_at_all(
    data: Path, lm: Path, corpus: Corpus, tmp_path: Path, change: str
) -> None:
    own = tmp_path / "lm"
    shutil.copytree(lm, own)
    recipe = tiny_recipe(data, "teacher.features=lm", f"teacher.lm='{own}'", *ONE_ROUND)
    gate_mixup.train(recipe, tmp_path / "run", "cpu")
    if change == "removed":
        shutil.rmtree(own)
    else:
        path = own / "model.safetensors"
        tensors = {name: tensor + 1 for name, tensor in load_file(path).items()}
        save_file(tensors, path, {"format": "pt"})
    with pytest.raises(ConfigError, match="not there or is another by now"):
        teachers(corpus, tmp_path / "run")
