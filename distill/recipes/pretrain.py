"""Pretraining of a masked language model on unlabelled texts, from scratch or continued (after CN114818902, S2).

One run, top to bottom: encode the texts once, build the model, then step by step hide words and learn to
guess them; every so often test on held-out texts, write a point of the curve and a checkpoint; at the end
leave an ordinary Hugging Face folder. Keys and defaults: ``distill/config/pretraining.py``.

Every random number of a step is drawn from the seed and the number of the step (``distill/lm/masked_batches.py``).
So the checkpoint holds no state of a generator, and a resumed run draws what an uninterrupted one draws.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import AdamW
from transformers import get_cosine_schedule_with_warmup

from distill.config.pretraining import MaskedLMConfig, PretrainRecipe
from distill.data.words import WordCutter
from distill.lm.character_tokenizer import train_character_tokenizer
from distill.lm.masked_batches import Batch, MaskedBatches, Purpose, derived_seed
from distill.lm.precision import computes_in, lm_precision
from distill.lm.processes import Processes
from distill.lm.provenance import learned_labels
from distill.lm.quiet import quiet_transformers
from distill.lm.token_store import TokenStore, write_store
from distill.models.masked_lm import MaskedLM, new_masked_lm, read_masked_lm, read_tokenizer
from distill.runs.checkpoint import optimiser_tensors, restore_optimiser, under_prefix, with_prefix
from distill.runs.claim import claimed
from distill.runs.environment import machine
from distill.runs.events import Event, Report, refuse_divergence
from distill.runs.fingerprints import file_fingerprint
from distill.runs.journal import Journal, clear_checkpoint
from distill.runs.run_folder import RunFolder
from distill.unlabelled.corpus import corpus_files, read_texts
from runtime.errors import ConfigError
from runtime.files import atomic_path, write_bytes
from runtime.text import normalise

_EVALUATION_BATCH = 64


def pretrain(
    recipe: PretrainRecipe, out: Path, device: str = "auto", resume: bool = False, report: Report = lambda event: None
) -> Event:
    """Pretrain by ``recipe`` and leave a Hugging Face folder in ``out``; torch is set to the threads of the recipe.

    Args:
        recipe: all keys of the run.
        out: the folder; new or empty unless ``resume``.
        device: ``auto`` (a GPU if there is one), ``cpu`` or ``cuda``; of several processes each takes its own GPU.
        resume: go on where an interrupted run of the same recipe stopped; on the same machine's CPU the
            result is that of an uninterrupted run.
        report: is told every event: ``start``, each ``step`` of the curve, and ``final``.

    Returns:
        The ``final`` event: loss and accuracy on held-out texts.

    Raises:
        ConfigError: ``out`` is in use, recipe or data are not those of the run to resume, the batch has
            fewer pieces than parts, the model to continue does not fit, or there is no such device.
        DataError: texts or model cannot be read, or ``out`` cannot be written.
    """
    torch.set_num_threads(recipe.training.threads)
    run = RunFolder(out)
    processes = Processes(device)
    _batch_size(recipe, recipe.training.batch_size, processes.count)  # before texts are encoded, which takes long
    with ExitStack() as until_the_end:
        with processes.one_after_the_first():
            if processes.first:
                until_the_end.enter_context(claimed(run, recipe, resume))
            store = _encoded_texts(recipe, run)
        training = Pretraining(recipe, run, store, processes, report)
        if resume:
            training.resume()
        training.learn()
        final = training.finish()
        del training, store  # and with them the files that they map
        if processes.first:
            clear_checkpoint(run)
        return final


def _encoded_texts(recipe: PretrainRecipe, run: RunFolder) -> TokenStore:
    """Encode the texts, or find them encoded before an interruption."""
    if not recipe.data.paths:
        raise ConfigError("no texts to learn from; name files, or folders that 'gm-distill corpus' wrote")
    if recipe.model.start and learned_labels(Path(recipe.model.start)):
        # Else what is fine-tuned from it may know labels of dev and test, and nothing there would say so.
        raise ConfigError(f"{recipe.model.start} learned labels; name with --from the language model it was made from")
    files = corpus_files([Path(path) for path in recipe.data.paths])
    folder, fingerprint = run.checkpoint / "texts", file_fingerprint(files)
    if not folder.is_dir():
        _encode(recipe, files, fingerprint, folder)
    store = TokenStore(folder)
    if store.fingerprint != fingerprint:
        raise ConfigError(f"the texts changed since {run.path} was begun; train anew with another --out")
    return store


def _encode(recipe: PretrainRecipe, files: Sequence[Path], fingerprint: str, folder: Path) -> None:
    """Read the texts, with the tokeniser of the model to continue or one that is made from them."""
    data, model = recipe.data, recipe.model

    def texts() -> Iterator[str]:
        for file in files:
            yield from map(normalise, read_texts(file, data.text_column, data.encoding, "--set data.text_column=NAME"))

    if model.start:
        tokenizer = read_tokenizer(Path(model.start))
    else:
        tokenizer = train_character_tokenizer(texts(), model.vocabulary, model.min_count, model.max_len)
    words = WordCutter() if recipe.masking.whole_words else None
    write_store(folder, texts(), tokenizer, words, model.max_len - 2, data.held_out, fingerprint)


class Pretraining:
    """The state of a run.

    Args:
        recipe: all keys of the run.
        run: where it is saved.
        store: the encoded texts.
        processes: this process and its place among the others.
        report: is told every event, in the first process.
    """

    def __init__(
        self, recipe: PretrainRecipe, run: RunFolder, store: TokenStore, processes: Processes, report: Report
    ) -> None:
        settings = recipe.training
        self.journal = Journal(run, store.fingerprint, report)
        self.recipe, self.run, self.store, self.processes = recipe, run, store, processes
        self.device = processes.device
        self.tokenizer = read_tokenizer(run.checkpoint / "texts" / "tokenizer")
        size = _batch_size(recipe, len(store.train), processes.count)
        self.batches = MaskedBatches(store, self.tokenizer, recipe.masking.share, size, settings.seed)
        self.steps = max(1, round(settings.epochs * self.batches.steps_per_epoch))

        torch.manual_seed(settings.seed)
        self.model = _model(recipe.model, self.tokenizer).to(self.device)
        self.parallel = processes.parallel(self.model)
        self.optimiser = AdamW(_groups(self.model, settings.weight_decay), lr=settings.lr, fused=True)
        warmup = round(settings.warmup_share * self.steps)
        self.schedule = get_cosine_schedule_with_warmup(self.optimiser, warmup, self.steps)
        self.step = 0

    def resume(self) -> None:
        """Put back the state of the last checkpoint, if there is one."""
        kept = self.journal.resume()
        if kept is None:
            return
        tensors, state = kept
        self.step = state["step"]
        self.model.load_state_dict(under_prefix("model", tensors))
        restore_optimiser(self.optimiser, under_prefix("optimiser", tensors), state["groups"])
        self.schedule.load_state_dict(state["schedule"])

    def learn(self) -> None:
        """Take the steps that are left, with a point of the curve and a checkpoint every so often."""
        if not self.journal.events:
            self._keep({"event": "start", "step": 0, **self._sizes(), "held_out": self._test()})
        loss, since = torch.zeros((), device=self.device), 0
        for batch in islice(self.batches.from_step(self.step), self.steps - self.step):
            loss += self._learn_from(batch)
            self.step, since = self.step + 1, since + 1
            if self.step % self.recipe.training.report_every == 0 or self.step == self.steps:
                mean, held_out = float(self.processes.sum(loss)) / since, self._test()
                # Before it is kept: the last state that is sound must stay.
                refuse_divergence({"hidden words": mean, **{f"held-out {name}": held_out[name] for name in held_out}})
                self._keep({"event": "step", **self._place(), "loss": mean, "held_out": held_out})
                loss, since = torch.zeros_like(loss), 0

    def finish(self) -> Event:
        """Write the Hugging Face folder, forget the checkpoint and return the ``final`` event."""
        # Only the first process keeps events, and so knows how the last test went.
        held_out = self.journal.events[-1]["held_out"] if self.processes.first else {}
        final: Event = {"event": "final", "step": self.step, "steps": self.steps, "held_out": held_out}
        if self.processes.first:
            self._save()
            self.journal.finish(final, self._environment())
        return final

    def _learn_from(self, batch: Batch) -> Tensor:
        """Take one step; return this process's share of the mean loss of the hidden tokens."""
        settings, processes = self.recipe.training, self.processes
        torch.manual_seed(derived_seed(settings.seed, Purpose.DROPOUT, self.step, processes.index))
        # Every process has the whole batch, and so knows how many tokens are hidden in it.
        hidden = int(batch.hidden.sum())
        parts = batch.parts(settings.accumulate * processes.count)[processes.index :: processes.count]
        loss = torch.zeros((), device=self.device)
        self.parallel.train()
        for number, part in enumerate(parts, 1):
            with processes.accumulating(self.parallel, last=number == len(parts)):
                with self._precision():
                    share = self._loss(self.parallel, part)[0] / hidden
                # The gradient is the mean over the processes, but the loss their sum.
                torch.autograd.backward(share * processes.count)
            loss += share.detach()
        nn.utils.clip_grad_norm_(self.model.parameters(), settings.gradient_clip)
        self.optimiser.step()
        self.schedule.step()
        self.optimiser.zero_grad()
        return loss

    def _loss(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return sum of the losses and number of right guesses of the hidden tokens."""
        ids, attention, hidden, targets = (tensor.to(self.device) for tensor in batch)
        logits = model(ids, attention, hidden)
        right = (logits.argmax(1) == targets[hidden]).sum()
        return functional.cross_entropy(logits.float(), targets[hidden], reduction="sum"), right

    @torch.no_grad()
    def _test(self) -> dict[str, float]:
        """Return loss and accuracy on the held-out texts, whose hidden words are always the same."""
        if not self.processes.first:
            return {}
        self.model.eval()
        loss, right, hidden = 0.0, 0, 0
        for batch in self.batches.held_out(_EVALUATION_BATCH):
            with self._precision():
                losses, guessed = self._loss(self.model, batch)
            loss, right, hidden = loss + float(losses), right + int(guessed), hidden + int(batch.hidden.sum())
        return {"loss": loss / hidden, "accuracy": right / hidden}

    def _keep(self, event: Event) -> None:
        if not self.processes.first:
            return
        tensors = {
            **with_prefix("model", self.model.state_dict()),
            **with_prefix("optimiser", optimiser_tensors(self.optimiser)),
        }
        groups = self.optimiser.state_dict()["param_groups"]
        self.journal.keep(event, tensors, {"step": self.step, "groups": groups, "schedule": self.schedule.state_dict()})

    def _save(self) -> None:
        """Write model and tokeniser."""
        with quiet_transformers(), atomic_path(self.run.checkpoint / "model") as folder:
            self.model.model.save_pretrained(folder)
            self.tokenizer.save_pretrained(folder)
        for path in sorted((self.run.checkpoint / "model").iterdir()):
            write_bytes(self.run.path / path.name, path.read_bytes())

    def _environment(self) -> dict[str, Any]:
        return {
            **machine(self.recipe.training.seed, self.device),
            "processes": self.processes.count,
            "precision": computes_in(self.device, self.recipe.training.precision),
            "data_fingerprint": self.store.fingerprint,
            **self._sizes(),
            "wall_s": round(self.journal.seconds, 1),
        }

    def _sizes(self) -> dict[str, int]:
        return {
            "texts": self.store.texts,
            "pieces": len(self.store.train),
            "held_out_pieces": len(self.store.held_out),
            "tokens": self.store.tokens,
            "vocabulary": len(self.tokenizer),
            "parameters": sum(parameter.numel() for parameter in self.model.parameters()),
            "steps": self.steps,
        }

    def _place(self) -> dict[str, float]:
        epoch = round(self.step / self.batches.steps_per_epoch, 3)
        return {"step": self.step, "steps": self.steps, "epoch": epoch, "lr": self.schedule.get_last_lr()[0]}

    def _precision(self) -> torch.autocast:
        return lm_precision(self.device, self.recipe.training.precision)


def _model(config: MaskedLMConfig, tokenizer: Any) -> MaskedLM:  # noqa: ANN401 - transformers has no types
    """Return the model to continue, or one with random weights."""
    if config.start:
        return read_masked_lm(Path(config.start), tokenizer, config.max_len)
    return new_masked_lm(config, tokenizer)


def _batch_size(recipe: PretrainRecipe, pieces: int, processes: int) -> int:
    """Return the size of a batch: that of the recipe, or all pieces where there are fewer."""
    size, parts = min(recipe.training.batch_size, pieces), recipe.training.accumulate * processes
    if size < parts:
        raise ConfigError(
            f"a batch of {size} pieces cannot be cut into {parts} parts; raise training.batch_size, "
            "lower training.accumulate, or give more texts"
        )
    return size


def _groups(model: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Return the parameters in two groups: matrices, which decay, and biases and scales, which do not."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [
        {"params": [parameter for parameter in parameters if parameter.ndim > 1], "weight_decay": weight_decay},
        {"params": [parameter for parameter in parameters if parameter.ndim <= 1], "weight_decay": 0.0},
    ]
