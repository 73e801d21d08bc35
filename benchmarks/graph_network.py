"""The graph network alone, beside published figures: ``python -m benchmarks.graph_network --data R8=PATH``.

It learns from labels by the settings of the teacher in the recipe of mutual distillation; nobody teaches it and it
teaches nobody. TextGCN (Yao, Mao and Luo 2019, "Graph Convolutional Networks for Text Classification") has the test
texts in its graph; ours sees none of them before it answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import click
import torch
from torch import Tensor, nn

from benchmarks.accuracy import RESULTS
from benchmarks.quality.accuracy_report import set_table
from benchmarks.quality.methods import data_and_seed
from benchmarks.quality.scores import Score, Scores, told
from benchmarks.speed.targets import Target, as_block
from distill.config.gate_mixup import GateMixupRecipe, read_gate_mixup
from distill.data.corpus import Example, read_corpus
from distill.graphs.graph import GraphBuilder
from distill.lm.folder import read_frozen
from distill.lm.node_states import GraphsWithStates, graphs_with_states
from distill.models.gnn_teacher import GNNTeacher
from distill.training.batch_rows import epoch_steps
from distill.training.batches import Batch, EncodedExamples, encode_examples
from distill.training.imbalance import label_loss_for
from distill.training.losses import mean_loss
from distill.training.outcome import score
from distill.training.trainee import Trainee
from runtime.command import run_command
from runtime.files import write_text
from runtime.tokenizer import CharTokenizer

ROW = "graph network"
PUBLISHED = {"R8": 97.0, "MR": 76.7}
"""Test accuracy of TextGCN in percent, cut after one digit, by the name of the set."""
_HOW = (
    "The graph network alone, trained on labels; test accuracy and macro-F1 in percent, mean ± standard deviation over "
    "seeds. A tenth of train is held out to choose the best epoch by; test is scored once. No test text is in a graph "
    "before it is answered."
)
_EVALUATION_BATCH = 256


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--data", "sets", multiple=True, metavar="NAME=PATH", help="A set; R8 and MR have published figures.")
@click.option("--seeds", default=5, show_default=True, type=click.IntRange(min=1), help="Seeds 0 to N - 1.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Recipe key; initial_epochs counts all.")
@click.option("--work", type=click.Path(path_type=Path), default=Path("graph-work"), help="Folder for token states.")
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS, help="Folder for graph_network.json and .md.")
def command(sets: Sequence[str], seeds: int, settings: Sequence[str], work: Path, out: Path) -> None:
    """Train it on every set with every seed, score test once, and write graph_network.json and .md.

    Without --data, only the table is made again. A study that was stopped goes on where it was.
    """
    scores = Scores(out / "graph_network.json")
    for one in sets:
        name, _, path = one.partition("=")
        if not path:
            raise click.BadParameter(f"{one}: give a set as NAME=PATH")
        for seed in range(seeds):
            recipe = read_gate_mixup(None, [*data_and_seed(path, seed), *settings])
            fingerprint = read_corpus(recipe.data, seed).fingerprint[:16]
            if not scores.kept(name, row_of(recipe), seed, fingerprint, told(settings)):
                click.echo(f"... {name}, seed {seed}", err=True)
                scores.add(measured(name, GraphTraining(recipe, work), told(settings)))
    report = markdown(scores)
    write_text(out / "graph_network.md", report)
    click.echo(report)


def row_of(recipe: GateMixupRecipe) -> str:
    """Return the name of the row: with a bag of nodes or without, and whose states the nodes have."""
    row = f"{ROW} and bag of nodes" if recipe.teacher.bag_width else ROW
    return f"{row}, states of {Path(recipe.teacher.lm).name}" if recipe.teacher.features == "lm" else row


def markdown(scores: Scores) -> str:
    """Return a table for each set, and the published figures held against them."""
    parts = [f"## {data}\n\n{set_table(scores, data)}" for data in scores.names("data")]
    found = targets(scores)
    held = [f"## Published\n\n{as_block(found)}"] if found else []
    return "\n\n".join(["# The graph network alone", _HOW, *parts, *held]) + "\n"


def targets(scores: Scores) -> list[Target]:
    """Return for each set with a published figure whether the mean accuracy reaches it."""
    found = []
    for (data, published), row in product(PUBLISHED.items(), scores.names("row")):
        if spread := scores.spread(data, row, "accuracy"):
            found.append(Target(f"{row} on {data}", "≥", published, "% accuracy", 100 * spread.mean))
    return found


def measured(name: str, training: GraphTraining, settings: str = "") -> Score:
    """Train, choose the epoch by accuracy on dev, and return the score on the test set of ``name``."""
    for epoch in range(training.settings.initial_epochs):
        training.learn()
        dev = training.score(training.dev_set)
        training.trainee.keep_if_better(dev["accuracy"])
        click.echo(f"    epoch {epoch + 1}: {100 * dev['accuracy']:.2f} % of dev", err=True)
    training.trainee.continue_from_best()
    found = training.score(training.encode(training.corpus.test))
    fingerprint = training.corpus.fingerprint[:16]
    return Score(
        name, training.row, training.settings.seed, found["accuracy"], found["macro_f1"], fingerprint, settings
    )


class GraphTraining:
    """A graph network that learns from labels alone.

    Args:
        recipe: of mutual distillation; graph, teacher and the teacher's settings of initial training count.
        work: keeps the states of tokens where ``teacher.features`` is ``lm``.
    """

    def __init__(self, recipe: GateMixupRecipe, work: Path) -> None:
        torch.set_num_threads(1)
        self.settings, self.work, self.row = recipe.training, work, row_of(recipe)
        self.corpus = corpus = read_corpus(recipe.data, self.settings.seed)
        texts = [example.text for example in corpus.train]
        self.tokenizer = CharTokenizer.from_texts(texts, recipe.student.max_len)
        builder = GraphBuilder.from_texts(texts, recipe.graph)
        self.graphs = self._with_states(builder, recipe) if recipe.teacher.features == "lm" else builder
        self.train_set, self.dev_set = self.encode(corpus.train), self.encode(corpus.dev)
        torch.manual_seed(self.settings.seed)
        width = self.graphs.width if isinstance(self.graphs, GraphsWithStates) else 0
        self.network = GNNTeacher(recipe.teacher, builder.size, len(corpus.labels), width)
        if self.network.features:
            self.network.features.fit([graph.states for graph in self.train_set.graphs])
        self.label_loss = label_loss_for(self.train_set.labels, recipe.imbalance, self.settings.label_smoothing)
        self.trainee = Trainee(self.network, nn.Identity(), self.settings.gradient_clip)
        steps = self.settings.initial_epochs * epoch_steps(
            len(self.train_set), self.settings.batch_size, self.settings.epoch_steps
        )
        warmup = round(self.settings.warmup_share * steps)
        self.trainee.begin_cosine(self.settings.teacher_lr, self.settings.weight_decay, warmup, steps)

    def encode(self, examples: Sequence[Example]) -> EncodedExamples:
        """Return ``examples`` with their graphs."""
        return encode_examples(examples, self.corpus.labels, self.tokenizer, self.graphs)

    def learn(self) -> None:
        """Train for one epoch."""
        self.network.train()
        for batch in self.train_set.shuffled(self.settings.batch_size, self.settings.epoch_steps):
            self.trainee.step(self._loss(batch))

    def _loss(self, batch: Batch) -> Tensor:
        answers = self.network.answers(self.network.encode(batch.graphs))
        return mean_loss(answers, lambda logits: self.label_loss(logits, batch.labels))

    @torch.no_grad()
    def score(self, examples: EncodedExamples) -> dict[str, float]:
        """Return accuracy and macro-F1."""
        self.network.eval()
        logits: list[Tensor] = [self.network(batch.graphs) for batch in examples.in_order(_EVALUATION_BATCH)]
        return score(examples.labels, torch.cat(logits))

    def _with_states(self, builder: GraphBuilder, recipe: GateMixupRecipe) -> GraphsWithStates:
        """Ask the language model about the texts of all splits; it sees no label."""
        corpus = self.corpus
        lm = read_frozen(Path(recipe.teacher.lm), corpus.fingerprint, recipe.graph.max_len)
        folder = self.work / f"{corpus.fingerprint[:16]}-{lm.sha256[:16]}-{recipe.graph.max_len}"
        return graphs_with_states(builder, lm, corpus.texts, folder, torch.device("cpu"))


if __name__ == "__main__":
    run_command(command, "python -m benchmarks.graph_network")
