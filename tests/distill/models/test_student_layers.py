"""What is seen inside a student is what it computes, and looking on changes nothing."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from distill.config.sections import StudentConfig
from distill.models.student import Student, StudentBlock, bigram_rows
from distill.models.student_layers import watch

IDS = torch.tensor([[2, 3, 4, 5], [6, 7, 0, 0]])
ONE_HEAD = StudentConfig(layers=2, width=8, heads=1, feed_forward=16, dropout=0.0, max_len=8)


@pytest.fixture
def student() -> Student:
    """A student of two blocks of one head."""
    torch.manual_seed(0)
    return Student(ONE_HEAD, 9, 3).eval()


@torch.no_grad()
def test_states_after_each_block(student: Student) -> None:
    with watch(student) as seen:
        representation = student.encode(IDS)
    mask = (IDS != 0)[:, :, None].float()
    mean = (seen.hidden[1] * mask).sum(1) / mask.sum(1)
    torch.testing.assert_close(mean, representation[:, : student.config.width])
    assert [hidden.shape for hidden in seen.hidden] == [(2, 4, 8)] * 2


@torch.no_grad()
def test_attention_maps_are_those_that_the_block_used(student: Student) -> None:
    """With one head, map times values is what attention gave out."""
    with watch(student) as seen:
        student.encode(IDS)
    block = student.blocks[0]
    assert isinstance(block, StudentBlock)
    mask = IDS != 0
    normalised = block.norm(student.characters(IDS))
    value = block.qkv(normalised)[..., 16:]
    expected = block._attend(normalised, mask)
    torch.testing.assert_close(seen.attention[0] @ value, expected)


@torch.no_grad()
def test_states_and_maps_are_those_of_a_block_that_takes_in_bigrams() -> None:
    student = Student(ONE_HEAD.model_copy(update={"bigram_buckets": 16}), 9, 3).eval()
    nn.init.normal_(student.bigrams.weight)
    with watch(student) as seen:
        student.encode(IDS)
    block, mask = student.blocks[0], IDS != 0
    assert isinstance(block, StudentBlock)
    beside = student.bigrams(bigram_rows(IDS, 16))
    torch.testing.assert_close(seen.hidden[0], block(student.characters(IDS), mask, beside))
    entered = block.norm(student.characters(IDS)) + beside
    torch.testing.assert_close(seen.attention[0] @ block.qkv(entered)[..., 16:], block._attend(entered, mask))


@torch.no_grad()
def test_attention_maps_are_of_what_dropout_left() -> None:
    torch.manual_seed(0)
    student = Student(ONE_HEAD.model_copy(update={"dropout": 0.5}), 9, 3).train()
    projected: list[torch.Tensor] = []
    block = student.blocks[0]
    assert isinstance(block, StudentBlock)
    block.qkv.register_forward_hook(lambda _layer, _inputs, output: projected.append(output))
    with watch(student) as seen:
        student.encode(IDS)
    query, key = projected[0][0, :, :8], projected[0][0, :, 8:16]
    torch.testing.assert_close(seen.attention[0][0], (query @ key.T / 8**0.5).softmax(-1))


@torch.no_grad()
def test_padding_is_attended_to_by_none(student: Student) -> None:
    with watch(student) as seen:
        student.encode(IDS)
    for attention in seen.attention:
        torch.testing.assert_close(attention.sum(-1), torch.ones(2, 4))
        assert attention[1, :, 2:].abs().max() == 0


@torch.no_grad()
def test_several_heads_give_their_mean() -> None:
    torch.manual_seed(0)
    student = Student(ONE_HEAD.model_copy(update={"heads": 4}), 9, 3).eval()
    with watch(student) as seen:
        student.encode(IDS)
    torch.testing.assert_close(seen.attention[1].sum(-1), torch.ones(2, 4))


def test_watching_changes_no_logit_and_leaves_nothing(student: Student) -> None:
    before, names = student(IDS), list(student.state_dict())
    with watch(student) as seen:
        watched = student(IDS)
    student(IDS)
    assert torch.equal(before, watched)
    assert list(student.state_dict()) == names
    assert len(seen.hidden) == 2  # the call after the block is not in it
    assert not any(block._forward_hooks for block in student.blocks)


def test_gradients_flow_through_what_is_seen(student: Student) -> None:
    with watch(student) as seen:
        student.encode(IDS)
    torch.autograd.backward(seen.attention[0].square().sum())
    assert student.characters.weight.grad is not None
    assert student.characters.weight.grad.abs().sum() > 0
