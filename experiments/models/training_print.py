"""What hotrow train prints: the DLRM benchmark's progress line, tests, and debug mode's architecture and numbers."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch

from ...models.config import ModelConfig
from ...models.data.source import Source, batches
from ...models.dlrm import DLRM
from ...models.training.metrics import Metric, Metrics, better
from ...models.training.train import Done

Say = Callable[[str], None]


class Printer:
    """Prints a training's progress; remembers the time since its last line and the best test."""

    def __init__(self, say: Say, best_by: Metric, times: bool = False, wall_time: bool = False) -> None:
        self._say, self._best_by, self._times, self._wall_time = say, best_by, times, wall_time
        self._seconds, self._batches = 0.0, 0
        self._best: float | None = None

    def batch(self, done: Done) -> None:
        """Print what is due after a batch."""
        self._seconds, self._batches = self._seconds + done.seconds, self._batches + 1
        where = f"{done.batch}/{done.batches} of epoch {done.epoch}"
        if done.point is not None:
            each = 1e3 * self._seconds / self._batches if self._times else -1.0
            wall = f" ({time.strftime('%H:%M')})" if self._wall_time else ""
            self._say(f"Finished training it {where}, {each:.2f} ms/it, loss {done.point.loss:.6f}{wall}")
            self._seconds, self._batches = 0.0, 0
        if done.test is not None:
            metrics = done.test.metrics
            value = metrics.value(self._best_by)
            if self._best is None or better(self._best_by, value, self._best):
                self._best = value
            self._say(f"Testing at - {where}, {self.metrics(metrics)}, best {self._named(self._best)}")

    @staticmethod
    def metrics(metrics: Metrics) -> str:
        """Metrics in words."""
        words = [f"loss {metrics.loss:.6f}", f"accuracy {100 * metrics.accuracy:.3f} %"]
        if metrics.auc is not None:
            words.append(f"auc {metrics.auc:.6f}")
        if metrics.normalised_entropy is not None:
            words.append(f"normalised entropy {metrics.normalised_entropy:.6f}")
        return ", ".join(words)

    def _named(self, value: float) -> str:
        if self._best_by == "accuracy":
            return f"{100 * value:.3f} %"
        return f"{self._best_by.replace('_', ' ')} {value:.6f}"


def print_architecture(config: ModelConfig, say: Say) -> None:
    """Print layers, widths and tables, in the benchmark's words."""
    say("model arch:")
    say(f"mlp top arch {len(config.top)} layers, with input to output dimensions:")
    say(_widths(config.interaction_width, config.top))
    say(f"# of interactions\n{config.interaction_width}")
    say(f"mlp bot arch {len(config.bottom)} layers, with input to output dimensions:")
    say(_widths(config.dense, config.bottom))
    say(f"# of features (sparse and dense)\n{config.vectors}")
    say(f"dense feature size\n{config.dense}")
    say(f"sparse feature size\n{config.dim}")
    say(f"# of embeddings (= # of sparse features) {len(config.tables)}, with dimensions {config.dim}x:")
    say(str(np.array([table.rows for table in config.tables])))


def print_batches(source: Source, say: Say) -> None:
    """Print every batch of the first epoch: dense features, bag sizes, rows and labels.

    A batch depends on nothing but its number, so printing it changes none.
    """
    say("data (inputs and targets):")
    for k in range(batches(source)):
        batch = source.batch(0, k)
        say(f"mini-batch: {k}")
        say(str(batch.dense))
        say(str(torch.stack([starts.diff().int() for starts in batch.offsets])))
        say(str([rows.long() for rows in batch.indices]))
        say(str(batch.label[:, None]))


def print_parameters(model: DLRM, precision: int, say: Say) -> None:
    """Print the weights of tables, bottom and top MLP, then what is left."""
    names = [name for name, _ in model.named_parameters()]
    parts = ("tables.", "bottom.", "top.")
    ordered = [name for part in parts for name in names if name.startswith(part)]
    ordered += [name for name in names if name not in ordered]
    with np.printoptions(precision=precision):
        for name in ordered:
            say(str(model.get_parameter(name).detach().float().cpu().numpy()))


def _widths(inputs: int, outputs: tuple[int, ...]) -> str:
    return str(np.array([inputs, *outputs]))
