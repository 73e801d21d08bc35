"""The run folder: what a training run leaves behind, written and read in one place.

::

    recipe.toml  labels.json  tokenizer.json  environment.json  metrics.jsonl
    student/{model.safetensors,config.json}
    teacher/{model.safetensors,config.json,nodes.json}
    predictions/{dev,test}.jsonl
    learned.json     hashes of the texts of train and dev
    left_out.csv     only if rows of the data were left out
    report.html      only if 'gm-distill report' wrote it
    checkpoint/      only while the run is unfinished; also holds the lock of the process that trains

Weights are safetensors, the rest is JSON or TOML: reading a run folder never runs code from it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from distill.config.gate_mixup import TeacherConfig
from distill.config.methods import AnyRecipe, read_any_recipe
from distill.config.recipe import BaseRecipe, method_of
from distill.config.sections import StudentConfig
from distill.data.corpus import Example, LeftOut
from distill.data.summary import write_left_out
from distill.models.student import Student
from distill.unlabelled.hash_set import text_hash
from runtime.errors import BundleError, ConfigError, DataError
from runtime.files import write_bytes, write_json, write_text
from runtime.text import normalise
from runtime.tokenizer import CharTokenizer

if TYPE_CHECKING:
    from distill.models.gnn_teacher import GNNTeacher

_Kind = TypeVar("_Kind")
_Module = TypeVar("_Module", bound=nn.Module)


@dataclass(frozen=True, slots=True)
class PredictionRow:
    """The prediction of the final network of a run, in fp32, for one example: a student, or a language model.

    Attributes:
        text: the text as it stood in the data.
        label: its class in the data.
        predicted: the class with the largest logit.
        score: softmax probability of that class.
        logits: one for each label, in the order of ``labels.json``.
    """

    text: str
    label: str
    predicted: str
    score: float
    logits: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Reads and writes the parts of one run.

    Every reading method raises ``DataError``, naming the file, when the part is missing or broken.
    """

    path: Path

    @property
    def finished(self) -> bool:
        """Whether the run came to its end: what it ran on is written last."""
        return self.environment_file.exists()

    @property
    def recipe_file(self) -> Path:
        """What :meth:`recipe` reads; the first file of a run."""
        return self.path / "recipe.toml"

    @property
    def environment_file(self) -> Path:
        """What :meth:`environment` reads."""
        return self.path / "environment.json"

    @property
    def checkpoint(self) -> Path:
        """Where an unfinished run keeps its state."""
        return self.path / "checkpoint"

    @property
    def nodes(self) -> Path:
        """Node vocabulary of the teacher's graphs."""
        return self.path / "teacher" / "nodes.json"

    def weights(self) -> list[Path]:
        """Return the weights of its networks, but not those of another run whose folder lies in this one."""
        parts = (self.path, *(self.path / name for name in ("encoder", "student", "teacher")))
        return sorted(file for part in parts for file in part.glob("*.safetensors"))

    @property
    def left_out(self) -> Path:
        """The rows of the data that the run does not learn from, where there are any."""
        return self.path / "left_out.csv"

    @property
    def learned_file(self) -> Path:
        """What :meth:`learned` reads."""
        return self.path / "learned.json"

    def recipe(self) -> AnyRecipe:
        """Return the resolved recipe of the run."""
        if not self.recipe_file.is_file():
            raise DataError(f"{self.path} is not a run folder: it has no recipe.toml; make one with 'gm-distill run'")
        if named_method(self.path) == "pretrain":
            what = f"{self.path} holds a pretrained language model, which knows no classes"
            raise DataError(f"{what}; teach it yours: gm-distill finetune --lm {self.path} --data ...")
        try:
            return read_any_recipe(self.recipe_file)
        except ConfigError as error:
            raise damaged(self.recipe_file, str(error)) from error

    def labels(self) -> tuple[str, ...]:
        """Return the class names; their order is that of the logits."""
        path = self.path / "labels.json"
        names = _read_json(path, list)
        if not all(isinstance(name, str) for name in names):
            raise damaged(path, "it is not a list of class names")
        return tuple(names)

    def tokenizer(self) -> CharTokenizer:
        """Return the student's tokeniser."""
        if not self._tokenizer_file.is_file():
            raise _missing(self._tokenizer_file)
        try:
            return CharTokenizer.load(self._tokenizer_file)
        except BundleError as error:
            raise damaged(self._tokenizer_file, "it is not a character vocabulary") from error

    def student(self) -> Student:
        """Return the best student, on the CPU and in evaluation mode; it has a logit for each of the labels."""

        def build(stored: dict[str, Any]) -> Student:
            return Student(StudentConfig.model_validate(stored["student"]), stored["vocabulary"], stored["classes"])

        student, names = self._network("student", build), len(self.labels())
        if names != student.head.out_features:
            told = (
                f"it names {names} classes and the student knows {student.head.out_features}: they are not of one run"
            )
            raise damaged(self.path / "labels.json", told)
        return student

    def teacher(self) -> GNNTeacher:
        """Return the best graph teacher, on the CPU and in evaluation mode."""
        from distill.models.gnn_teacher import GNNTeacher  # Only here: export reads runs too, and needs no graphs.

        def build(stored: dict[str, Any]) -> GNNTeacher:
            config = TeacherConfig.model_validate(stored["teacher"])
            # Runs of older releases had no features, and so no width of them.
            return GNNTeacher(config, stored["nodes"], stored["classes"], stored.get("feature_width", 0))

        return self._network("teacher", build)

    def _network(self, name: str, build: Callable[[dict[str, Any]], _Module]) -> _Module:
        """Return what ``build`` makes of the ``config.json`` in the folder ``name``, with the weights beside it."""
        config = self.path / name / "config.json"
        stored = _read_json(config, dict)
        try:
            model = build(stored)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise damaged(config, f"it does not describe a {name}") from error
        _load_weights(model, self.path / name / "model.safetensors")
        return model.eval()

    def predictions(self, split: str) -> list[PredictionRow]:
        """Return the predictions for the split ``dev`` or ``test``, in the order of the data."""
        path = self.path / "predictions" / f"{split}.jsonl"
        return [_prediction(row, path, line) for line, row in enumerate(_read_json_lines(path), start=1)]

    def environment(self) -> dict[str, Any]:
        """Return seed, device, versions, data fingerprint and sizes, and the time the run took."""
        return _read_json(self.environment_file, dict)

    def data_fingerprint(self) -> str:
        """Return the fingerprint of the texts that the run learned and of how they were split."""
        fingerprint = self.environment().get("data_fingerprint")
        if not isinstance(fingerprint, str):
            raise damaged(self.environment_file, "it does not say by data_fingerprint what data were learned")
        return fingerprint

    def learned(self) -> frozenset[int] | None:
        """Return :func:`learned_hash` of the texts that the run learned with their labels, or was chosen by.

        ``None`` for a run of an older release, which kept no hashes.
        """
        if not self.learned_file.exists():
            return None
        try:
            return frozenset(int(number, 16) for number in _read_json(self.learned_file, list))
        except (TypeError, ValueError) as error:
            raise damaged(self.learned_file, "it is not a list of hashes") from error

    def metrics(self) -> list[dict[str, Any]]:
        """Return the events of the run: epochs, rounds and the final scores, in order."""
        return _read_json_lines(self.path / "metrics.jsonl")

    def save_recipe(self, recipe: BaseRecipe) -> None:
        """Write the resolved recipe.

        Raises:
            ConfigError: a path in it holds bytes that are no UTF-8, as Python passes them on from the command line.
        """
        refuse_strange_names(recipe)
        write_text(self.recipe_file, recipe.to_toml())

    def save_left_out(self, rows: LeftOut) -> None:
        """Write which rows of the data are left out and why; where there are none, there is no file."""
        if not rows:
            # An earlier try may have left a file, before the data were mended.
            self.left_out.unlink(missing_ok=True)
            return
        write_left_out(self.left_out, rows)

    def save_labels(self, labels: Sequence[str]) -> None:
        """Write the class names in the order of the logits."""
        write_json(self.path / "labels.json", list(labels))

    def save_learned(self, examples: Iterable[Example]) -> None:
        """Write hashes of the texts that the run learned with their labels, or was chosen by."""
        write_json(self.learned_file, [f"{number:016x}" for number in sorted(learned_hashes(examples))])

    def save_tokenizer(self, tokenizer: CharTokenizer) -> None:
        """Write the student's tokeniser."""
        tokenizer.save(self._tokenizer_file)

    def save_student(self, student: Student) -> None:
        """Write weights and sizes of the student."""
        config = {
            "student": student.config.model_dump(),
            "vocabulary": student.characters.num_embeddings,
            "classes": student.head.out_features,
        }
        write_json(self.path / "student" / "config.json", config)
        _save_weights(student, self.path / "student" / "model.safetensors")

    def save_teacher(
        self, teacher: nn.Module, config: TeacherConfig, nodes: int, classes: int, feature_width: int
    ) -> None:
        """Write weights and sizes of the teacher; its nodes are saved by the graph builder."""
        stored = {"teacher": config.model_dump(), "nodes": nodes, "classes": classes, "feature_width": feature_width}
        write_json(self.path / "teacher" / "config.json", stored)
        _save_weights(teacher, self.path / "teacher" / "model.safetensors")

    def save_predictions(self, split: str, rows: Iterable[PredictionRow]) -> None:
        """Write the predictions for one split."""
        objects = (
            {
                "text": row.text,
                "label": row.label,
                "predicted": row.predicted,
                "score": row.score,
                "logits": row.logits,
            }
            for row in rows
        )
        _write_json_lines(self.path / "predictions" / f"{split}.jsonl", objects)

    def save_environment(self, environment: dict[str, Any]) -> None:
        """Write what the run ran on and on what data; from now on it is :attr:`finished`."""
        write_json(self.environment_file, environment)

    def remove_checkpoint(self) -> None:
        """Remove the state of an unfinished run, as far as the system allows."""
        shutil.rmtree(self.checkpoint, ignore_errors=True)

    def save_metrics(self, events: Iterable[dict[str, Any]]) -> None:
        """Write all events so far."""
        _write_json_lines(self.path / "metrics.jsonl", events)

    @property
    def _tokenizer_file(self) -> Path:
        return self.path / "tokenizer.json"


def learned_hash(text: str) -> int:
    """Return the hash that stands for a text, whatever its width and case, in ``learned.json``."""
    return text_hash(normalise(text))


def learned_hashes(examples: Iterable[Example]) -> frozenset[int]:
    """Return the :func:`learned_hash` of each text."""
    return frozenset(learned_hash(example.text) for example in examples)


def refuse_strange_names(recipe: BaseRecipe) -> None:
    """Refuse a recipe that no file can hold.

    Raises:
        ConfigError: a path in it holds bytes that are no UTF-8, as Python passes them on from the command line.
    """
    strange = next((line for line in recipe.to_toml().split("\n") if not _is_unicode(line)), None)
    if strange is not None:
        raise ConfigError(f"a recipe cannot hold names that are no UTF-8: {strange!r}; rename the file or folder")


def _save_weights(model: nn.Module, path: Path) -> None:
    write_bytes(path, save({name: tensor.contiguous() for name, tensor in model.state_dict().items()}))


def _load_weights(model: nn.Module, path: Path) -> None:
    try:
        model.load_state_dict(load_file(path))
    except FileNotFoundError as error:
        raise _missing(path) from error
    except (OSError, SafetensorError, RuntimeError) as error:
        raise damaged(path, "its tensors are not those of its config.json") from error


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise _missing(path) from error
    except (OSError, UnicodeDecodeError) as error:
        raise damaged(path, "it cannot be read as UTF-8") from error


def _read_json(path: Path, kind: type[_Kind]) -> _Kind:
    try:
        stored = json.loads(_read_text(path))
    except ValueError as error:
        raise damaged(path, "it is not JSON") from error
    if not isinstance(stored, kind):
        raise damaged(path, f"it is not a JSON {'list' if kind is list else 'object'}")
    return stored


def _read_json_lines(path: Path) -> list[dict[str, Any]]:
    # Not splitlines(): a text may hold U+2028 or U+0085, which JSON leaves as they are.
    lines = _read_text(path).split("\n")
    try:
        rows = [json.loads(line) for line in lines if line]
    except ValueError as error:
        raise damaged(path, "a line of it is not JSON") from error
    if not all(isinstance(row, dict) for row in rows):
        raise damaged(path, "a line of it is not a JSON object")
    return rows


def _write_json_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    write_text(path, "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows))


def _prediction(row: dict[str, Any], path: Path, line: int) -> PredictionRow:
    try:
        logits = tuple(float(value) for value in row["logits"])
        return PredictionRow(row["text"], row["label"], row["predicted"], float(row["score"]), logits)
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(path, f"line {line} is not a prediction") from error


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _missing(path: Path) -> DataError:
    run = path.parent if RunFolder(path.parent).recipe_file.is_file() else path.parent.parent
    method = named_method(run)
    if not RunFolder(run).finished:
        command = f"gm-distill {'finetune' if method == 'finetune' else 'run'} --out {run} --resume"
        return DataError(f"{path} is missing: the run is not finished; go on with '{command}'")
    if method == "finetune" and path.relative_to(run).parts[0] in ("student", "tokenizer.json"):
        what = f"{run} holds a fine-tuned language model and no student"
        return DataError(f"{what}; train one with 'gm-distill run --teacher {run} --data ...'")
    return DataError(f"{path} is missing, though the run is finished; copy the folder again, or train again")


def damaged(path: Path, what: str) -> DataError:
    """Return the error that says what is wrong with a part of a run folder."""
    return DataError(f"{path} is damaged: {what}; copy the folder again, or train again")


def named_method(run: Path) -> str:
    """Return the method that the recipe of a folder names, unchecked; nothing where the recipe cannot be read."""
    try:
        return method_of(RunFolder(run).recipe_file)
    except ConfigError:
        return ""
