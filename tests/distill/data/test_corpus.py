"""The corpus: what is read, what is left out and counted, and what is refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from distill.config.sections import DataConfig
from distill.data.corpus import Corpus, Example, read_corpus
from runtime.errors import ConfigError, DataError
from tests.workbooks import write_workbook

ACIDS = ["盐酸", "硫酸", "硝酸", "磷酸", "氢氟酸", "硼酸", "氨基磺酸", "高氯酸"]
SOLVENTS = ["甲苯", "丙酮", "乙醇", "二甲亚砜", "环己烷", "四氢呋喃", "正丁醚", "醋酸仲丁酯"]
ROWS = [*((text, "酸") for text in ACIDS), *((text, "溶剂") for text in SOLVENTS)]


def write(path: Path, rows: list[tuple[str, str]], encoding: str = "utf-8") -> Path:
    path.write_bytes("".join(f"{text}\t{label}\n" for text, label in [("text", "label"), *rows]).encode(encoding))
    return path


def read(path: Path, **keys: str | float) -> Corpus:
    return read_corpus(
        DataConfig.model_validate({"path": str(path), "dev_share": 0.2, "test_share": 0.2} | keys), seed=0
    )


def refusal(path: Path, **keys: str | float) -> str:
    with pytest.raises(DataError) as caught:
        read(path, **keys)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def texts(examples: tuple[Example, ...]) -> list[str]:
    return [example.text for example in examples]


def test_one_file_is_split_and_nothing_gets_lost(tmp_path: Path) -> None:
    corpus = read(write(tmp_path / "data.tsv", ROWS))
    assert corpus.labels == ("溶剂", "酸")
    assert corpus.dropped == {}
    assert (len(corpus.dev), len(corpus.test)) == (4, 4)
    everything = [*corpus.train, *corpus.dev, *corpus.test]
    assert sorted((example.text, example.label) for example in everything) == sorted(ROWS)


def test_a_folder_keeps_its_own_splits(tmp_path: Path) -> None:
    write(tmp_path / "train.tsv", ROWS[:12])
    write(tmp_path / "dev.tsv", ROWS[12:14])
    write(tmp_path / "test.tsv", ROWS[14:])
    corpus = read(tmp_path)
    assert [texts(part) for part in (corpus.train, corpus.dev, corpus.test)] == [
        [text for text, _ in part] for part in (ROWS[:12], ROWS[12:14], ROWS[14:])
    ]


def test_a_folder_may_be_packed(tmp_path: Path) -> None:
    folder, packed = tmp_path / "plain", tmp_path / "packed"
    folder.mkdir()
    packed.mkdir()
    plain = write(folder / "train.tsv", ROWS)
    (packed / "train.tsv.gz").write_bytes(gzip.compress(plain.read_bytes()))
    assert read(packed) == read(folder)


def test_in_a_folder_the_sheet_is_that_of_workbooks_alone(tmp_path: Path) -> None:
    header = ("text", "label")
    write_workbook(tmp_path / "train.xlsx", {"Sheet": [header, *ROWS[:2]], "二月": [header, *ROWS[2:12]]})
    write(tmp_path / "dev.tsv", ROWS[12:14])
    write(tmp_path / "test.tsv", ROWS[14:])
    assert "name one with --sheet" in refusal(tmp_path)
    assert set(texts(read(tmp_path, sheet="二月").train)) == {text for text, _ in ROWS[2:12]}
    both = read(tmp_path, sheet="*")
    assert set(texts(both.train)) == {text for text, _ in ROWS[:12]}
    assert [(example.file, example.line) for example in both.train if example.text in (ROWS[0][0], ROWS[2][0])] == [
        ("train.xlsx [Sheet]", 2),
        ("train.xlsx [二月]", 2),
    ]


def test_what_a_folder_lacks_is_split_off_train(tmp_path: Path) -> None:
    write(tmp_path / "train.tsv", ROWS[1:-1])
    write(tmp_path / "test.tsv", [ROWS[0], ROWS[-1]])
    corpus = read(tmp_path)
    assert texts(corpus.test) == ["盐酸", "醋酸仲丁酯"]
    assert len(corpus.dev) == 2
    assert len(corpus.train) == 12


def test_the_example_set_is_read_when_no_data_is_named() -> None:
    corpus = read_corpus(DataConfig(), seed=0)
    assert len(corpus.labels) >= 12
    assert corpus.dropped == {}


def test_gb18030_and_named_columns_give_the_same_corpus(tmp_path: Path) -> None:
    reference = read(write(tmp_path / "data.tsv", ROWS))
    lines = "".join(f"{number},{label},{text}\n" for number, (text, label) in enumerate(ROWS))
    (tmp_path / "erp.csv").write_bytes(("编号,类别,品名\n" + lines).encode("gb18030"))
    assert read(tmp_path / "erp.csv", text_column="品名", label_column="类别") == reference


def test_blanks_are_folded_in_labels_and_cut_off_texts(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text(
        "text,label\n" + "".join(f'"  {text} ","a \tb\n  {label}"\n' for text, label in ROWS), encoding="utf-8"
    )
    corpus = read(tmp_path / "data.csv")
    assert corpus.labels == ("a b 溶剂", "a b 酸")
    assert {*texts(corpus.train)} < {*ACIDS, *SOLVENTS}


def test_characters_that_nobody_sees_make_no_class_of_their_own(tmp_path: Path) -> None:
    rows = [("环氧 E51", "树脂"), ("环氧 E44", "树脂\u200b"), ("酚醛 2123", "\ufeff树\u00ad脂"), ("白油", "\u200b")]
    corpus = read(write(tmp_path / "data.tsv", [*ROWS, *rows]))
    assert corpus.labels == ("树脂", "溶剂", "酸")
    assert corpus.dropped == {"empty label": 1}


def test_labels_of_another_width_or_case_stay_classes_of_their_own(tmp_path: Path) -> None:
    rows = [("十二烷基硫酸钠", "SDS"), ("月桂醇", "SDS"), ("K12 针状", "ＳＤＳ"), ("发泡粉", "ＳＤＳ")]
    assert read(write(tmp_path / "data.tsv", [*ROWS, *rows])).labels == ("SDS", "溶剂", "酸", "ＳＤＳ")


def test_rows_without_text_or_label_are_counted(tmp_path: Path) -> None:
    rows = [*ROWS, ("", "酸"), ("NaN", "酸"), ("\u200b \u3000", "酸"), ("白油", ""), ("锭子油", " ")]
    assert read(write(tmp_path / "data.tsv", rows)).dropped == {"empty text": 3, "empty label": 2}


def test_repeated_rows_count_once_whatever_their_width_and_case(tmp_path: Path) -> None:
    rows = [("naoh 99%", "碱"), *ROWS, ("ＮａＯＨ　99％", "碱"), ("盐酸 ", "酸"), ("KOH", "碱")]
    corpus = read(write(tmp_path / "data.tsv", rows))
    assert corpus.dropped == {"duplicate": 2}
    assert "naoh 99%" in texts(corpus.train + corpus.dev + corpus.test)


def test_all_rows_of_a_text_with_two_labels_are_left_out(tmp_path: Path) -> None:
    corpus = read(write(tmp_path / "data.tsv", [*ROWS, ("盐酸", "溶剂"), (" 盐酸", "溶剂")]))
    assert corpus.dropped == {"conflicting labels": 3}
    assert "盐酸" not in texts(corpus.train + corpus.dev + corpus.test)


def test_what_stands_in_dev_or_test_leaves_train(tmp_path: Path) -> None:
    write(tmp_path / "train.tsv", ROWS)
    write(tmp_path / "dev.tsv", [ROWS[0], ROWS[0], ROWS[-1]])
    write(tmp_path / "test.tsv", [("　硫酸", "酸"), ROWS[-2]])
    corpus = read(tmp_path)
    assert corpus.dropped == {"also in dev or test": 4}
    assert texts(corpus.train) == [text for text, _ in ROWS[2:-2]]
    assert texts(corpus.dev) == ["盐酸", "盐酸", "醋酸仲丁酯"]


def test_what_stands_in_test_leaves_dev(tmp_path: Path) -> None:
    write(tmp_path / "train.tsv", ROWS[3:])
    write(tmp_path / "dev.tsv", ROWS[:2])
    write(tmp_path / "test.tsv", [(" " + ROWS[1][0].upper(), ROWS[1][1]), ROWS[2]])
    corpus = read(tmp_path)
    assert corpus.dropped == {"also in test": 1}
    assert texts(corpus.dev) == [ROWS[0][0]]


@pytest.mark.parametrize("name", ["val.tsv", "valid.tsv", "Validation.tsv"])
def test_the_development_set_may_have_its_other_names(tmp_path: Path, name: str) -> None:
    write(tmp_path / "train.tsv", ROWS[4:])
    write(tmp_path / name, ROWS[:2])
    write(tmp_path / "test.tsv", ROWS[2:4])
    assert texts(read(tmp_path).dev) == [text for text, _ in ROWS[:2]]


def test_a_label_that_train_does_not_have_leaves_dev_and_test(tmp_path: Path) -> None:
    write(tmp_path / "train.tsv", ROWS[2:-2])
    write(tmp_path / "dev.tsv", [*ROWS[:2], ("白油", "油品")])
    write(tmp_path / "test.tsv", [*ROWS[-2:], ("锭子油", "油品")])
    corpus = read(tmp_path)
    assert corpus.dropped == {"label not in train": 2}
    assert corpus.labels == ("溶剂", "酸")


def test_a_folder_may_have_a_class_with_one_row(tmp_path: Path) -> None:
    write(tmp_path / "train.tsv", [*ROWS, ("白油", "油品")])
    write(tmp_path / "dev.tsv", [("锭子油", "油品")])
    write(tmp_path / "test.tsv", [("变压器油", "油品")])
    assert "油品" in read(tmp_path).labels


def test_rows_left_out_are_known_by_file_and_line(tmp_path: Path) -> None:
    write(tmp_path / "train.tsv", [*ROWS[1:-1], ("白油", ""), ("", "酸"), ROWS[2], ROWS[0]])
    write(tmp_path / "dev.tsv", [ROWS[0], ROWS[-1]])
    write(tmp_path / "test.tsv", [ROWS[-1], ("机油", "油品")])
    left_out = read(tmp_path).left_out
    assert {reason: [(row.file, row.line, row.text) for row in rows] for reason, rows in left_out.items()} == {
        "empty label": [("train.tsv", 16, "白油")],
        "empty text": [("train.tsv", 17, "")],
        "duplicate": [("train.tsv", 18, "硝酸")],
        "also in dev or test": [("train.tsv", 19, "盐酸")],
        "label not in train": [("test.tsv", 3, "机油")],
        "also in test": [("dev.tsv", 3, ROWS[-1][0])],
    }


def test_the_rows_of_a_conflict_stand_together(tmp_path: Path) -> None:
    odd = [("ＮａＯＨ", "溶剂"), ("HCl", "碱"), ("naoh", "碱"), ("hcl", "酸")]
    rows = read(write(tmp_path / "data.tsv", [*ROWS, *odd])).left_out["conflicting labels"]
    assert [(row.line, row.text, row.label) for row in rows] == [
        (19, "HCl", "碱"),
        (21, "hcl", "酸"),
        (18, "ＮａＯＨ", "溶剂"),
        (20, "naoh", "碱"),
    ]


def test_examples_are_the_same_wherever_they_stand() -> None:
    assert {Example("盐酸", "酸", "train.tsv", 2)} == {Example("盐酸", "酸")}


def test_the_fingerprint_follows_the_content_and_the_seed(tmp_path: Path) -> None:
    path = write(tmp_path / "data.tsv", ROWS)
    config = DataConfig(path=str(path), dev_share=0.2, test_share=0.2)
    first = read_corpus(config, seed=0).fingerprint
    assert read_corpus(config, seed=0).fingerprint == first
    assert read_corpus(config, seed=1).fingerprint != first
    write(path, [*ROWS[:-1], ("醋酸仲丁脂", "溶剂")])
    assert read_corpus(config, seed=0).fingerprint != first


def test_a_lone_surrogate_in_json_does_no_harm(tmp_path: Path) -> None:
    lines = [rf'{{"text": "\ud800{text}", "label": "{label}"}}' for text, label in ROWS]
    (tmp_path / "data.jsonl").write_text("\n".join(lines), encoding="utf-8")
    corpus = read(tmp_path / "data.jsonl")
    assert all(text.startswith("\ufffd") for text in texts(corpus.train))


def test_a_missing_path_is_refused(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "missing.tsv")
    assert "cannot read" in refusal(tmp_path / ("long" * 100 + ".tsv"))


def test_a_folder_without_train_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "dev.tsv", ROWS)
    assert "has no train file" in refusal(tmp_path)


def test_two_files_for_one_split_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "train.tsv", ROWS)
    write(tmp_path / "train.csv", ROWS)
    assert "both train.csv and train.tsv" in refusal(tmp_path)


@pytest.mark.parametrize(("key", "option"), [("text_column", "--text-column"), ("label_column", "--label-column")])
def test_a_missing_column_names_the_option_that_names_another(tmp_path: Path, key: str, option: str) -> None:
    message = refusal(write(tmp_path / "data.tsv", ROWS), **{key: "品名"})
    assert message.endswith(f"has no column '品名', only: text, label; name another with {option} NAME")


def test_a_header_alone_is_refused(tmp_path: Path) -> None:
    assert "a header but no rows" in refusal(write(tmp_path / "data.tsv", []))


def test_fewer_than_two_classes_are_refused(tmp_path: Path) -> None:
    assert "there is '酸'" in refusal(write(tmp_path / "data.tsv", ROWS[:5]))
    assert "there is none, no row of '酸'; mend the rows left out (gm-distill audit" in refusal(
        write(tmp_path / "data.tsv", [("", "酸")])
    )


def test_the_second_class_may_be_lost_to_conflicts(tmp_path: Path) -> None:
    rows = [*ROWS[:8], *((text, "危险化学品") for text in ACIDS[:5])]
    assert "there is '酸', no row of '危险化学品'; mend the rows left out (gm-distill audit" in refusal(
        write(tmp_path / "data.tsv", rows)
    )


def test_merged_cells_are_the_likely_cause_of_classes_with_one_row(tmp_path: Path) -> None:
    rows = [(text, label if text in ("盐酸", "甲苯") else "") for text, label in ROWS]
    message = refusal(write(tmp_path / "data.tsv", rows))
    assert "cannot be split; 14 of 16 texts have no label; merged cells? write the label in every row, or" in message
    message = refusal(write(tmp_path / "data.tsv", rows[:8]))
    assert "there is '酸'; 7 of 8 texts have no label; merged cells? write the label in every row, or add" in message


def test_a_class_of_one_file_with_one_row_is_named(tmp_path: Path) -> None:
    message = refusal(write(tmp_path / "data.tsv", [*ROWS, ("白油", "油品"), ("白油 ", "油品")]))
    assert "class '油品' has one row after cleaning, which cannot be split; correct mistyped labels" in message


def test_all_classes_with_one_row_are_named_at_once(tmp_path: Path) -> None:
    few = [*ROWS, *((f"杂项 {name}", f"其它{name}") for name in "ABC")]
    assert "3 classes ('其它A', '其它B', '其它C') have one row each" in refusal(write(tmp_path / "few.tsv", few))
    many = [*ROWS, *((f"杂项 {name}", name) for name in "GFEDCBA")]
    assert "7 classes ('G', 'F', 'E', 'D', 'C' and 2 more) have" in refusal(write(tmp_path / "many.tsv", many))


def test_too_few_rows_for_three_splits_are_refused(tmp_path: Path) -> None:
    assert "no rows for dev" in refusal(write(tmp_path / "data.tsv", [*ROWS[:2], *ROWS[-2:]]))


def test_texts_too_alike_to_be_split_are_told_from_too_few(tmp_path: Path) -> None:
    lines = [(f"机组 {number:04} 号泵 轴承温度 {60 + number % 9} 度", "泵风"[number % 2]) for number in range(600)]
    path = write(tmp_path / "log.tsv", lines)
    message = refusal(path)
    assert "no rows for dev, because the texts are so alike that they share one split" in message
    assert "data.near_duplicate=1" in message
    assert "add rows" not in message
    corpus = read(path, near_duplicate=1)
    assert (len(corpus.dev), len(corpus.test)) == (120, 120)


@pytest.mark.parametrize("rows", [[("白油", "油品")], [("", "酸")]])
def test_a_file_of_dev_without_usable_rows_is_to_blame_itself(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    write(tmp_path / "train.tsv", ROWS)
    write(tmp_path / "dev.tsv", rows)
    assert "no row of dev has a text and a class that train has; mend the dev file" in refusal(tmp_path)


def test_shares_that_leave_no_training_rows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="leave nothing for training"):
        read(write(tmp_path / "data.tsv", ROWS), dev_share=0.5, test_share=0.5)
