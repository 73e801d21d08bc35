"""Class names and their ids: an id is the place of the name among the labels of the run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from runtime.errors import DataError

if TYPE_CHECKING:
    from distill.runs.run_folder import RunFolder


def label_ids(labels: Iterable[str], names: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return the class ids ``[n]`` of ``labels``, each of which is one of ``names``."""
    ids = {name: class_id for class_id, name in enumerate(names)}
    return np.array([ids[label] for label in labels], dtype=np.int64)


def refuse_strange_classes(run: RunFolder, found: Iterable[str], names: Sequence[str], what: str = "class") -> None:
    """Refuse stored predictions that do not belong to the classes stored beside them.

    Args:
        run: holds both.
        found: classes in the predictions.
        names: the classes of ``labels.json``.
        what: how the message calls one that is found.

    Raises:
        DataError: one of ``found`` is none of ``names``.
    """
    strange = {*found} - {*names}
    if strange:
        first = min(strange, key=str)
        raise DataError(f"{run.path / 'predictions'}: {what} {first!r} is not in labels.json; train again")
