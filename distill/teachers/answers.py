"""What finished teachers answer together about many texts, asked once and read in every epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Batch as GraphBatch

from distill.config.gate_mixup import GateMixupRecipe
from distill.config.language_model import FinetuneRecipe
from distill.graphs.graph import GraphBuilder
from distill.lm.folder import FrozenLM, read_finetuned, read_frozen
from distill.lm.node_states import graphs_with_states
from distill.lm.teacher_cache import teacher_logits
from distill.models.gnn_teacher import GNNTeacher
from distill.runs.fingerprints import file_fingerprint, refuse_other_data
from distill.runs.run_folder import RunFolder
from distill.training.batches import Graphs
from distill.training.predict import student_logits
from runtime.errors import ConfigError, DataError
from runtime.files import atomic_path

Answers = Callable[[Sequence[str]], Tensor]
"""Turns texts into logits ``[n, C]`` on the CPU."""

# The graphs of at most this many texts are held at a time.
_CHUNK = 4096
_BATCH = 256


class Teachers:
    """Some finished folders that answer together, one vote each.

    Args:
        folders: as ``gm-distill finetune`` and ``gm-distill run`` wrote them.
        data_fingerprint: of the corpus that the student learns.
        device: where the networks compute.

    Attributes:
        sha256: of the weights in all folders.

    Raises:
        ConfigError: one learned other data, and may know labels of dev and test; or the language model that a graph
            network learned with is not there.
        DataError: one is no such folder, or a part is missing or damaged.
    """

    def __init__(self, folders: Sequence[str], data_fingerprint: str, device: torch.device) -> None:
        paths = [Path(folder) for folder in folders]
        self.voters = [_networks(path, data_fingerprint, device) for path in paths]
        self.sha256 = file_fingerprint([file for path in paths for file in RunFolder(path).weights()])

    def answer(self, texts: Sequence[str]) -> Tensor:
        """Return ``[n, C]``, the logarithms of the mean probabilities of all folders."""
        return torch.cat([self._vote(texts[start : start + _CHUNK]) for start in range(0, len(texts), _CHUNK)])

    def _vote(self, texts: Sequence[str]) -> Tensor:
        votes = [torch.stack([network(texts).softmax(1) for network in networks]).mean(0) for networks in self.voters]
        # Where all are sure beyond what float32 holds, the logarithm stays finite.
        return torch.stack(votes).mean(0).clamp_min(torch.finfo(torch.float32).tiny).log()


def cached_answers(
    folder: Path, teachers: Teachers, texts: Sequence[str], report: Callable[[int], None] = lambda texts: None
) -> Tensor:
    """Return the teachers' answers ``[n, C]`` to ``texts``, from ``folder`` if they were asked before.

    Args:
        folder: where they are kept, in parts, for one choice of teachers and one list of texts.
        teachers: are asked.
        texts: as read.
        report: is told how many texts are done.

    Raises:
        DataError: a part is damaged.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parts = []
    for start in range(0, len(texts), _CHUNK):
        path = folder / f"answers-{start}.npy"
        if not path.is_file():
            answers = teachers.answer(texts[start : start + _CHUNK]).numpy()
            with atomic_path(path) as temporary, temporary.open("wb") as stream:
                np.save(stream, answers)
            report(min(start + _CHUNK, len(texts)))
        parts.append(_read(path))
    return torch.cat(parts)


def _networks(folder: Path, data_fingerprint: str, device: torch.device) -> list[Answers]:
    """Return the networks of one folder, unless it learned other data."""
    run = RunFolder(folder)
    recipe = run.recipe()  # First, because it gives the best message for a folder that is not a run.
    refuse_other_data(folder, run.data_fingerprint(), data_fingerprint)
    if isinstance(recipe, FinetuneRecipe):
        finetuned = read_finetuned(folder, recipe.lm.max_len)
        return [lambda texts: teacher_logits(finetuned, texts, device)]
    student, tokenizer = run.student().to(device), run.tokenizer()
    networks: list[Answers] = [lambda texts: torch.from_numpy(student_logits(student, tokenizer, texts))]
    return [*networks, _graph_teacher(run, recipe, device)] if isinstance(recipe, GateMixupRecipe) else networks


def _graph_teacher(run: RunFolder, recipe: GateMixupRecipe, device: torch.device) -> Answers:
    """Return the graph network of a run, with the language model that gives its nodes their states, if it has one."""
    teacher, builder = run.teacher().to(device), GraphBuilder.load(run.nodes)
    if recipe.teacher.features == "ids":
        return lambda texts: _graph_logits(teacher, builder, texts)
    lm = _language_model(run, recipe)

    def answer(texts: Sequence[str]) -> Tensor:
        with TemporaryDirectory() as folder:
            states = Path(folder) / "states"
            # Not named: Windows removes no file that is still mapped.
            return _graph_logits(teacher, graphs_with_states(builder, lm, texts, states, device), texts)

    return answer


@torch.no_grad()
def _graph_logits(teacher: GNNTeacher, graphs: Graphs, texts: Sequence[str]) -> Tensor:
    """Return float32 logits ``[n, C]`` on the CPU of a graph teacher in evaluation mode, in the order of the texts."""
    device = teacher.head.weight.device
    built = [graphs.build(text) for text in texts]
    batches = (GraphBatch.from_data_list(built[start : start + _BATCH]) for start in range(0, len(built), _BATCH))
    return torch.cat([teacher(batch.to(device)).float().cpu() for batch in batches])


def _language_model(run: RunFolder, recipe: GateMixupRecipe) -> FrozenLM:
    """Return the language model that the graph network of a run learned with, and no other."""
    path = Path(recipe.teacher.lm)
    lm = read_frozen(path, run.data_fingerprint(), recipe.graph.max_len) if path.is_dir() else None
    if lm is None or lm.sha256 != run.environment().get("lm_sha256"):
        raise ConfigError(
            f"{run.path} learned with the language model {path}, which is not there or is another by now; put it back, "
            "or run where it was trained"
        )
    return lm


def _read(path: Path) -> Tensor:
    try:
        return torch.from_numpy(np.load(path, allow_pickle=False))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is damaged; remove it, then go on with --resume") from error
