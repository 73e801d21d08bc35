"""The fuzzer finds what is planted for it, and reports it with the input that did it."""

import json
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner

from benchmarks.attacks.guided import fuzz, mutated
from benchmarks.attacks.strange_texts import strange_texts
from benchmarks.fuzz import classify_strange_texts, main, targets
from runtime.bundles.bundle import Bundle
from runtime.errors import BundleError, GMError
from runtime.tokenizer import CharTokenizer
from tests.runtime.small_bundles import write_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that no test changes."""
    return write_bundle(tmp_path_factory.mktemp("fuzz") / "bundle")


def _nested(content: bytes) -> None:
    """Have a fault that is reached through three steps only, each of which is a line of its own."""
    if b"PK" not in content:
        raise BundleError("no archive")
    if b"null" not in content:
        raise BundleError("no value")
    if b"true" in content:
        raise ZeroDivisionError


def test_coverage_leads_to_a_fault_that_chance_alone_does_not_find() -> None:
    guided = fuzz(_nested, [b"start"], [__file__], 30_000, Random(0))
    assert guided.outcomes["find: ZeroDivisionError"] > 0
    assert guided.finds[0]["raised"] == "ZeroDivisionError()"
    found = bytes.fromhex(guided.finds[0]["input"])
    assert b"PK" in found
    assert b"true" in found
    blind = fuzz(_nested, [b"start"], [], 3000, Random(0))
    assert (blind.edges, blind.finds) == (set(), [])


def test_a_run_can_be_repeated() -> None:
    once, again = (fuzz(_nested, [b"start"], [__file__], 500, Random(7)).to_json() for _ in range(2))
    assert once == again


def test_a_message_of_two_lines_is_a_find() -> None:
    def talkative(_content: bytes) -> None:
        error = BundleError("one")
        error.args = ("one\ntwo",)
        raise error

    assert fuzz(talkative, [b"x"], [], 0, Random(0)).finds


def test_mutants_differ_from_their_parent_and_from_each_other() -> None:
    random = Random(0)
    mutants = {mutated(b"0123456789", random) for _ in range(200)}
    assert len(mutants) > 150
    assert mutated(b"", Random(3)) != b"" or mutated(b"", Random(4)) != b""


def test_every_target_accepts_what_it_starts_from_or_refuses_it_for_a_reason(bundle: Path, tmp_path: Path) -> None:
    for name, (target, first) in targets(Bundle.open(bundle), tmp_path).items():
        outcomes = fuzz(target, first, [], 0, Random(0)).outcomes
        # Of the seven ONNX models four hide something: three weights outside, one a foreign operator.
        assert dict(outcomes) == ({"accepted": 3, "BundleError": 4} if name == "onnx models" else {"accepted": 1})


def test_strange_texts_are_of_every_sort() -> None:
    texts = list(strange_texts(2000, Random(0)))
    assert len(texts) == 2000
    whole = "".join(texts)
    assert any("\ud800" <= character <= "\udfff" for character in whole)
    assert any(character > "\uffff" for character in whole)
    assert "" in texts
    assert max(map(len, texts)) >= 300
    assert texts == list(strange_texts(2000, Random(0)))


def test_the_classifier_answers_each_three_times(bundle: Path) -> None:
    found = classify_strange_texts(bundle, 300, 0)
    assert (found["inputs"], found["finds"]) == (300, [])
    assert isinstance(found["reasons_of_three_answers_each"], dict)
    assert sum(found["reasons_of_three_answers_each"].values()) == 900


def test_the_command_writes_what_it_saw_and_fails_on_a_find(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = [str(bundle), "--texts", "20", "--mutants", "20", "--out", str(tmp_path / "fuzz.json")]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    found = json.loads((tmp_path / "fuzz.json").read_text(encoding="utf-8"))["found"]
    assert set(found) == {"archives", "manifests", "tokenisers", "onnx models", "texts"}
    assert found["manifests"]["inputs"] == 21
    monkeypatch.setattr(CharTokenizer, "encode", lambda _tokenizer, text: 1 // 0)
    done = CliRunner().invoke(main, arguments)
    assert isinstance(done.exception, GMError)
    found = json.loads((tmp_path / "fuzz.json").read_text(encoding="utf-8"))["found"]
    assert found["tokenisers"]["finds"][0]["raised"].startswith("ZeroDivisionError")
    assert found["texts"]["finds"][0]["raised"].startswith("ZeroDivisionError")
