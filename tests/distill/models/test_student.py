"""The Transformer student."""

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn import functional

from distill.config.sections import StudentConfig
from distill.models.student import NGrams, Student, StudentBlock, bigram_rows, parameter_groups
from runtime.cascade import table_rows
from runtime.tokenizer import PAD_ID, CharTokenizer

VOCABULARY, CLASSES, MAX_LEN = 20, 4, 12


def student(seed: int = 0, **keys: object) -> Student:
    torch.manual_seed(seed)
    transformer = {"layers": 2, "width": 16, "heads": 2, "feed_forward": 32, "max_len": MAX_LEN}
    sizes = {**transformer, "bigram_buckets": 32, "ngram_buckets": 64, "ngram_width": 8, **keys}
    return Student(StudentConfig.model_validate(sizes), VOCABULARY, CLASSES)


def text(length: int, seed: int = 0) -> Tensor:
    return torch.randint(1, VOCABULARY, (length,), generator=torch.Generator().manual_seed(seed))


def padded(*rows: Tensor) -> Tensor:
    return torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True, padding_value=PAD_ID)


@pytest.mark.parametrize("length", [1, 5, MAX_LEN])
@pytest.mark.parametrize(("buckets", "width"), [(64, 24), (0, 16)])
def test_shapes(length: int, buckets: int, width: int) -> None:
    network = student(ngram_buckets=buckets)
    ids = padded(text(length), text(1))
    assert network.encode(ids).shape == (2, width) == (2, network.representation_width)
    assert network(ids).shape == (2, CLASSES)


def test_ngrams_are_the_mean_of_the_rows_that_a_bundle_takes() -> None:
    network, row = student().eval(), text(7)
    rows = table_rows(row.tolist(), 64)
    expected = network.ngrams.rows.weight[rows].mean(0)
    torch.testing.assert_close(network.encode(row[None])[0, 16:], expected)


def test_the_hash_of_the_largest_ids_is_that_of_a_bundle() -> None:
    ids = torch.tensor([[65535, 65535, 60000, 1]])
    ngrams = NGrams(1 << 15, 8, 2)
    expected = ngrams.rows.weight[table_rows(ids[0].tolist(), 1 << 15)].mean(0)
    torch.testing.assert_close(ngrams(ids, ids != PAD_ID)[0], expected)


def test_bigrams_of_the_transformer_are_those_of_the_ngrams() -> None:
    ids = padded(text(7), torch.tensor([65535, 65535, 60000, 1]))
    for row, found in zip(ids, bigram_rows(ids, 1 << 15), strict=True):
        there = row[row != PAD_ID].tolist()
        assert found[: len(there)].tolist() == table_rows(there, 1 << 15)[len(there) :]


def test_an_unknown_pair_adds_nothing_and_a_known_one_is_added_to_its_first_character() -> None:
    """After normalisation, so that the exported graph may look up both as integers and add these."""
    network, ids = student(layers=1).eval(), text(6)[None]
    block, mask, characters = network.blocks[0], torch.ones(1, 6, dtype=torch.bool), network.characters(ids)
    assert isinstance(block, StudentBlock)
    torch.testing.assert_close(network.encode(ids)[:, :16], block(characters, mask).mean(1))
    torch.testing.assert_close(network(ids), student(layers=1, bigram_buckets=0).eval()(ids))
    nn.init.normal_(network.bigrams.weight)
    beside = network.bigrams.weight[bigram_rows(ids, 32)]
    torch.testing.assert_close(network.encode(ids)[:, :16], block(characters, mask, beside).mean(1))
    normalised = block.norm(characters) + beside
    expected = network.encode(ids)[:, :16]
    block.norm = nn.Identity()  # type: ignore[assignment]
    torch.testing.assert_close(block(normalised, mask).mean(1), expected)


def test_logits_are_the_mean_of_two_answers() -> None:
    network, ids = student().eval(), padded(text(5), text(9))
    representation = network.encode(ids)
    alone = network.head(representation[:, :16]), network.ngrams.head(representation[:, 16:])
    torch.testing.assert_close(network(ids), (alone[0] + alone[1]) / 2)


def test_transformer_and_ngrams_share_no_weight() -> None:
    """So each learns from its own answer as if it were alone."""
    network, ids = student(), padded(text(5), text(9))
    trained = []
    for part in (0, 1):
        network.zero_grad()
        network.answers(network.encode(ids))[part].square().sum().backward()  # type: ignore[no-untyped-call]
        trained.append({name for name, p in network.named_parameters() if p.grad is not None and p.grad.any()})
    assert trained[0] & trained[1] == set()
    assert trained[0] | trained[1] == {name for name, _ in network.named_parameters()}
    assert len(student(ngram_buckets=0).answers(torch.zeros(1, 16))) == 1


def test_the_last_character_forms_a_bigram_with_the_end() -> None:
    network = student().eval()
    same = [network.ngrams(ids, ids != PAD_ID)[0] for ids in (text(4)[None], padded(text(4), text(MAX_LEN))[:1])]
    torch.testing.assert_close(*same)


@pytest.mark.parametrize("key", ["bigram_buckets", "ngram_buckets"])
@pytest.mark.parametrize(
    ("buckets", "message"), [(48, "must be a power of two, or 0"), (-1, "greater"), (1 << 21, "less")]
)
def test_buckets_are_a_power_of_two(key: str, buckets: int, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        student(**{key: buckets})


def test_forward_is_classify_of_encode() -> None:
    network, ids = student().eval(), padded(text(5))
    assert torch.equal(network(ids), network.classify(network.encode(ids)))


def test_padding_changes_nothing() -> None:
    network, rows = student().eval(), [text(length, length) for length in (1, 3, 7, MAX_LEN)]
    together = network(padded(*rows))
    alone = torch.cat([network(row[None]) for row in rows])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


def test_a_batch_of_equal_lengths_needs_no_mask() -> None:
    network, ids = student().eval(), torch.stack([text(6, seed) for seed in range(3)])
    hidden = network.characters(ids)
    for block in network.blocks:
        hidden = block(hidden, torch.ones(3, 6, dtype=torch.bool))
    torch.testing.assert_close(network.encode(ids)[:, :16], hidden.mean(1), atol=1e-5, rtol=0)


def test_a_text_of_head_and_tail_fits() -> None:
    tokenizer = CharTokenizer("甲乙丙丁", MAX_LEN)
    encoding = tokenizer.encode("甲" * 50 + "乙" * 3)
    assert encoding.truncated
    assert len(encoding.ids) == MAX_LEN
    assert student().eval()(torch.from_numpy(encoding.ids)[None]).isfinite().all()


def test_the_order_of_characters_matters() -> None:
    network, row = student().eval(), text(6)
    assert not torch.allclose(network(row[None]), network(row.flip(0)[None]), atol=1e-3)


def test_the_transformer_alone_sees_a_set_of_characters_or_of_pairs() -> None:
    network, row = student(ngram_buckets=0, bigram_buckets=0).eval(), text(6)
    torch.testing.assert_close(network(row[None]), network(row.flip(0)[None]))
    network, turned = student(ngram_buckets=0).eval(), torch.tensor([2, 3, 4, 2, 5, 2, 3])
    nn.init.normal_(network.bigrams.weight)
    # 2 3 4 2 5 2 3 and 2 5 2 3 4 2 3 have the same pairs.
    torch.testing.assert_close(network(turned[None]), network(torch.tensor([[2, 5, 2, 3, 4, 2, 3]])))
    assert not torch.allclose(network(row[None]), network(row.flip(0)[None]), atol=1e-3)


def test_every_used_parameter_gets_a_gradient_and_padding_none() -> None:
    network = student()
    network(padded(*(text(length, length) for length in range(1, MAX_LEN + 1)))).square().sum().backward()
    without = {name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()}
    assert not without
    gradient = network.characters.weight.grad
    assert gradient is not None
    assert not gradient[PAD_ID].any()


def test_the_same_seed_gives_the_same_weights() -> None:
    first, again, other = (torch.cat([p.flatten() for p in student(s).parameters()]) for s in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_dropout_acts_in_training_only() -> None:
    network, ids = student(dropout=0.5), padded(text(8))
    assert not torch.equal(network(ids), network(ids))
    network.eval()
    assert torch.equal(network(ids), network(ids))


def test_overfits_a_few_texts() -> None:
    network, ids, labels = student(), padded(*(text(6, seed) for seed in range(8))), torch.arange(8) % CLASSES
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-2)
    for _ in range(60):
        optimiser.zero_grad()
        functional.cross_entropy(network(ids), labels).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    assert torch.equal(network.eval()(ids).argmax(1), labels)


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ValueError, match=r"heads \(3\) must divide width \(16\)"):
        student(heads=3)


def test_what_is_hashed_learns_five_times_as_fast_as_the_rest() -> None:
    network = student()
    rest, fast = parameter_groups(network, 0.25)
    assert (rest["lr"], fast["lr"]) == (0.25, 1.25)
    hashed = [*network.ngrams.parameters(), *network.bigrams.parameters()]
    assert {id(p) for p in fast["params"]} == {id(p) for p in hashed}
    assert len(rest["params"]) + len(fast["params"]) == len(list(network.parameters()))
    assert len(parameter_groups(student(ngram_buckets=0, bigram_buckets=0), 0.25)) == 1
