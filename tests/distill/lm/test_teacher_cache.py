"""What the cache gives for a batch is what the teacher says, laid out by characters."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from distill.config.sections import StudentConfig
from distill.lm.carry_over import carry_over, character_vectors, fit
from distill.lm.folder import FinetunedLM
from distill.lm.teacher_cache import TeacherCache, cached, teacher_logits
from distill.lm.tokens import LMTokenizer
from distill.models.lm_teacher import LMTeacher, load_encoder
from distill.models.student import Student
from runtime.errors import DataError
from runtime.tokenizer import CharTokenizer
from tests.distill.tiny import write_tiny_data
from tests.distill.tiny_lm import write_tiny_lm

TEXTS = ["盐酸 试剂", "片碱", "聚乙烯颗粒 薄膜级"]
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def finetuned(tmp_path_factory: pytest.TempPathFactory) -> FinetunedLM:
    """An untrained teacher of three classes."""
    place = tmp_path_factory.mktemp("lm")
    encoder, tokenizer = load_encoder(write_tiny_lm(place / "lm", write_tiny_data(place / "data")))
    torch.manual_seed(0)
    teacher = LMTeacher(encoder, classes=3).eval()
    return FinetunedLM(teacher, LMTokenizer(tokenizer, "", 16, 64), ("a", "b", "c"), "data", "weights", "float32")


@pytest.fixture
def cache(finetuned: FinetunedLM, tmp_path: Path) -> TeacherCache:
    """What it says about the texts in its two layers, last one first."""
    return cached(tmp_path / "teacher", finetuned, TEXTS, [2, 1], CPU)


def test_it_is_asked_in_the_precision_that_it_was_fine_tuned_in(finetuned: FinetunedLM, tmp_path: Path) -> None:
    half = replace(finetuned, precision="bfloat16")
    exact, near = (teacher_logits(lm, TEXTS, CPU) for lm in (finetuned, half))
    assert exact.dtype == near.dtype == torch.float32
    assert not torch.equal(exact, near)
    torch.testing.assert_close(exact, near, atol=0.05, rtol=0)
    near = cached(tmp_path / "half", half, TEXTS, [2, 1], CPU).batch([0]).logits
    assert not torch.equal(exact[:1], near)
    torch.testing.assert_close(exact[:1], near, atol=0.05, rtol=0)


def test_hidden_states_stand_at_the_characters(cache: TeacherCache, finetuned: FinetunedLM) -> None:
    targets = cache.batch([1, 0])
    assert targets.hidden.shape == (2, 5, 2, 32)
    assert targets.there.tolist() == [[True, True, False, False, False], [True, True, False, True, True]]
    (text,) = finetuned.tokenizer.encode([TEXTS[0]])
    states = finetuned.teacher.states(*finetuned.tokenizer.pad([text.ids]), [2, 1])
    for layer in range(2):
        expected = states.hidden[layer][0, [1, 2, 3, 4]]
        torch.testing.assert_close(targets.hidden[1, [0, 1, 3, 4], layer], expected, atol=5e-3, rtol=0)


def test_attention_between_characters_leaves_out_the_special_tokens(
    cache: TeacherCache, finetuned: FinetunedLM
) -> None:
    (text,) = finetuned.tokenizer.encode([TEXTS[1]])
    states = finetuned.teacher.states(*finetuned.tokenizer.pad([text.ids]), [2, 1])
    expected = states.attention[0][0, 1:3, 1:3]
    attention = cache.batch([1]).attention[0, 0]
    torch.testing.assert_close(attention, expected / expected.sum(-1, keepdim=True), atol=5e-3, rtol=0)


def test_rows_of_characters_that_are_there_sum_to_one(cache: TeacherCache) -> None:
    targets = cache.batch([0, 1, 2])
    sums = targets.attention.sum(-1)
    torch.testing.assert_close(sums, targets.there[:, None].expand_as(sums).float(), atol=1e-3, rtol=0)


def test_logits_are_the_teachers_in_the_order_of_the_texts(cache: TeacherCache, finetuned: FinetunedLM) -> None:
    torch.testing.assert_close(cache.batch([0, 1, 2]).logits, teacher_logits(finetuned, TEXTS, CPU))
    torch.testing.assert_close(cache.batch([2]).logits, teacher_logits(finetuned, TEXTS[2:], CPU))


def test_characters_of_one_token_share_its_attention(tmp_path: Path) -> None:
    folder = tmp_path / "teacher"
    folder.mkdir()
    attention = np.array([[0.2, 0.3, 0.5], [0.1, 0.6, 0.3], [0.4, 0.4, 0.2]])
    np.save(folder / "tokens.npy", np.array([3]))
    np.save(folder / "characters.npy", np.array([4]))
    np.save(folder / "places.npy", np.array([1, 1, -1, 2]))  # two characters on one token, a blank, one on the next
    np.save(folder / "hidden.npy", np.zeros((3, 1, 2), dtype=np.float16))
    np.save(folder / "attention.npy", attention.astype(np.float16).ravel())
    np.save(folder / "logits.npy", np.zeros((1, 2), dtype=np.float32))
    shared = TeacherCache(folder).batch([0]).attention[0, 0]
    expected = torch.tensor(
        [[1 / 3, 1 / 3, 0, 1 / 3], [1 / 3, 1 / 3, 0, 1 / 3], [0, 0, 0, 0], [1 / 3, 1 / 3, 0, 1 / 3]]
    )
    torch.testing.assert_close(shared, expected, atol=1e-3, rtol=0)


def test_teacher_is_asked_once(finetuned: FinetunedLM, cache: TeacherCache, tmp_path: Path) -> None:
    def asked(texts: int) -> None:
        raise AssertionError("the teacher was asked again")

    again = cached(tmp_path / "teacher", finetuned, TEXTS, [2, 1], CPU, asked)
    assert torch.equal(again.batch([2]).hidden, cache.batch([2]).hidden)


def test_interrupted_asking_leaves_nothing(finetuned: FinetunedLM, tmp_path: Path) -> None:
    def stop(texts: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached(tmp_path / "teacher", finetuned, TEXTS, [1], CPU, stop)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["hidden", "attention", "logits", "places", "tokens"])
def test_damaged_array_is_named(cache: TeacherCache, tmp_path: Path, name: str) -> None:
    (tmp_path / "teacher" / f"{name}.npy").write_bytes(b"half")
    with pytest.raises(DataError, match=rf"{name}\.npy"):
        TeacherCache(tmp_path / "teacher")


def test_vectors_of_characters_are_those_of_their_tokens(finetuned: FinetunedLM) -> None:
    tokenizer = CharTokenizer.from_texts(TEXTS, 16)
    vectors = character_vectors(finetuned, tokenizer)
    assert vectors.shape == (tokenizer.size - 2, 32)
    assert vectors.mean(0).abs().max() < 1e-5
    assert float(vectors.std()) == pytest.approx(1.0)
    embeddings = finetuned.teacher.embeddings.detach()
    ids = [finetuned.tokenizer.pieces(tokenizer.characters[row])[0] for row in (1, 5)]
    own, expected = vectors[1] - vectors[5], embeddings[ids[0]] - embeddings[ids[1]]
    torch.testing.assert_close(own / own.norm(), expected / expected.norm())


def small_student(width: int, characters: int) -> Student:
    torch.manual_seed(0)
    return Student(StudentConfig(layers=1, width=width, heads=1, feed_forward=8, max_len=4), characters + 2, 2)


def test_principal_components_keep_distances_and_size() -> None:
    vectors = torch.randn(20, 6)
    vectors -= vectors.mean(0)
    student = small_student(6, 20)
    size = student.characters.weight[2:].std()
    carry_over(student, vectors)
    carried = student.characters.weight.detach()[2:]
    ratio = torch.cdist(carried, carried)[0, 1:] / torch.cdist(vectors, vectors)[0, 1:]
    torch.testing.assert_close(ratio, ratio[:1].expand(19))
    torch.testing.assert_close(carried.std(), size)


def test_narrow_student_keeps_the_largest_components() -> None:
    axes = torch.tensor([[5.0, 0.0, 0.0], [-5.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, -3.0, 0.0], [0.0, 0.0, 0.1]])
    vectors = axes - axes.mean(0)
    student = small_student(2, 5)
    carry_over(student, vectors)
    carried = student.characters.weight.detach()[2:]
    assert torch.cdist(carried, carried)[0, 1] > torch.cdist(carried, carried)[2, 3] > 0
    assert student.characters.weight[:2].abs().sum() > 0  # the unknown character stays as it was


def test_wide_student_keeps_the_rest_as_it_was() -> None:
    student = small_student(8, 20)
    before = student.characters.weight.detach().clone()
    carry_over(student, torch.randn(20, 3))
    assert torch.equal(student.characters.weight[2:, 3:], before[2:, 3:])
    assert not torch.equal(student.characters.weight[2:, :3], before[2:, :3])


def test_fitted_projection_leads_back_to_the_vectors() -> None:
    vectors = torch.randn(20, 4)
    vectors -= vectors.mean(0)
    student = small_student(4, 20)
    carry_over(student, vectors)
    projection = torch.nn.Linear(4, 4)
    fit(projection, student, vectors)
    torch.testing.assert_close(projection(student.characters.weight[2:]), vectors, atol=1e-4, rtol=1e-4)
