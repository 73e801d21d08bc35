"""An unlabelled corpus: read from files of many kinds, cleaned, without duplicates, written in shards.

Texts stream through one after another. Memory does not grow with their lengths; it grows by 12 to 24 bytes
for each text kept (exact duplicates) and by about 262 bytes for each text of the window (near-duplicates): at most
24 MB per million lines kept, and 262 MB for the default window of a million. Those that are excluded are few: each
takes about 300 bytes a character, and time.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from itertools import chain, count, islice
from pathlib import Path
from typing import Any

from distill.data.similarity import SimilarTexts
from distill.unlabelled.hash_set import HashSet, text_hash
from distill.unlabelled.near_duplicates import NearDuplicates
from runtime.errors import ConfigError, DataError
from runtime.files import atomic_path, write_json
from runtime.tables.rows import EVERY_SHEET, read_table, sheet_of
from runtime.tables.text_files import read_lines
from runtime.text import normalise

SHARDS = "shard-*.txt"
"""Pattern of the names of the shards."""
_REPORT = "report.json"
# Predictions of a run have their texts in it.
_OUR_COLUMN = "text"
# Signatures are computed for this many characters at a time.
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Cleaning:
    """What stays in the corpus.

    Attributes:
        min_chars: shortest text, in characters after normalisation.
        max_chars: longest text.
        min_han: least share of Chinese characters among the letters of a text, 0.0 (all languages) to 1.0.
        near_duplicate: similarity (Jaccard of character 1- and 2-grams) to a text before it, as
            :class:`distill.unlabelled.near_duplicates.NearDuplicates` estimates it, or to an excluded one, exactly,
            from which a text is left out; 1.0 leaves out exact duplicates only.
        window: near-duplicates are looked for among this many texts that came last.
        shard_lines: most texts in a shard.
    """

    min_chars: int = 2
    max_chars: int = 20_000
    min_han: float = 0.3
    near_duplicate: float = 0.9
    window: int = 1_000_000
    shard_lines: int = 1_000_000


def read_texts(
    path: Path, text_column: str = "text", encoding: str = "", option: str = "--text-column NAME"
) -> Iterator[str]:
    """Yield the texts of a file: the lines of ``.txt``, or one column of a table (``.jsonl``, ``.csv``, …).

    Of a workbook, all sheets that have the column are read.

    ``option`` is what the user sets to name another column, for the message. A shard may be UTF-8 whatever the
    encoding: 'gm-distill corpus' writes them so.

    Raises:
        DataError: the file cannot be read, is not what its suffix says, or has no such column.
        ConfigError: the encoding is unknown, or a package that reads this format is missing.
    """
    if fnmatchcase(path.name, SHARDS):
        encoding = _utf_8_or(path, encoding)
    if path.name.lower().endswith((".txt", ".txt.gz")):
        yield from read_lines(path, encoding)
        return
    for row in read_table(path, encoding, {text_column: option}, sheet_of(path, EVERY_SHEET)):
        yield row.text(text_column)


def read_further_texts(path: Path, text_column: str, encoding: str) -> Iterator[str]:
    """Yield the texts of a file that comes beside the user's own, as the predictions of a run do.

    Column and encoding are those of the user's own files: a table without that column gives its column ``text``, and
    a file is read in that encoding only where it is not UTF-8. Else an encoding that can read any file, as Latin-1,
    would make nonsense of it, and none of these texts would be found again.

    Raises:
        DataError: as :func:`read_texts`.
        ConfigError: likewise.
    """
    encoding = _utf_8_or(path, encoding)
    if not _has_column(path, text_column, encoding) and _has_column(path, _OUR_COLUMN, encoding):
        text_column = _OUR_COLUMN
    return read_texts(path, text_column, encoding)


def clean_corpus(texts: Iterable[str], out: Path, config: Cleaning, excluded: Iterable[str] = ()) -> dict[str, Any]:
    """Normalise and filter ``texts``, write the shards and ``report.json`` of them into ``out``.

    The same texts give the same bytes. Of similar texts the first stays. ``out`` appears when all of it is
    written, and takes the place of an older corpus.

    Args:
        texts: as read, one after another.
        out: the folder to write; new, empty, or an older corpus and nothing beside it.
        config: what stays.
        excluded: few texts that must not be in the corpus, as those of a test set, nor any that is similar to one.
            None is missed, and all are compared, whatever the window.

    Returns:
        The report: ``read``, ``kept``, ``characters``, ``dropped`` by reason, ``settings``, and name, lines,
        bytes and SHA-256 of each shard.

    Raises:
        ConfigError: ``out`` holds something else.
        DataError: no text is left, or ``out`` cannot be written.
    """
    _check_out(out)
    tally = _Tally()
    checks = _checks(config, {text for text in map(normalise, excluded) if text})
    kept = _without_near_duplicates(_checked(texts, checks, tally), config, tally)
    with atomic_path(out) as folder:
        folder.mkdir()
        shards = list(_write_shards(kept, folder, config.shard_lines))
        if not shards:
            raise DataError(f"no text is left of {tally.read}: {_listed(tally.dropped)}; loosen the filters")
        report = {
            "read": tally.read,
            "kept": sum(shard["lines"] for shard in shards),
            "characters": tally.characters,
            "dropped": dict(sorted(tally.dropped.items())),
            "settings": asdict(config),
            "shards": shards,
        }
        write_json(folder / _REPORT, report)
    return report


class _Tally:
    def __init__(self) -> None:
        self.read = self.characters = 0
        self.dropped: Counter[str] = Counter()


def han_share(text: str) -> float:
    """Return the share of Chinese characters among the letters of ``text``; 0.0 if it has none."""
    letters = [character for character in text if character.isalpha()]
    return sum(map(_is_han, letters)) / len(letters) if letters else 0.0


def _is_han(character: str) -> bool:
    # The ideographs of the basic plane with extension A and the compatibility ones, and those beyond.
    return "\u3400" <= character <= "\u9fff" or "\uf900" <= character <= "\ufaff" or character >= "\U00020000"


def _utf_8_or(path: Path, encoding: str) -> str:
    """Return UTF-8 where all of a file is that, else ``encoding``; where that is empty, nothing needs to be tried."""
    if not encoding:
        return ""
    try:
        for _ in read_lines(path, "utf-8"):
            pass
    except DataError:
        return encoding
    return "utf-8"


def _has_column(path: Path, name: str, encoding: str) -> bool:
    try:
        return bool(read_table(path, encoding, {name: ""}, sheet_of(path, EVERY_SHEET)).columns)
    except DataError:  # also of what is no table
        return False


def _check_out(out: Path) -> None:
    if out.is_file():
        raise ConfigError(f"{out} is a file; name a folder with --out")
    # All that lies there is replaced: it must be what an earlier corpus left, and nothing of somebody else's.
    others = sorted({path.name for path in out.iterdir()} - _written(out)) if out.is_dir() else []
    if others:
        raise ConfigError(
            f"{out} is not empty and holds no corpus, or more than that: {others[0]}; choose another --out"
        )


def _written(folder: Path) -> set[str]:
    """Return the names of what :func:`clean_corpus` wrote there, by the report; none if that is not its own."""
    try:
        report = json.loads((folder / _REPORT).read_text(encoding="utf-8"))
        shards = {str(shard["file"]) for shard in report["shards"]}
    except (OSError, ValueError, TypeError, KeyError):
        return set()
    ours = report.keys() >= {"read", "kept", "dropped", "settings"}
    return {_REPORT, *shards} if ours and all(fnmatchcase(name, SHARDS) for name in shards) else set()


def _checked(texts: Iterable[str], checks: dict[str, Callable[[str], bool]], tally: _Tally) -> Iterator[str]:
    for text in map(normalise, texts):
        tally.read += 1
        reason = next((reason for reason, fails in checks.items() if fails(text)), None)
        if reason is None:
            yield text
        else:
            tally.dropped[reason] += 1


def _checks(config: Cleaning, excluded: Collection[str]) -> dict[str, Callable[[str], bool]]:
    """Return what may be wrong with a normalised text, by reason, cheap checks first."""
    seen = HashSet()
    checks: dict[str, Callable[[str], bool]] = {
        "empty": lambda text: not text,
        "too short": lambda text: len(text) < config.min_chars,
        "too long": lambda text: len(text) > config.max_chars,
        "other language": lambda text: config.min_han > 0 and han_share(text) < config.min_han,
        "excluded": excluded.__contains__,
        "duplicate": lambda text: not seen.add(text_hash(text)),
    }
    if excluded and config.near_duplicate < 1:
        checks["nearly excluded"] = SimilarTexts(excluded, config.near_duplicate).any_like
    return checks


def _without_near_duplicates(texts: Iterator[str], config: Cleaning, tally: _Tally) -> Iterator[str]:
    index = NearDuplicates(config.near_duplicate, config.window) if config.near_duplicate < 1 else None
    for chunk in _chunks(texts):
        novel = index.novel(chunk) if index else [True] * len(chunk)
        for text, is_novel in zip(chunk, novel, strict=True):
            if is_novel:
                tally.characters += len(text)
                yield text
            else:
                tally.dropped["near duplicate"] += 1


def _chunks(texts: Iterator[str]) -> Iterator[list[str]]:
    chunk: list[str] = []
    size = 0
    for text in texts:
        chunk.append(text)
        size += len(text)
        if size >= _CHUNK:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _write_shards(texts: Iterator[str], folder: Path, lines: int) -> Iterator[dict[str, Any]]:
    for number in count():
        first = next(texts, None)
        if first is None:
            return
        yield _write_shard(folder / SHARDS.replace("*", f"{number:05d}"), chain([first], islice(texts, lines - 1)))


def _write_shard(path: Path, texts: Iterable[str]) -> dict[str, Any]:
    digest = hashlib.sha256()
    written = size = 0
    with path.open("wb") as stream:
        for text in texts:
            line = text.encode("utf-8") + b"\n"
            stream.write(line)
            digest.update(line)
            written += 1
            size += len(line)
    return {"file": path.name, "lines": written, "bytes": size, "sha256": digest.hexdigest()}


def _listed(dropped: Counter[str]) -> str:
    return ", ".join(f"{number} {reason}" for reason, number in sorted(dropped.items())) or "there was none"


def corpus_files(paths: Sequence[Path]) -> list[Path]:
    """Return the files of ``paths``: the shards of a folder that :func:`clean_corpus` wrote, or the file itself.

    Raises:
        DataError: a folder has no shards.
    """
    files: list[Path] = []
    for path in paths:
        shards = sorted(path.glob(SHARDS)) if path.is_dir() else [path]
        if not shards:
            raise DataError(f"{path} holds no shards; make some with 'gm-distill corpus', or name a file")
        files += shards
    return files
