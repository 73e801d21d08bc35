"""The labelled texts of a run: read, cleaned, and in three splits."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from distill.config.sections import DataConfig
from distill.data.label_faults import lost_classes, many_without_label
from distill.data.split import split
from distill.layout import first_few
from runtime.errors import DataError
from runtime.tables.rows import SUFFIXES, Row, read_table, sheet_of
from runtime.text import normalise

EXAMPLE_SET = Path(__file__).parents[1] / "example" / "chemicals.tsv"
"""The small set of chemical products that ships with the package."""
_CLASSES_NAMED = 5
# What the files of splits are called, here and elsewhere.
_SPLITS = {"train": "train", "dev": "dev", "val": "dev", "valid": "dev", "validation": "dev", "test": "test"}


@dataclass(frozen=True, slots=True)
class Example:
    """A text, as read but without blanks at its ends, and its label, as :func:`labelled_rows` gives it.

    Attributes:
        text: the text.
        label: its class.
        file: name of the file that it comes from; of a workbook, with that of the sheet: ``year.xlsx [Jan]``.
        line: line of that file or sheet, as :class:`runtime.tables.rows.Row` counts.
    """

    text: str
    label: str
    # Where it stands is only for users to find it: the same text and label from elsewhere are equal.
    file: str = field(default="", compare=False)
    line: int = field(default=0, compare=False)


LeftOut = dict[str, tuple[Example, ...]]
"""Rows that are not learned from, by reason, each in the order of its file; those of a conflict stand together."""
_Dropped = defaultdict[str, list[Example]]


@dataclass(frozen=True, slots=True)
class Cleaned:
    """The rows of a run's data, cleaned, before they are cut into splits.

    Attributes:
        path: the file or folder that they come from.
        train: rows of train, or of the only file; no two with the same normalised text.
        given: rows of dev and test, where these came in files of their own.
        left_out: rows left out, by reason.
    """

    path: Path
    train: tuple[Example, ...]
    given: Mapping[str, tuple[Example, ...]]
    left_out: LeftOut

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes of train, sorted."""
        return tuple(sorted({example.label for example in self.train}))

    @property
    def rows(self) -> int:
        """Number of rows that are not left out."""
        return len(self.train) + sum(map(len, self.given.values()))


@dataclass(frozen=True, slots=True)
class Corpus:
    """Cleaned examples of a run.

    Attributes:
        train: no two rows with the same normalised text.
        dev: rows to choose by; as given when they came in a file of their own.
        test: rows to report on; as given when they came in a file of their own.
        labels: the classes of train, sorted; their order is that of the logits.
        left_out: rows left out, by reason.
        fingerprint: SHA-256 over all examples in order.
    """

    train: tuple[Example, ...]
    dev: tuple[Example, ...]
    test: tuple[Example, ...]
    labels: tuple[str, ...]
    left_out: LeftOut
    fingerprint: str

    @property
    def dropped(self) -> dict[str, int]:
        """Number of rows left out, by reason."""
        return {reason: len(rows) for reason, rows in self.left_out.items()}

    @property
    def texts(self) -> list[str]:
        """The texts of all splits, as read: train, dev, test."""
        return [example.text for split in (self.train, self.dev, self.test) for example in split]


def read_corpus(config: DataConfig, seed: int) -> Corpus:
    """Read, clean and split the data that ``config`` names.

    Left out, and counted by reason: rows without text or label, repeated rows of train, texts of train that
    have several labels, texts of train that stand in dev or test too, texts of dev that stand in test too,
    and rows of dev and test whose label train does not have. Dev and test that come as files stay as given otherwise.

    Args:
        config: a folder with ``train.*``, and ``dev.*`` (or ``val.*``, ``valid.*``, ``validation.*``) and ``test.*``
            if there are; or one file. What is missing is split off.
        seed: of the split.

    Raises:
        DataError: no such data, a file is not as it should be, or there is nothing to learn from it.
        ConfigError: an encoding or a share that does not work, or a missing package.
    """
    return cut(read_cleaned(config), config, seed)


def read_cleaned(config: DataConfig) -> Cleaned:
    """Read and clean the data that ``config`` names, as :func:`read_corpus` does; it need not be enough to learn from.

    Raises:
        DataError: no such data, or a file is not as it should be.
        ConfigError: an encoding that does not work, or a missing package.
    """
    path = Path(config.path) if config.path else EXAMPLE_SET
    dropped: _Dropped = defaultdict(list)
    read = {name: _read(file, _of_file(config, file, path), dropped) for name, file in _files(path).items()}
    read = _without_texts_of_test(read, dropped)
    given = {name: examples for name, examples in read.items() if name != "train"}
    elsewhere = {normalise(example.text) for examples in given.values() for example in examples}
    train = tuple(_clean(read["train"], elsewhere, dropped))
    labels = {example.label for example in train}
    known = {name: tuple(_known(examples, labels, dropped)) for name, examples in given.items()}
    return Cleaned(path, train, known, {reason: tuple(examples) for reason, examples in dropped.items()})


def cut(cleaned: Cleaned, config: DataConfig, seed: int) -> Corpus:
    """Return train, dev and test; what did not come as a file is split off train.

    Raises:
        DataError: there is nothing to learn from the rows.
        ConfigError: a share that does not work.
    """
    _check_classes(cleaned)
    splits = _splits(cleaned, config, seed)
    for name in ("dev", "test"):
        if not splits[name]:
            untied = _splits(cleaned, config.model_copy(update={"near_duplicate": 1.0}), seed)
            raise _no_rows(cleaned.path, name, name in cleaned.given, bool(untied[name]))
    train, dev, test = (tuple(splits[name]) for name in ("train", "dev", "test"))
    return Corpus(train, dev, test, cleaned.labels, cleaned.left_out, _fingerprint(train, dev, test))


def labelled_rows(path: Path, config: DataConfig) -> Iterator[tuple[Row, str, str]]:
    """Yield each row of a table, its text and its label: white space folded, without characters that nobody sees.

    Raises:
        DataError: the file cannot be read, or lacks the sheet or one of the two columns.
        ConfigError: the encoding is unknown, a package that reads this format is missing, or it has no sheets.
    """
    wanted = {config.text_column: "--text-column NAME", config.label_column: "--label-column NAME"}
    for row in read_table(path, config.encoding, wanted, config.sheet):
        yield row, row.text(config.text_column), _label(row.text(config.label_column))


def _label(cell: str) -> str:
    if not cell.isprintable():
        # For instance a zero-width space from a web page: nobody could tell the two classes apart.
        cell = "".join(character for character in cell if unicodedata.category(character) != "Cf")
    return " ".join(cell.split())


def _files(path: Path) -> dict[str, Path]:
    """Return the files by split; a single file counts as train."""
    try:
        names = sorted(path.iterdir()) if path.is_dir() else None
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}; check the path and its permissions") from error
    if names is None:
        return {"train": path}
    found: dict[str, Path] = {}
    for file in names:
        name, _, suffix = file.name.partition(".")
        if name.lower() in _SPLITS and f".{suffix.lower()}" in SUFFIXES:
            first = found.setdefault(_SPLITS[name.lower()], file)
            if first is not file:
                raise DataError(f"{path} holds both {first.name} and {file.name}; keep one of them")
    if "train" not in found:
        raise DataError(f"{path} has no train file; name one train{{{','.join(SUFFIXES)}}}, or name one file")
    return found


def _of_file(config: DataConfig, file: Path, given: Path) -> DataConfig:
    """Return the configuration for one file of a folder, which may hold files without sheets too."""
    return config if file == given else config.model_copy(update={"sheet": sheet_of(file, config.sheet)})


def _read(path: Path, config: DataConfig, dropped: _Dropped) -> list[Example]:
    examples = [
        Example(text.strip(), label, path.name + (f" [{row.sheet}]" if row.sheet else ""), row.line)
        for row, text, label in labelled_rows(path, config)
    ]
    if not examples:
        raise DataError(f"{path} has a header but no rows; add some")
    labelled = _keep(examples, lambda example: bool(example.label), "empty label", dropped)
    return _keep(labelled, lambda example: bool(normalise(example.text)), "empty text", dropped)


def _without_texts_of_test(given: dict[str, list[Example]], dropped: _Dropped) -> dict[str, list[Example]]:
    """Leave out texts of dev that stand in test: to choose by them would be to choose by test."""
    if not given.keys() >= {"dev", "test"}:
        return given
    tested = {normalise(example.text) for example in given["test"]}
    dev = _keep(given["dev"], lambda example: normalise(example.text) not in tested, "also in test", dropped)
    return {**given, "dev": dev}


def _clean(examples: Sequence[Example], elsewhere: set[str], dropped: _Dropped) -> list[Example]:
    labels: defaultdict[str, set[str]] = defaultdict(set)
    for example in examples:
        labels[normalise(example.text)].add(example.label)
    seen: set[str] = set()

    def first(example: Example) -> bool:
        text = normalise(example.text)
        repeated = text in seen
        seen.add(text)
        return not repeated

    kept = _keep(examples, lambda example: normalise(example.text) not in elsewhere, "also in dev or test", dropped)
    kept = _keep(kept, lambda example: len(labels[normalise(example.text)]) == 1, "conflicting labels", dropped)
    # Rows of one text side by side, for whoever has to decide which of them is right.
    dropped.get("conflicting labels", []).sort(key=lambda example: normalise(example.text))
    return _keep(kept, first, "duplicate", dropped)


def _splits(cleaned: Cleaned, config: DataConfig, seed: int) -> dict[str, Sequence[Example]]:
    """Return the rows of train, less those for dev and test where these are not given, and of dev and test."""
    shares = {"dev": config.dev_share, "test": config.test_share}
    dev_share, test_share = (0.0 if name in cleaned.given else share for name, share in shares.items())
    train, dev, test = split(cleaned.train, dev_share, test_share, config.near_duplicate, seed)
    return {"dev": dev, "test": test, **cleaned.given, "train": train}


def _known(examples: Sequence[Example], labels: set[str], dropped: _Dropped) -> list[Example]:
    return _keep(examples, lambda example: example.label in labels, "label not in train", dropped)


def _keep(
    examples: Iterable[Example], good: Callable[[Example], bool], reason: str, dropped: _Dropped
) -> list[Example]:
    kept = []
    for example in examples:
        if good(example):
            kept.append(example)
        else:
            dropped[reason].append(example)
    return kept


def _check_classes(cleaned: Cleaned) -> None:
    sizes = Counter(example.label for example in cleaned.train)
    unlabelled = many_without_label(cleaned.left_out, cleaned.rows)
    filled = f"{unlabelled} write the label in every row, or " if unlabelled else ""
    if len(sizes) < 2:
        there = ", ".join(map(repr, sizes)) or "none"
        lost = list(map(repr, lost_classes(sizes, cleaned.left_out)))
        less = f", no row of {first_few(lost, _CLASSES_NAMED)}" if lost else ""
        what = f"training needs two classes or more, and after cleaning there is {there}{less}"
        cure = "mend the rows left out (gm-distill audit --left-out left_out.csv)" if lost else "add others"
        raise DataError(f"{cleaned.path}: {what}; {filled}{cure}")
    single = [repr(label) for label, size in sizes.items() if size == 1]
    if cleaned.path.is_file() and single:
        cure = "correct mistyped labels, add rows, merge classes, or give a folder with train, dev and test"
        raise DataError(f"{cleaned.path}: {_are_single(single)} after cleaning, which cannot be split; {filled}{cure}")


def _are_single(labels: Sequence[str]) -> str:
    if len(labels) == 1:
        return f"class {labels[0]} has one row"
    return f"{len(labels)} classes ({first_few(labels, _CLASSES_NAMED)}) have one row each"


def _no_rows(path: Path, name: str, given: bool, tied: bool) -> DataError:
    """Return the refusal of an empty split; ``tied``: it has rows where near-duplicates need not stay together."""
    if given:
        return DataError(f"{path}: no row of {name} has a text and a class that train has; mend the {name} file")
    if tied:
        why = "the texts are so alike that they share one split"
        cure = "set data.near_duplicate=1, which ties only equal ones"
        return DataError(f"{path}: no rows for {name}, because {why}; give a {name} file, or {cure}")
    return DataError(f"{path}: no rows for {name}; add rows, raise data.{name}_share, or give a {name} file")


def _fingerprint(*splits: Sequence[Example]) -> str:
    digest = hashlib.sha256()
    for examples in splits:
        for example in examples:
            digest.update(json.dumps([example.text, example.label]).encode("ascii") + b"\n")
        digest.update(b"\n")
    return digest.hexdigest()
