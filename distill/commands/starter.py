"""The folder to start from: a recipe with every key explained, and a sample of data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from distill.config.gate_mixup import read_gate_mixup
from distill.data.corpus import EXAMPLE_SET
from runtime.errors import ConfigError
from runtime.files import write_text
from runtime.tables.rows import read_table

_ROWS_OF_A_CLASS = 20


def write_starter(folder: Path) -> Path:
    """Write ``recipe.toml`` and ``data.tsv`` into ``folder`` and return the path of the recipe.

    Raises:
        ConfigError: one of the two is there already.
        DataError: the folder cannot be written.
    """
    recipe, data = folder / "recipe.toml", folder / "data.tsv"
    for path in (recipe, data):
        if path.exists():
            raise ConfigError(f"{path} exists and is left as it is; choose another folder")
    write_text(data, "text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in _sample()))
    write_text(recipe, _HEADER + read_gate_mixup(None, ['data.path="data.tsv"']).to_toml())
    return recipe


def _sample() -> Iterator[tuple[str, str]]:
    """Yield the first rows of each class of the example set."""
    seen: Counter[str] = Counter()
    for row in read_table(EXAMPLE_SET):
        text, label = row.values["text"], row.values["label"]
        seen[label] += 1
        if seen[label] <= _ROWS_OF_A_CLASS:
            yield text, label


_HEADER = """\
# Train:             gm-distill run recipe.toml --out run
# Look closer:       gm-distill evaluate run
# Export as INT8:    gm-export --int8 run --out bundle
# Classify:          gm-classify bundle "工业级片碱 氢氧化钠 99%"
#
# A key that is left out has its default. Relative paths count from the folder of this file.

"""
