"""Contenders: how they are opened, who is missing, what the peers load."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.contenders import lineup
from benchmarks.contenders.contender import Absent, Entry, not_installed
from benchmarks.contenders.peer_models import Task, bert_vocabulary, make, optimum_preset
from distill.runs.run_folder import RunFolder
from runtime import Classifier
from runtime.bundles.bundle import Bundle
from runtime.errors import BackendError
from tests.runtime.small_bundles import TEXTS, add_cascade, write_bundle

TASK = Task(
    labels=("有机 溶剂", "酸"),
    characters=" %9丙浓硫酮酸ab",
    max_len=16,
    texts=("98%浓硫酸", "浓硫酸", "硫酸 99%", "丙酮", "丙酮 99%", "工业丙酮") * 5,
    text_labels=("酸", "酸", "酸", "有机 溶剂", "有机 溶剂", "有机 溶剂") * 5,
)


def test_an_entry_opens_its_class_with_its_arguments() -> None:
    entry = Entry("echo", "tests.benchmarks.echo:Echo", ("类",), ())
    assert entry.open().labels(["酸", "碱"]) == ["类酸", "类碱"]


def test_a_missing_peer_is_listed_with_what_to_install() -> None:
    entry = Entry("peer", "nowhere:Peer", (), ("numpy>=1", "no-such-one", "no-such-two[extra]>=2"))
    able, absent = lineup.ready([entry], Path("unused"))
    assert able == []
    assert absent == [Absent("peer", "not installed: pip install 'no-such-one' 'no-such-two[extra]>=2'")]
    assert not_installed(entry) == absent[0]


def test_backends_that_the_bundle_lacks_are_listed_with_the_option_that_adds_them(tmp_path: Path) -> None:
    entries, absent = lineup.ours(Bundle.open(write_bundle(tmp_path / "bundle")))
    assert [entry.name for entry in entries] == [lineup.OURS_INT8]
    assert [one.reason for one in absent] == [
        "not in the bundle: export it with --keep-fp32",
        "not in the bundle: export it with --backend both",
        "not in the bundle: export it with --cascade",
    ]


def test_a_bundle_with_a_cascade_is_measured_with_it_and_without(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle")
    add_cascade(bundle, threshold=0.0)
    plain, cascade = lineup.ours(Bundle.open(bundle))[0]
    assert [plain.name, cascade.name] == [lineup.OURS_INT8, lineup.OURS_CASCADE]
    with Classifier(bundle, cascade=False) as model, Classifier(bundle) as both:
        assert plain.open().labels(TEXTS) == [prediction.label for prediction in model.classify_many(TEXTS)]
        assert cascade.open().labels(TEXTS) == [prediction.label for prediction in both.classify_many(TEXTS)]
        assert plain.open().labels(TEXTS) != cascade.open().labels(TEXTS)


def test_the_quick_line_up_is_a_part_of_the_full_one() -> None:
    quick, full = (lineup.peers(Path("folder"), quick=flag) for flag in (True, False))
    assert [entry.name for entry in quick] == [lineup.TOKENIZERS_FP32, lineup.TOKENIZERS_INT8, lineup.OPTIMUM_INT8]
    assert full[: len(quick)] == quick
    assert len({entry.name for entry in full}) == len(full) == 8


@pytest.mark.parametrize(
    ("flags", "preset"),
    [
        ({"avx2", "avx512f", "avx512_vnni"}, "avx512_vnni"),
        ({"avx2", "avx512f"}, "avx512"),
        ({"avx2"}, "avx2"),
        ({"fp", "asimd"}, "arm64"),
        (set(), "avx2"),
    ],
)
def test_optimum_quantises_for_the_cpu_at_hand(flags: set[str], preset: str) -> None:
    assert optimum_preset(frozenset(flags)) == preset


def test_every_character_is_one_token_of_the_bert_peer() -> None:
    from tokenizers import BertWordPieceTokenizer

    vocabulary = bert_vocabulary(TASK.characters)
    tokenizer = BertWordPieceTokenizer({token: i for i, token in enumerate(vocabulary)})
    assert tokenizer.encode("99%浓硫酸 ab").tokens == ["[CLS]", "9", "##9", "%", "浓", "硫", "酸", "a", "##b", "[SEP]"]


def test_a_task_survives_its_file(tmp_path: Path) -> None:
    TASK.save(tmp_path)
    assert Task.load(tmp_path) == TASK


@pytest.mark.parametrize("name", [lineup.FASTTEXT, lineup.FASTTEXT_WORDS, lineup.LINEAR_SVC])
def test_trained_peers_know_their_examples(name: str, tmp_path: Path) -> None:
    entry = next(entry for entry in lineup.peers(tmp_path, quick=False) if entry.name == name)
    if entry.missing():
        pytest.skip(not_installed(entry).reason)
    TASK.save(tmp_path)
    make(entry.model, tmp_path)
    contender = entry.open()
    assert contender.label("浓硫酸") == "酸"
    assert contender.labels(["丙酮", "浓硫酸"]) == ["有机 溶剂", "酸"]


def test_the_convolutional_peer_answers_texts_of_any_length(tmp_path: Path) -> None:
    entry = next(entry for entry in lineup.peers(tmp_path, quick=False) if entry.name == lineup.TEXT_CNN)
    if entry.missing():
        pytest.skip(not_installed(entry).reason)
    TASK.save(tmp_path)
    make(entry.model, tmp_path)
    contender = entry.open()
    texts = ["", "酸", "98%浓硫酸" * 9]
    assert all(contender.label(text) in TASK.labels for text in texts)
    assert contender.labels(texts)[2] == contender.label(texts[2])


def test_a_student_of_another_size_is_a_contender(tmp_path: Path) -> None:
    smallest = lineup.sizes(tmp_path)[0]
    TASK.save(tmp_path)
    make(smallest.model, tmp_path)
    assert smallest.open().label("浓硫酸").startswith("class ")
    student = RunFolder(tmp_path / smallest.model / "run").student().config
    assert (student.layers, student.width, student.heads, student.feed_forward) == (1, 64, 1, 128)


def test_a_model_that_cannot_be_made_leaves_a_reason(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="cannot make the svc model: FileNotFoundError"):
        make("svc", tmp_path)
