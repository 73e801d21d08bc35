"""Fine-tuning a pretrained language model on labels: the teacher of :mod:`distill.recipes.lm_layers`.

One run, top to bottom: read the corpus, put a linear head on the encoder, fit the head alone, train all of it (each
layer slower than the one above: Howard and Ruder 2018, arXiv:1801.06146), keep the weights that are best on the
development set, and look at the test set once, at the end. Keys and defaults: ``distill/lm/recipe.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim import AdamW
from torch.optim.lr_scheduler import LRScheduler
from transformers import get_cosine_schedule_with_warmup, get_linear_schedule_with_warmup

from distill.batches import class_ids, epoch_steps, shuffled_rows
from distill.corpus import Corpus, Example, read_corpus
from distill.epochs import Epochs
from distill.imbalance import label_loss_for
from distill.journal import Journal
from distill.learner import Trainee
from distill.lm.folder import finetuned_folder, read_tokenizer_and_encoder, save_finetuned
from distill.lm.precision import computes_in, lm_precision
from distill.lm.probe import fit_probe
from distill.lm.recipe import FinetuneRecipe, FinetuneTrainingConfig
from distill.lm.tokens import LMTokenizer, TokenisedText
from distill.models.lm_teacher import LMTeacher
from distill.predict import prediction_rows
from distill.run_folder import RunFolder
from distill.training import (
    Event,
    Means,
    Report,
    choose_device,
    claim,
    environment,
    refuse_other_data,
    score,
)
from runtime.errors import ConfigError

_EVALUATION_BATCH = 128
_SCHEDULES = {"linear": get_linear_schedule_with_warmup, "cosine": get_cosine_schedule_with_warmup}


@dataclass(frozen=True, slots=True)
class Split:
    """One split in tokens: text and class id of every example, in the order of the data."""

    texts: tuple[TokenisedText, ...]
    labels: Tensor

    @property
    def lengths(self) -> list[int]:
        """Number of tokens of each text."""
        return [len(text.ids) for text in self.texts]


def finetune(
    recipe: FinetuneRecipe, out: Path, device: str = "auto", resume: bool = False, report: Report = lambda event: None
) -> Event:
    """Fine-tune by ``recipe`` and leave the teacher's folder in ``out``.

    Args:
        recipe: all keys of the run.
        out: the folder; new or empty unless ``resume``.
        device: ``auto`` (a GPU if there is one), ``cpu`` or ``cuda``.
        resume: go on where an interrupted run of the same recipe stopped; on the same machine the
            result is that of an uninterrupted run.
        report: is told every event: the scores of the head alone, each epoch and the final scores.

    Returns:
        The ``final`` event: dev and test scores.

    Raises:
        ConfigError: ``out`` is in use, recipe or data are not those of the run to resume, no such device, no such
            language model, or one that learned labels of other data.
        DataError: the corpus cannot be read, or ``out`` cannot be written.
    """
    if not recipe.lm.folder:
        raise ConfigError("no language model is named; give its Hugging Face folder by --lm FOLDER")
    run = RunFolder(out)
    claim(run, recipe, resume)
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
        torch.manual_seed(settings.seed)
        self.recipe, self.run, self.device = recipe, run, device
        self.corpus = read_corpus(recipe.data, settings.seed)
        folder = Path(recipe.lm.folder)
        if finetuned := finetuned_folder(folder):
            refuse_other_data(
                folder, str(RunFolder(finetuned).environment()["data_fingerprint"]), self.corpus.fingerprint
            )
        self.tokenizer, encoder = read_tokenizer_and_encoder(recipe.lm, folder)
        self.teacher = LMTeacher(encoder, len(self.corpus.labels), recipe.lm.dropout).to(device)
        self.train_set = tokenised(self.corpus.train, self.corpus, self.tokenizer)
        self.dev_set = tokenised(self.corpus.dev, self.corpus, self.tokenizer)

        train_labels = self.train_set.labels.to(device)
        self.label_loss = label_loss_for(train_labels, recipe.imbalance, settings.label_smoothing)
        trainee = Trainee(self.teacher, torch.nn.Identity(), settings.gradient_clip)
        steps = settings.epochs * epoch_steps(len(self.train_set.texts), settings.batch_size)
        trainee.begin(*optimisation(self.teacher, settings, steps))
        self.trainee = trainee
        self.journal = Journal(run, self.corpus.fingerprint, report)
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
        """Train for one epoch and return the mean loss."""
        means = Means()
        self.teacher.train()
        for rows in shuffled_rows(self.train_set.lengths, self.recipe.training.batch_size):
            labels = self.train_set.labels[rows].to(self.device)
            ids, mask = self.tokenizer.pad([self.train_set.texts[row].ids for row in rows])
            with self._precision():
                loss = self.label_loss(self.teacher(ids.to(self.device), mask.to(self.device)), labels)
            self.trainee.step(loss)
            means.add(len(rows), {"labels": loss})
        return means.values()

    def judge(self) -> dict[str, float]:
        """Return the scores on the development set."""
        return score(self.dev_set.labels, self.predict(self.dev_set))

    def finish(self) -> Event:
        """Score the test set, once, complete the folder and return the ``final`` event."""
        test_set = tokenised(self.corpus.test, self.corpus, self.tokenizer)
        final: Event = {"event": "final", "dev": {}, "test": {}}
        for split, examples, encoded in (
            ("dev", self.corpus.dev, self.dev_set),
            ("test", self.corpus.test, test_set),
        ):
            logits = self.predict(encoded)
            final[split]["teacher"] = score(encoded.labels, logits)
            texts, labels = [example.text for example in examples], [example.label for example in examples]
            self.run.save_predictions(split, prediction_rows(texts, labels, logits.numpy(), self.corpus.labels))
        self.run.save_labels(self.corpus.labels)
        save_finetuned(self.run, self.teacher, self.tokenizer)
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

    def _environment(self) -> dict[str, Any]:
        settings = self.recipe.training
        about = environment(settings.seed, self.device, self.corpus, self.journal.seconds)
        return {**about, "precision": computes_in(self.device, settings.precision)}

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
