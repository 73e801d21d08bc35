"""A student built from the layers of a fine-tuned language model (after CN114818902 and TinyBERT).

One run, top to bottom: read labelled and unlabelled texts, ask the teacher about all of them once, build
a student whose characters begin as the teacher's, and train it on hidden states, attention maps,
embeddings and outputs of the teacher and on the labels (Jiao et al. 2020, arXiv:1909.10351). The weights
that are best on the development set are kept; the test set is looked at once, at the end. Keys and
defaults: ``distill/config/language_model.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from distill.config.language_model import LayersConfig, LayersRecipe
from distill.lm.carry_over import carry_over, character_vectors, fit
from distill.lm.folder import read_finetuned
from distill.lm.teacher_cache import Targets, cached, teacher_logits
from distill.models.student import Student
from distill.models.student_layers import StudentLayers, watch
from distill.runs.claim import claimed
from distill.runs.environment import environment
from distill.runs.events import Event, Means, Report
from distill.runs.fingerprints import fingerprint, refuse_other_data
from distill.runs.journal import Journal, clear_checkpoint
from distill.runs.run_data import read_data
from distill.runs.run_folder import RunFolder
from distill.training.batch_rows import epoch_steps, shuffled_rows
from distill.training.device import choose_device, mixed_precision
from distill.training.epochs import Epochs
from distill.training.ids import character_ids, class_ids, hide_characters
from distill.training.imbalance import label_loss_for
from distill.training.losses import attention_loss, distillation_loss, hidden_loss, mean_loss, representation_loss
from distill.training.taught_student import complete, judge, student_trainee
from distill.unlabelled.training_texts import unlabelled_texts
from runtime.errors import ConfigError
from runtime.tokenizer import FIRST_CHARACTER_ID, PAD_ID, CharTokenizer

_NO_LABEL = -1


def train(
    recipe: LayersRecipe, out: Path, device: str = "auto", resume: bool = False, report: Report = lambda event: None
) -> Event:
    """Train by ``recipe`` and leave a run folder in ``out``; torch is set to one CPU thread.

    Args:
        recipe: all keys of the run.
        out: the run folder; new or empty unless ``resume``.
        device: ``auto`` (a GPU if there is one), ``cpu`` or ``cuda``.
        resume: go on where an interrupted run of the same recipe stopped; on the same machine's CPU the
            result is that of an uninterrupted run.
        report: is told every event: texts that the teacher has read, each epoch, and the final scores.

    Returns:
        The ``final`` event: dev and test scores of teacher and student.

    Raises:
        ConfigError: ``out`` is in use, recipe or data are not those of the run to resume, the teacher
            was fine-tuned on other data or has no such layer, no such device.
        DataError: corpus, unlabelled texts or teacher cannot be read, or ``out`` cannot be written.
    """
    if not recipe.lm_layers.teacher:
        raise ConfigError("no teacher is named; give its folder by --teacher FOLDER")
    run = RunFolder(out)
    with claimed(run, recipe, resume):
        torch.set_num_threads(1)
        training = LayerDistillation(recipe, run, choose_device(device), report)
        if resume:
            training.epochs.resume()
        training.epochs.train(training.learn, training.judge)
        final = training.finish()
        del training  # and with it the files that it maps
        clear_checkpoint(run)
        return final


class LayerDistillation:
    """The state of a run, and its phases.

    Args:
        recipe: all keys of the run.
        run: where it is saved.
        device: where the networks live.
        report: is told every event.
    """

    def __init__(self, recipe: LayersRecipe, run: RunFolder, device: torch.device, report: Report) -> None:
        self.recipe, self.run, self.device, settings = recipe, run, device, recipe.training
        self.corpus = read_data(run, recipe.data, settings.seed)
        self.finetuned = read_finetuned(Path(recipe.lm_layers.teacher), recipe.student.max_len)
        refuse_other_data(Path(recipe.lm_layers.teacher), self.finetuned.data_fingerprint, self.corpus.fingerprint)
        labelled = [example.text for example in self.corpus.train]
        texts = [*labelled, *unlabelled_texts(recipe.data, self.corpus).given]
        self.tokenizer = CharTokenizer.from_texts(texts, recipe.student.max_len)
        self.ids = character_ids(texts, self.tokenizer)
        self.labels = torch.full((len(texts),), _NO_LABEL)
        self.labels[: len(labelled)] = class_ids(self.corpus.train, self.corpus.labels)
        train_labels = self.labels[: len(labelled)].to(device)
        self.label_loss = label_loss_for(train_labels, recipe.imbalance, settings.label_smoothing)

        layers = chosen_layers(recipe.lm_layers, recipe.student.layers, self.finetuned.teacher.layers)
        self._build(len(layers))
        steps = settings.epochs * epoch_steps(len(texts), settings.batch_size)
        projections = nn.ModuleList([self.to_hidden, self.to_vectors])
        self.trainee = student_trainee(self.student, projections, settings, steps)
        known = fingerprint(self.corpus.fingerprint, self.finetuned.sha256, texts)
        self.journal = Journal(run, known, report)
        self.epochs = Epochs(self.journal, self.trainee, settings.epochs, settings.patience)

        def asked(done: int) -> None:
            report({"event": "teacher", "texts": done, "of": len(texts)})

        folder = run.checkpoint / f"teacher-{known[:16]}"
        self.targets = cached(folder, self.finetuned, texts, layers, device, asked)

    def learn(self) -> dict[str, float]:
        """Train for one epoch over all texts and return the mean losses."""
        means = Means()
        self.student.train()
        for rows in shuffled_rows([len(ids) for ids in self.ids], self.recipe.training.batch_size):
            parts = self._losses(rows)
            total = torch.stack([weight * parts[name] for name, weight in self._weights().items()]).sum()
            self.trainee.step(total)
            labelled = int((self.labels[list(rows)] != _NO_LABEL).sum())
            for name, part in {"total": total, **parts}.items():
                means.add(labelled if name == "labels" else len(rows), {name: part})
        return means.values()

    def judge(self) -> dict[str, float]:
        """Return the scores of the student on the development set."""
        return judge(self.student, self.tokenizer, self.corpus)

    def finish(self) -> Event:
        """Score the test set, once, complete the run folder and return the ``final`` event."""
        teacher = {"teacher": lambda texts: teacher_logits(self.finetuned, texts, self.device)}
        final = complete(self.run, self.student, self.tokenizer, self.corpus, teacher)
        self.journal.finish(final, self._environment())
        return final

    def _build(self, layers: int) -> None:
        """Make the student and what leads from its states to the teacher's."""
        config, width = self.recipe.student, self.finetuned.teacher.width
        torch.manual_seed(self.recipe.training.seed)
        student = Student(config, self.tokenizer.size, len(self.corpus.labels))
        vectors = character_vectors(self.finetuned, self.tokenizer)
        if self.recipe.lm_layers.carry_embeddings:
            carry_over(student, vectors)
        to_vectors = nn.Linear(config.width, vectors.shape[1])
        fit(to_vectors, student, vectors)
        self.to_hidden = nn.ModuleList(nn.Linear(config.width, width) for _ in range(layers)).to(self.device)
        self.to_vectors = to_vectors.to(self.device)
        self.vectors, self.student = vectors.to(self.device), student.to(self.device)

    def _weights(self) -> dict[str, float]:
        """Return the weights of the parts of the loss that are not left out."""
        config = self.recipe.lm_layers
        weights = {
            "labels": 1.0 - config.distill_weight,
            "outputs": config.distill_weight,
            "hidden": config.hidden_weight,
            "attention": config.attention_weight,
            "embeddings": config.embedding_weight,
        }
        return {name: weight for name, weight in weights.items() if weight}

    def _losses(self, rows: Sequence[int]) -> dict[str, Tensor]:
        """Return the parts of the loss on a batch, by name."""
        taught = self.targets.batch(rows).to(self.device)
        ids = pad_sequence([self.ids[row] for row in rows], batch_first=True, padding_value=PAD_ID).to(self.device)
        labels = self.labels[list(rows)].to(self.device)
        with mixed_precision(self.device):
            with watch(self.student) as seen:
                own = self.student.encode(hide_characters(ids, self.recipe.training.character_dropout))
            answers = self.student.answers(own)
            parts: dict[str, Callable[[], Tensor]] = {
                "labels": lambda: mean_loss(answers, lambda logits: self._loss_on_labels(logits, labels)),
                "outputs": lambda: mean_loss(answers, lambda logits: self._output_loss(logits, taught)),
                "hidden": lambda: self._hidden_loss(seen, taught),
                "attention": lambda: _attention_loss(seen, taught),
                "embeddings": lambda: self._embedding_loss(ids),
            }
            return {name: parts[name]().float() for name in self._weights()}

    def _loss_on_labels(self, logits: Tensor, labels: Tensor) -> Tensor:
        labelled = labels != _NO_LABEL
        if not labelled.any():  # a mean over nothing is not a number
            return logits[labelled].sum()
        return self.label_loss(logits[labelled], labels[labelled])

    def _output_loss(self, logits: Tensor, taught: Targets) -> Tensor:
        return distillation_loss(logits, taught.logits, self.recipe.lm_layers.temperature)

    def _hidden_loss(self, seen: StudentLayers, taught: Targets) -> Tensor:
        """Return the mean over the blocks of the distance to their layer of the teacher."""
        kind = self.recipe.lm_layers.hidden_loss
        layers = zip(self.to_hidden, seen.hidden, taught.hidden.unbind(2), strict=True)
        losses = [hidden_loss(project(own), other, taught.there, kind) for project, own, other in layers]
        return torch.stack(losses).mean()

    def _embedding_loss(self, ids: Tensor) -> Tensor:
        """Return the distance of the embeddings of the batch's characters, each counted once."""
        characters = torch.unique(ids)
        characters = characters[characters >= FIRST_CHARACTER_ID]
        own: Tensor = self.to_vectors(self.student.characters(characters))
        if not len(characters):  # a mean over nothing is not a number
            return own.sum()
        return representation_loss(own, self.vectors[characters - FIRST_CHARACTER_ID])

    def _environment(self) -> dict[str, Any]:
        about = environment(self.recipe.training.seed, self.device, self.corpus, self.journal.seconds)
        about["rows"]["unlabelled"] = len(self.ids) - len(self.corpus.train)
        return {**about, "teacher_sha256": self.finetuned.sha256}


def chosen_layers(config: LayersConfig, blocks: int, teacher_layers: int) -> tuple[int, ...]:
    """Return the teacher layer, counted from 1, that each block follows; the last block, if free, the last layer.

    Raises:
        ConfigError: not one layer for each block, or the teacher has no such layer.
    """
    layers = config.layers or tuple(-(-block * teacher_layers // blocks) for block in range(1, blocks + 1))
    if len(layers) != blocks or not all(1 <= layer <= teacher_layers for layer in layers):
        raise ConfigError(
            f"lm_layers.layers {list(layers)}: write one layer of the teacher, 1 to {teacher_layers}, "
            f"for each of the student's blocks ({blocks}), or leave it empty"
        )
    return layers


def _attention_loss(seen: StudentLayers, taught: Targets) -> Tensor:
    layers = zip(seen.attention, taught.attention.unbind(1), strict=True)
    return torch.stack([attention_loss(own, other, taught.there) for own, other in layers]).mean()
