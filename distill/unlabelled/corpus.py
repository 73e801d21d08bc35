"""An unlabelled corpus: read from files of many kinds, cleaned, without duplicates, written in shards.

Texts stream through one after another. Memory does not grow with their lengths; it grows by 12 to 24 bytes
for each text kept (exact duplicates) and by about 262 bytes for each text of the window and each that is
excluded (near-duplicates): at most 24 MB per million lines kept, and 262 MB for the default window of a million.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from itertools import chain, count, islice
from pathlib import Path
from typing import Any

from distill.unlabelled.hash_set import HashSet, text_hash
from distill.unlabelled.near_duplicates import NearDuplicates
from runtime.errors import ConfigError, DataError
from runtime.files import atomic_path, write_json
from runtime.tables import EVERY_SHEET, read_table, sheet_of
from runtime.text import normalise
from runtime.text_files import read_lines

SHARDS = "shard-*.txt"
"""Pattern of the names of the shards."""
_REPORT = "report.json"
# Signatures are computed for this many characters at a time.
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Cleaning:
    """What stays in the corpus.

    Attributes:
        min_chars: shortest text, in characters after normalisation.
        max_chars: longest text.
        min_han: least share of Chinese characters among the letters of a text, 0.0 (all languages) to 1.0.
        near_duplicate: similarity (Jaccard of character 1- and 2-grams) to a text before it, or to an excluded
            one, from which a text is left out; 1.0 leaves out exact duplicates only.
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

    ``option`` is what the user sets to name another column, for the message.

    Raises:
        DataError: the file cannot be read, is not what its suffix says, or has no such column.
        ConfigError: the encoding is unknown, or a package that reads this format is missing.
    """
    if path.name.lower().endswith((".txt", ".txt.gz")):
        yield from read_lines(path, encoding)
        return
    for row in read_table(path, encoding, {text_column: option}, sheet_of(path, EVERY_SHEET)):
        yield row.text(text_column)


def clean_corpus(texts: Iterable[str], out: Path, config: Cleaning, excluded: Iterable[str] = ()) -> dict[str, Any]:
    """Normalise and filter ``texts``, write the shards and ``report.json`` of them into ``out``.

    The same texts give the same bytes. Of similar texts the first stays. ``out`` appears when all of it is
    written, and takes the place of an older corpus.

    Args:
        texts: as read, one after another.
        out: the folder to write; new, empty, or an older corpus and nothing beside it.
        config: what stays.
        excluded: texts that must not be in the corpus, as those of a test set, nor any that is similar to one.

    Returns:
        The report: ``read``, ``kept``, ``characters``, ``dropped`` by reason, ``settings``, and name, lines,
        bytes and SHA-256 of each shard.

    Raises:
        ConfigError: ``out`` holds something else.
        DataError: no text is left, or ``out`` cannot be written.
    """
    _check_out(out)
    tally = _Tally()
    forbidden = _Excluded(excluded, config.near_duplicate)
    kept = _without_near_duplicates(_without_duplicates(texts, config, forbidden, tally), config, forbidden, tally)
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


class _Excluded:
    """Texts that must not be in the corpus.

    Attributes:
        hashes: of them, normalised.
    """

    def __init__(self, texts: Iterable[str], threshold: float) -> None:
        self.hashes = HashSet()
        # All of them are remembered, however many texts come after.
        self._similar = NearDuplicates(threshold, sys.maxsize) if threshold < 1 else None
        for chunk in _chunks(filter(None, map(normalise, texts))):
            for text in chunk:
                self.hashes.add(text_hash(text))
            if self._similar:
                self._similar.remember(chunk)

    def unlike(self, texts: list[str]) -> list[str]:
        """Return those of normalised ``texts`` that are not similar to one of them."""
        if not self._similar or not len(self.hashes):
            return texts
        return [text for text, known in zip(texts, self._similar.known(texts), strict=True) if not known]


def han_share(text: str) -> float:
    """Return the share of Chinese characters among the letters of ``text``; 0.0 if it has none."""
    letters = [character for character in text if character.isalpha()]
    return sum(map(_is_han, letters)) / len(letters) if letters else 0.0


def _is_han(character: str) -> bool:
    # The ideographs of the basic plane with extension A and the compatibility ones, and those beyond.
    return "\u3400" <= character <= "\u9fff" or "\uf900" <= character <= "\ufaff" or character >= "\U00020000"


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


def _without_duplicates(texts: Iterable[str], config: Cleaning, forbidden: _Excluded, tally: _Tally) -> Iterator[str]:
    checks = _checks(config)
    seen = HashSet()
    for text in map(normalise, texts):
        tally.read += 1
        reason = next((reason for reason, fails in checks.items() if fails(text)), None)
        if reason is None:
            number = text_hash(text)
            reason = "excluded" if number in forbidden.hashes else None if seen.add(number) else "duplicate"
        if reason is None:
            yield text
        else:
            tally.dropped[reason] += 1


def _checks(config: Cleaning) -> dict[str, Callable[[str], bool]]:
    """Return what may be wrong with a normalised text, by reason, cheap checks first."""
    return {
        "empty": lambda text: not text,
        "too short": lambda text: len(text) < config.min_chars,
        "too long": lambda text: len(text) > config.max_chars,
        "other language": lambda text: config.min_han > 0 and han_share(text) < config.min_han,
    }


def _without_near_duplicates(
    texts: Iterator[str], config: Cleaning, forbidden: _Excluded, tally: _Tally
) -> Iterator[str]:
    index = NearDuplicates(config.near_duplicate, config.window) if config.near_duplicate < 1 else None
    for candidates in _chunks(texts):
        chunk = forbidden.unlike(candidates)
        if len(chunk) < len(candidates):
            tally.dropped["nearly excluded"] += len(candidates) - len(chunk)
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
