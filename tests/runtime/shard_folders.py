"""Folders of shards for tests, and what came of them."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

from runtime.bundles.bundle import Bundle
from runtime.folders.shards import Job
from tests.runtime.small_bundles import TEXTS


def write_shard(path: Path, texts: Sequence[str]) -> Path:
    """Write a CSV or JSON Lines shard whose rows are numbered, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [{"no": f"{path.stem}-{number}", "text": text} for number, text in enumerate(texts)]
    with path.open("w", encoding="utf-8", newline="") as stream:
        if path.suffix == ".jsonl":
            stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        else:
            writer = csv.DictWriter(stream, ["no", "text"])
            writer.writeheader()
            writer.writerows(rows)
    return path


def write_shards(folder: Path, shards: int = 3, rows: int = len(TEXTS)) -> Path:
    """Write ``shards`` CSV files of ``rows`` rows and return the folder."""
    for number in range(shards):
        write_shard(folder / f"part-{number}.csv", [TEXTS[row % len(TEXTS)] for row in range(rows)])
    return folder


def job(bundle: Path, folder: Path, *, column: str = "text", top_k: int = 1, jsonl: bool = False) -> Job:
    """Return the job that writes the answers beside ``folder``."""
    out = folder.with_name("answers")
    return Job(folder, out, Bundle.open(bundle).info.sha256, column=column, top_k=top_k, jsonl=jsonl)


def answers(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file of answers."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def visible(folder: Path) -> list[str]:
    """Return the names of what lies in a folder, receipts left out."""
    return sorted(path.name for path in folder.iterdir() if path.name != ".gm-classify")
