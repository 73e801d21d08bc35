"""Fine-tuning a pretrained language model on labels: the teacher of :mod:`distill.recipes.lm_layers`.

One run, top to bottom: read the corpus, put a linear head on the encoder, fit the head alone, train all of it (each
layer slower than the one above: Howard and Ruder 2018, arXiv:1801.06146), keep the weights that are best on the
development set, and look at the test set once, at the end. Keys and defaults: ``distill/config/language_model.py``.

Where finished teachers are named, they first answer each text once, texts without labels included, and the language
model learns these answers beside the labels. A teacher may be the same language model, fine-tuned on the labels before:
the second is often better than the first (born-again networks: Furlanello et al. 2018, arXiv:1805.04770).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LRScheduler
from transformers import get_cosine_schedule_with_warmup, get_linear_schedule_with_warmup

from distill.config.language_model import FinetuneRecipe, FinetuneTrainingConfig
from distill.data.corpus import Corpus, Example
from distill.lm.folder import model_sha256, read_tokenizer_and_encoder, refuse_labels_of_other_data, save_finetuned
from distill.lm.precision import computes_in, lm_precision
from distill.lm.probe import fit_probe
from distill.lm.tokens import LMTokenizer, TokenisedText
from distill.models.lm_teacher import LMTeacher
from distill.runs.claim import claimed
from distill.runs.environment import environment
from distill.runs.events import Event, Means, Report
from distill.runs.fingerprints import fingerprint
from distill.runs.journal import Journal
from distill.runs.run_data import read_data
from distill.runs.run_folder import RunFolder
from distill.teachers.lessons import Lessons
from distill.training.batch_rows import epoch_rows, epoch_steps
from distill.training.device import choose_device
from distill.training.epochs import Epochs
from distill.training.ids import class_ids
from distill.training.imbalance import label_loss_for
from distill.training.losses import distillation_loss
from distill.training.outcome import save_outcome, score
from distill.training.trainee import Trainee
from runtime.errors import ConfigError

_EVALUATION_BATCH = 128
_LOSSES = ("total", "labels", "answers", "others")
"""Parts of the loss in the order in which they are reported, whatever the first batch holds."""
_SCHEDULES = {"linear": get_linear_schedule_with_warmup, "cosine": get_cosine_schedule_with_warmup}


@dataclass(frozen=True, slots=True)
class Split:
    """One split in tokens: text and class id of every example, in the order of the data."""

    texts: tuple[TokenisedText, ...]
    labels: Tensor


def finetune(
    recipe: FinetuneRecipe, out: Path, device: str = "auto", resume: bool = False, report: Report = lambda event: None
) -> Event:
    """Fine-tune by ``recipe`` and leave the teacher's folder in ``out``.

    Args:
        recipe: all keys of the run.
        out: the folder; new or empty unless ``resume``.
        device: ``auto`` (a GPU if there is one), ``cpu`` or ``cuda``.
        resume: go on where an interrupted run of the same recipe stopped; on the same machine's CPU the
            result is that of an uninterrupted run.
        report: is told every event: texts that teachers have read, the scores of the head alone, each epoch and the
            final scores.

    Returns:
        The ``final`` event: dev and test scores, those of the teachers together beside them if there are any.

    Raises:
        ConfigError: ``out`` is in use, recipe or data are not those of the run to resume, no such device, no such
            language model, or one that learned labels of other data, as a teacher may have; or there are texts
            without labels and no teacher; or jieba is not installed, and words are to be made.
        DataError: the corpus, texts without labels or a teacher cannot be read, or ``out`` cannot be written.
    """
    if not recipe.lm.folder:
        raise ConfigError("no language model is named; give its Hugging Face folder by --lm FOLDER")
    if recipe.data.unlabelled and not recipe.teachers.folders:
        raise ConfigError("somebody has to label the texts of --unlabelled; name who by --teacher FOLDER")
    run = RunFolder(out)
    with claimed(run, recipe, resume):
        torch.set_num_threads(recipe.training.threads)
        training = Finetuning(recipe, run, choose_device(device), report)
        if resume:
            training.epochs.resume()
        if recipe.training.head == "probe" and not training.epochs.done:
            training.probe()
        training.epochs.train(training.learn, training.judge)
        return training.finish()


class Finetuning:
    """The state of a run, and its phases.

    Args:
        recipe: all keys of the run.
        run: where it is saved.
        device: where the network lives.
        report: is told every event.
    """

    def __init__(self, recipe: FinetuneRecipe, run: RunFolder, device: torch.device, report: Report) -> None:
        settings = recipe.training
        self.recipe, self.run, self.device = recipe, run, device
        self.corpus = read_data(run, recipe.data, settings.seed)
        # Before teachers are asked, which takes long, so that a wrong folder is reported at once. Seeded, because
        # weights that the folder lacks are drawn at random.
        torch.manual_seed(settings.seed)
        self.tokenizer, encoder = self._read_language_model()
        self.lessons = self._lessons() if recipe.teachers.folders else None
        known = self.lessons.fingerprint if self.lessons else self.corpus.fingerprint
        self.lm_sha256 = model_sha256(Path(recipe.lm.folder))
        self.journal = Journal(run, fingerprint(known, self.lm_sha256), report)
        self.answers = self.lessons.answers(run, report) if self.lessons else None
        # Again: whatever random numbers reading takes, the head begins the same.
        torch.manual_seed(settings.seed)
        self.teacher = LMTeacher(encoder, len(self.corpus.labels), recipe.lm.dropout).to(device)
        self.train_set = tokenised(self.corpus.train, self.corpus, self.tokenizer)
        self.dev_set = tokenised(self.corpus.dev, self.corpus, self.tokenizer)
        others = self.tokenizer.encode(self.lessons.others) if self.lessons else ()
        self.texts = (*self.train_set.texts, *others)

        train_labels = self.train_set.labels.to(device)
        self.label_loss = label_loss_for(train_labels, recipe.imbalance, settings.label_smoothing)
        trainee = Trainee(self.teacher, nn.Identity(), settings.gradient_clip)
        steps = settings.epochs * epoch_steps(len(self.texts), settings.batch_size, settings.epoch_steps)
        trainee.begin(*optimisation(self.teacher, settings, steps))
        self.trainee = trainee
        self.epochs = Epochs(self.journal, trainee, settings.epochs, settings.patience)

    def probe(self) -> None:
        """Fit the head alone: logistic regression on what the encoder gives for the training texts."""
        features = self._apply(self.teacher.encode, self.train_set, self.teacher.width).to(self.device)
        labels, settings = self.train_set.labels.to(self.device), self.recipe.training
        classes = len(self.corpus.labels)
        self.teacher.set_head(*fit_probe(features, labels, classes, settings.probe_penalty, self.label_loss))
        dev = self.judge()
        self.trainee.keep_if_better(dev["macro_f1"])
        self.journal.tell({"event": "probe", "dev": dev})

    def learn(self) -> dict[str, float]:
        """Train for one epoch and return the mean losses."""
        means, settings = Means(), self.recipe.training
        self.teacher.train()
        for rows in epoch_rows([len(text.ids) for text in self.texts], settings.batch_size, settings.epoch_steps):
            ids, mask = self.tokenizer.pad([self.texts[row].ids for row in rows])
            with self._precision():
                logits = self.teacher(ids.to(self.device), mask.to(self.device))
            if self.answers is None:
                loss = self.label_loss(logits, self.train_set.labels[rows].to(self.device))
                means.add(len(rows), {"labels": loss})
            else:
                loss = self._loss_where_taught(logits, rows, self.answers[rows].to(self.device), means)
            self.trainee.step(loss)
        values = means.values()
        return {name: values[name] for name in _LOSSES if name in values}

    def _loss_where_taught(self, logits: Tensor, rows: Sequence[int], answers: Tensor, means: Means) -> Tensor:
        """Return the loss of a batch, each of its texts weighing the same, and add its parts to ``means``.

        Args:
            logits: ``[B, C]`` of the language model.
            rows: of the texts; those of train come first, and alone have labels.
            answers: ``[B, C]`` of the teachers.
            means: of the epoch.
        """
        weight, total = self.recipe.teachers.distill_weight, logits.new_zeros(())
        number = torch.tensor(rows)
        labelled = (number < len(self.train_set.texts)).nonzero().flatten()
        others = (number >= len(self.train_set.texts)).nonzero().flatten()
        if len(labelled):
            labels = self.train_set.labels[number[labelled]].to(self.device)
            by_labels = self.label_loss(logits[labelled], labels)
            by_answers = distillation_loss(logits[labelled], answers[labelled], 1.0)
            means.add(len(labelled), {"labels": by_labels, "answers": by_answers})
            total = total + len(labelled) * ((1.0 - weight) * by_labels + weight * by_answers)
        if len(others):
            by_answers = distillation_loss(logits[others], answers[others], 1.0)
            means.add(len(others), {"others": by_answers})
            total = total + len(others) * by_answers
        total = total / len(rows)
        means.add(len(rows), {"total": total})
        return total

    def judge(self) -> dict[str, float]:
        """Return the scores on the development set."""
        return score(self.dev_set.labels, self.predict(self.dev_set))

    def finish(self) -> Event:
        """Score the test set, once, complete the folder and return the ``final`` event."""
        test_set = tokenised(self.corpus.test, self.corpus, self.tokenizer)
        final: Event = {"event": "final", "dev": {}, "test": {}}
        logits: dict[str, Tensor] = {}
        for split, examples, encoded in (
            ("dev", self.corpus.dev, self.dev_set),
            ("test", self.corpus.test, test_set),
        ):
            logits[split] = self.predict(encoded)
            if self.lessons:
                answers = self.lessons.teachers.answer([example.text for example in examples])
                final[split]["teachers"] = score(encoded.labels, answers)
            final[split]["teacher"] = score(encoded.labels, logits[split])
        save_outcome(self.run, self.corpus, logits)
        save_finetuned(self.run, self.teacher, self.tokenizer, self.corpus.fingerprint)
        self.journal.finish(final, self._environment())
        return final

    def predict(self, examples: Split) -> Tensor:
        """Return logits ``[n, C]`` on the CPU, in the order of the examples."""
        return self._apply(self.teacher, examples, len(self.corpus.labels))

    @torch.no_grad()
    def _apply(self, network: Callable[[Tensor, Tensor], Tensor], examples: Split, width: int) -> Tensor:
        """Return ``[n, width]`` on the CPU: what ``network`` gives for token ids and mask, without dropout."""
        self.teacher.eval()
        outputs = torch.empty(len(examples.texts), width)
        for rows, ids, mask in self.tokenizer.batches(examples.texts, _EVALUATION_BATCH):
            with self._precision():
                outputs[rows] = network(ids.to(self.device), mask.to(self.device)).float().cpu()
        return outputs

    def _read_language_model(self) -> tuple[LMTokenizer, nn.Module]:
        """Return tokeniser and encoder; refuse the encoder of a fine-tuning on other data."""
        folder = Path(self.recipe.lm.folder)
        refuse_labels_of_other_data(folder, self.corpus.fingerprint)
        return read_tokenizer_and_encoder(self.recipe.lm, folder)

    def _lessons(self) -> Lessons:
        return Lessons(self.recipe.teachers, self.recipe.data, self.corpus, self.recipe.training.seed, self.device)

    def _environment(self) -> dict[str, Any]:
        settings = self.recipe.training
        about = environment(settings.seed, self.device, self.corpus, self.journal.seconds)
        about |= {"lm_sha256": self.lm_sha256, "precision": computes_in(self.device, settings.precision)}
        if self.lessons:
            about["rows"] |= self.lessons.rows
            about["teachers_sha256"] = self.lessons.teachers.sha256
        return about

    def _precision(self) -> torch.autocast:
        return lm_precision(self.device, self.recipe.training.precision)


def tokenised(examples: Sequence[Example], corpus: Corpus, tokenizer: LMTokenizer) -> Split:
    """Return ``examples`` in tokens; class ids count through the labels of ``corpus``."""
    encoded = tokenizer.encode([example.text for example in examples])
    return Split(tuple(encoded), class_ids(examples, corpus.labels))


def optimisation(teacher: LMTeacher, settings: FinetuneTrainingConfig, steps: int) -> tuple[AdamW, LRScheduler]:
    """Return optimiser and schedule: a layer learns ``layer_decay`` times as fast as the one above."""
    groups: dict[tuple[float, float], list[Tensor]] = {}
    for name, parameter in teacher.named_parameters():
        if name.startswith("head."):
            lr = settings.head_lr
        else:
            lr = settings.lr * settings.layer_decay ** (teacher.layers - teacher.depth_of(name))
        decay = settings.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((lr, decay), []).append(parameter)
    listed: list[dict[str, Any]] = [
        {"params": parameters, "lr": lr, "weight_decay": decay} for (lr, decay), parameters in groups.items()
    ]
    # Fused: an encoder has tens of millions of weights, and the plain loop takes a third of a step's time.
    optimiser = AdamW(listed, fused=True)
    schedule: LRScheduler = _SCHEDULES[settings.schedule](optimiser, round(settings.warmup_share * steps), steps)
    return optimiser, schedule
