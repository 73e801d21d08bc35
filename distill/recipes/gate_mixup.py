"""Gate-Mixup mutual distillation of a graph teacher and a Transformer student (after CN115481249B).

One run, top to bottom: read and encode the corpus, build both networks, train both on the labels, let
them teach each other round by round, keep the student that is best on the development set, and look at
the test set once, at the end. With ``teacher.features = "lm"`` a frozen language model reads every text
once, before, and the nodes of the teacher's graphs carry its states. Keys and defaults:
``distill/config/gate_mixup.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from distill.config.gate_mixup import GateMixupRecipe
from distill.data.corpus import Example
from distill.graphs.graph import GraphBuilder
from distill.lm.folder import FrozenLM, read_frozen
from distill.lm.node_states import GraphsWithStates, graphs_with_states
from distill.models.gnn_teacher import GNNTeacher
from distill.models.student import Student
from distill.runs.checkpoint import Tensors, random_state, restore_random_state, under_prefix, with_prefix
from distill.runs.claim import claimed
from distill.runs.environment import environment
from distill.runs.events import Event, Means, Report
from distill.runs.fingerprints import fingerprint
from distill.runs.journal import Journal, clear_checkpoint
from distill.runs.run_data import read_data
from distill.runs.run_folder import RunFolder
from distill.training.batch_rows import epoch_steps
from distill.training.batches import Batch, EncodedExamples, encode_examples
from distill.training.device import choose_device, mixed_precision
from distill.training.gate_mixup import lesson
from distill.training.ids import hide_characters
from distill.training.imbalance import label_loss_for
from distill.training.learner import Learner
from distill.training.losses import distillation_loss, mean_loss, mutual_loss, representation_loss
from distill.training.outcome import save_outcome, score
from runtime.errors import ConfigError
from runtime.tokenizer import CharTokenizer

_EVALUATION_BATCH = 256


def train(
    recipe: GateMixupRecipe, out: Path, device: str = "auto", resume: bool = False, report: Report = lambda event: None
) -> Event:
    """Train by ``recipe`` and leave a run folder in ``out``; torch is set to one CPU thread.

    Args:
        recipe: all keys of the run.
        out: the run folder; new or empty unless ``resume``.
        device: ``auto`` (a GPU if there is one), ``cpu`` or ``cuda``.
        resume: go on where an interrupted run of the same recipe stopped; on the same machine's CPU the
            result is that of an uninterrupted run.
        report: is told every event: texts that the teacher's language model has read, each epoch, each round, and
            the final scores.

    Returns:
        The ``final`` event: dev and test scores of the teacher, and of the student before and after
        mutual learning.

    Raises:
        ConfigError: ``out`` is in use, recipe or data are not those of the run to resume, no such device; the
            teacher's language model is not there, or was fine-tuned on other data.
        DataError: the corpus or a fine-tuned language model cannot be read, or ``out`` cannot be written.
    """
    if recipe.teacher.features == "lm" and not recipe.teacher.lm:
        raise ConfigError("no language model is named; give its folder by --set teacher.lm=FOLDER")
    if recipe.teacher.lm and recipe.teacher.features != "lm":
        raise ConfigError("teacher.lm is set, and nothing reads it; add --set teacher.features=lm, or leave it out")
    run = RunFolder(out)
    with claimed(run, recipe, resume):
        # One thread adds in one order, so a seed gives the same weights whatever the number of cores; and networks
        # this small gain little from a second, but wait ten times as long where another program wants the core.
        torch.set_num_threads(1)
        training = GateMixup(recipe, run, choose_device(device), report)
        if resume:
            training.resume()
        training.initial_training()
        training.mutual_learning()
        final = training.finish()
        del training  # and with it the files that it maps
        clear_checkpoint(run)
        return final


class GateMixup:
    """The state of a run, and its phases in the order of their names below.

    Args:
        recipe: all keys of the run.
        run: where it is saved.
        device: where the networks live.
        report: is told every event.
    """

    def __init__(self, recipe: GateMixupRecipe, run: RunFolder, device: torch.device, report: Report) -> None:
        self.recipe, self.run, self.device = recipe, run, device

        self.corpus = read_data(run, recipe.data, recipe.training.seed)
        lm = self._language_model()
        self.lm_sha256 = lm.sha256 if lm else None
        known = self.corpus.fingerprint
        self.journal = Journal(run, fingerprint(known, lm.sha256) if lm else known, report)
        texts = [example.text for example in self.corpus.train]
        self.tokenizer = CharTokenizer.from_texts(texts, recipe.student.max_len)
        self.builder = GraphBuilder.from_texts(texts, recipe.graph)
        self.graphs = self._with_states(lm, report) if lm else self.builder
        self.train_set = self._encode(self.corpus.train)
        self.dev_set = self._encode(self.corpus.dev)
        self._build()

        self.epochs = self.rounds = self.rounds_since_best = 0

    def _build(self) -> None:
        """Make both networks and what leads from each one's representation to the other's."""
        recipe, settings, device, classes = self.recipe, self.recipe.training, self.device, len(self.corpus.labels)
        # Only here: whatever random numbers reading a language model takes, the networks begin the same.
        torch.manual_seed(settings.seed)
        student = Student(recipe.student, self.tokenizer.size, classes)
        teacher = GNNTeacher(recipe.teacher, self.builder.size, classes, self._feature_width)
        if teacher.features:
            teacher.features.fit([graph.states for graph in self.train_set.graphs])
        to_teacher = nn.Linear(student.representation_width, teacher.representation_width)
        to_student = nn.Linear(teacher.representation_width, student.representation_width)
        ids, graphs = attrgetter("ids"), attrgetter("graphs")
        self.student = Learner(student.to(device), to_teacher.to(device), ids, settings.student_lr, settings)
        self.teacher = Learner(teacher.to(device), to_student.to(device), graphs, settings.teacher_lr, settings)
        self.initial_student: Tensors = {}
        train_labels = self.train_set.labels.to(device)
        self.label_loss = label_loss_for(train_labels, recipe.imbalance, settings.label_smoothing)

    def resume(self) -> None:
        """Put back the state after the last epoch or round that was finished, if there is one."""
        kept = self.journal.resume()
        if kept is None:
            return
        tensors, state = kept
        self.epochs, self.rounds, self.rounds_since_best = state["counters"]
        if self.rounds:
            self._start_mutual()
        else:
            self._start_initial()
        self.student.restore(under_prefix("student", tensors), state["student"])
        self.teacher.restore(under_prefix("teacher", tensors), state["teacher"])
        self.initial_student = under_prefix("initial_student", tensors)
        restore_random_state(under_prefix("random", tensors))

    def initial_training(self) -> None:
        """Train both networks on the labels alone."""
        if self.epochs == 0:
            self._start_initial()
        while self.epochs < self.recipe.training.initial_epochs:
            losses = self._epoch_on_labels()
            self.epochs += 1
            self._keep({"event": "epoch", "epoch": self.epochs, "loss": losses, "dev": self._score_on_dev()})

    def mutual_learning(self) -> None:
        """Let the networks teach each other until the student's dev macro-F1 stops rising.

        The result is the best round. The initial weights do not compete with the rounds: they are the luckiest of their
        own epochs, and on a few hundred texts luck of a point or two would beat what the rounds teach.
        """
        settings = self.recipe.training
        if self.rounds == 0:
            self.initial_student = self.student.best
            for learner in (self.student, self.teacher):
                learner.continue_from_best()
                learner.forget_score()
            self._start_mutual()
        while self.rounds < settings.rounds and self.rounds_since_best < settings.patience:
            stages = {
                "stage_one": self._stage(self.teacher, self.student),
                # Without lessons the teacher still trains as long: frozen, it would be a poor one, and what the stage
                # gives could not be told from what the training gives.
                "stage_two": self._stage(None if self.recipe.ablate.stage_two else self.student, self.teacher),
            }
            best_before = self.student.best_f1
            scores = self._score_on_dev()
            self.rounds += 1
            self.rounds_since_best = 0 if self.student.best_f1 > best_before else self.rounds_since_best + 1
            self._keep({"event": "round", "round": self.rounds, **stages, "dev": scores})

    def finish(self) -> Event:
        """Score the test set, once, complete the run folder and return the ``final`` event."""
        splits = {"dev": self.dev_set, "test": self._encode(self.corpus.test)}
        final: Event = {"event": "final", "dev": {}, "test": {}}
        logits: dict[str, Tensor] = {}
        # The student last, and last with its best weights: these, and what they say, are saved.
        for name, learner, weights in (
            ("teacher", self.teacher, self.teacher.best),
            ("initial_student", self.student, self.initial_student),
            ("student", self.student, self.student.best),
        ):
            learner.module.load_state_dict(weights)
            logits = {split: self._logits(learner, examples) for split, examples in splits.items()}
            for split, examples in splits.items():
                final[split][name] = score(examples.labels, logits[split])
        save_outcome(self.run, self.corpus, logits)
        self._save()
        self.journal.finish(final, self._environment())
        return final

    def _language_model(self) -> FrozenLM | None:
        """Read the language model whose states the teacher's nodes have, if they have any."""
        config = self.recipe.teacher
        if config.features == "ids":
            return None
        return read_frozen(Path(config.lm), self.corpus.fingerprint, self.recipe.graph.max_len)

    def _with_states(self, lm: FrozenLM, report: Report) -> GraphsWithStates:
        """Ask the language model about the texts of all splits; it sees no label."""
        folder = self.run.checkpoint / f"states-{self.journal.fingerprint[:16]}"

        def asked(done: int, of: int) -> None:
            report({"event": "language_model", "texts": done, "of": of})

        return graphs_with_states(self.builder, lm, self.corpus.texts, folder, self.device, asked)

    @property
    def _feature_width(self) -> int:
        return self.graphs.width if isinstance(self.graphs, GraphsWithStates) else 0

    def _start_initial(self) -> None:
        settings = self.recipe.training
        steps = settings.initial_epochs * self._steps_per_epoch
        for learner in (self.student, self.teacher):
            learner.start(1.0, warmup=round(settings.warmup_share * steps), steps=steps)

    def _start_mutual(self) -> None:
        settings = self.recipe.training
        steps = settings.rounds * settings.stage_epochs * self._steps_per_epoch
        for learner in (self.student, self.teacher):
            learner.start(settings.mutual_lr_share, warmup=0, steps=steps)

    def _epoch_on_labels(self) -> dict[str, float]:
        learners = {"student": self.student, "teacher": self.teacher}
        means = Means()
        for batch in self._batches():
            for name, learner in learners.items():
                means.add(len(batch.labels), {name: self._learn_from_labels(learner, batch)})
        return means.values()

    def _stage(self, teaching: Learner | None, learning: Learner) -> dict[str, float]:
        means = Means()
        for _ in range(self.recipe.training.stage_epochs):
            for batch in self._batches():
                if teaching is None:
                    values = {"total": self._learn_from_labels(learning, batch)}
                else:
                    values = self._teach(teaching, learning, batch)
                means.add(len(batch.labels), values)
        return means.values()

    def _learn_from_labels(self, learning: Learner, batch: Batch) -> Tensor:
        """Take one step of ``learning`` towards the labels; return the loss."""
        learning.module.train()
        with mixed_precision(self.device):
            own = learning.network.encode(self._read(learning, batch))
            loss = self._loss_on_labels(learning.network.answers(own), batch)
        learning.step(loss)
        return loss

    def _teach(self, teaching: Learner, learning: Learner, batch: Batch) -> dict[str, Tensor]:
        """Take one step of ``learning`` towards the labels and what ``teaching`` says about them."""
        config, ablate = self.recipe.gate_mixup, self.recipe.ablate
        teaching.module.eval()
        learning.module.train()
        with mixed_precision(self.device):
            with torch.no_grad():
                representation = teaching.network.encode(teaching.inputs(batch))
                taught = lesson(teaching.network, representation, batch.labels, config, ablate)
            own = learning.network.encode(self._read(learning, batch))
            answers = learning.network.answers(own)
            distillation = mean_loss(
                answers, lambda logits: distillation_loss(logits, taught.logits, config.temperature)
            )
            if ablate.kl:
                distillation = torch.zeros_like(distillation)
            distance = representation_loss(learning.projection(own), taught.representation)
            loss = mutual_loss(self._loss_on_labels(answers, batch), distillation, distance, config)
        learning.step(loss.total)
        return {**loss._asdict(), "pass_rate": taught.passed.float().mean()}

    def _loss_on_labels(self, answers: Sequence[Tensor], batch: Batch) -> Tensor:
        return mean_loss(answers, lambda logits: self.label_loss(logits, batch.labels))

    def _read(self, learner: Learner, batch: Batch) -> Any:  # noqa: ANN401 - ids or graphs
        """Return what a learning network reads: the student does not see every character."""
        if learner is self.teacher:
            return batch.graphs
        return hide_characters(batch.ids, self.recipe.training.character_dropout)

    def _score_on_dev(self) -> dict[str, dict[str, float]]:
        """Score both networks on the development set; each keeps its weights if they are its best."""
        scores = {}
        for name, learner in (("student", self.student), ("teacher", self.teacher)):
            scores[name] = score(self.dev_set.labels, self._logits(learner, self.dev_set))
            learner.keep_if_better(scores[name]["macro_f1"])
        return scores

    @torch.no_grad()
    def _logits(self, learner: Learner, examples: EncodedExamples) -> Tensor:
        learner.module.eval()
        batches = (batch.to(self.device) for batch in examples.in_order(_EVALUATION_BATCH))
        return torch.cat([learner.network.classify(learner.network.encode(learner.inputs(b))).cpu() for b in batches])

    def _keep(self, event: Event) -> None:
        tensors = {
            **with_prefix("student", self.student.tensors()),
            **with_prefix("teacher", self.teacher.tensors()),
            **with_prefix("initial_student", self.initial_student),
            **with_prefix("random", random_state()),
        }
        state = {
            "counters": [self.epochs, self.rounds, self.rounds_since_best],
            "student": self.student.state(),
            "teacher": self.teacher.state(),
        }
        self.journal.keep(event, tensors, state)

    def _save(self) -> None:
        """Write the best networks and what they need; both hold their best weights."""
        run, classes = self.run, len(self.corpus.labels)
        run.save_tokenizer(self.tokenizer)
        run.save_student(cast(Student, self.student.module))
        run.save_teacher(self.teacher.module, self.recipe.teacher, self.builder.size, classes, self._feature_width)
        self.builder.save(run.nodes)

    def _encode(self, examples: Sequence[Example]) -> EncodedExamples:
        return encode_examples(examples, self.corpus.labels, self.tokenizer, self.graphs)

    def _environment(self) -> Event:
        about = environment(self.recipe.training.seed, self.device, self.corpus, self.journal.seconds)
        return {**about, "lm_sha256": self.lm_sha256} if self.lm_sha256 else about

    def _batches(self) -> Iterator[Batch]:
        settings = self.recipe.training
        return (b.to(self.device) for b in self.train_set.shuffled(settings.batch_size, settings.epoch_steps))

    @property
    def _steps_per_epoch(self) -> int:
        settings = self.recipe.training
        return epoch_steps(len(self.train_set), settings.batch_size, settings.epoch_steps)
