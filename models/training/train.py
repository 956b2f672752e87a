"""Training: a model goes through the batches of its epochs; it can stop after any step and go on exactly there."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ... import HotrowError
from ..data.prefetch import prepared
from ..data.source import Source, batches
from ..dlrm import DLRM
from ..fast.training import FastForward
from ..inputs import Batch
from ..loss import Loss, click_loss
from ..roles import role
from .evaluation import evaluate, on_device
from .metrics import Metric, Metrics, better, known
from .optimizers import Kind, make_optimizer
from .schedule import FRESH, Plateau, PlateauState, Schedule


@dataclass(frozen=True)
class Training:
    """How to train.

    accumulate: batches whose gradients become one step, as if they were one batch. report_every: batches between points
    of the curve. test_every: batches between tests, and a test at the end of each epoch; 0: no tests. best_by: the
    metric that tells the best model. goals: stop after a test that reaches one of these values.
    """

    schedule: Schedule
    epochs: int = 1
    optimizer: Kind = "sgd"
    loss: Loss = "bce"
    loss_weights: tuple[float, float] = (1.0, 1.0)
    loss_threshold: float = 0.0
    accumulate: int = 1
    report_every: int = 1
    test_every: int = 0
    best_by: Metric = "accuracy"
    goals: tuple[tuple[Metric, float], ...] = ()
    plateau: Plateau | None = None

    def __post_init__(self) -> None:
        for name, least in (("epochs", 1), ("accumulate", 1), ("report_every", 1), ("test_every", 0)):
            if getattr(self, name) < least:
                raise HotrowError(f"{name} is {getattr(self, name)}; at least {least} is needed")
        known(self.best_by)
        if self.plateau is not None and not self.test_every:
            raise HotrowError("a plateau is seen in tests, but there are none; set --test-freq")

    def loss_of(self, probability: Tensor, label: Tensor) -> Tensor:
        """The mean loss of a batch."""
        return click_loss(probability, label, self.loss, self.loss_weights, self.loss_threshold)


@dataclass(frozen=True)
class Point:
    """A point of the training curve: after `batch` batches of `epoch`, the mean loss of the samples since the last."""

    epoch: int
    batch: int
    loss: float
    rate: float


@dataclass(frozen=True)
class Evaluated:
    """A test after `batch` batches of `epoch`; best: whether its model is the best so far."""

    epoch: int
    batch: int
    metrics: Metrics
    best: bool


@dataclass(frozen=True)
class Progress:
    """Where a training stands, besides its weights and its optimizer's state."""

    epoch: int = 0
    batch: int = 0  # batches done in this epoch
    steps: int = 0  # of the optimizer
    loss: float = 0.0  # sum over the samples since the last point
    samples: int = 0  # since the last point
    best: float | None = None
    plateau: PlateauState = FRESH
    points: tuple[Point, ...] = ()
    tests: tuple[Evaluated, ...] = ()
    reached: Metric | None = None  # the goal that ended the training


@dataclass(frozen=True)
class Done:
    """A batch that was trained on: its number (from 1) of `batches` in its epoch, and what came of it.

    seconds: for the batch itself, without the test. point, test: where one was due. whole: whether the weights hold all
    that was computed, so that the training can be kept and gone on with from here.
    """

    epoch: int
    batch: int
    batches: int
    seconds: float
    point: Point | None
    test: Evaluated | None
    whole: bool


class Trainer:
    """A training under way: model, optimizer and progress; `run` goes on from where it stands."""

    def __init__(self, model: DLRM, source: Source, training: Training, test: Source | None = None) -> None:
        model.requires_grad_(True)
        self.model, self.source, self.training, self.test = model, source, training, test
        self.forward = FastForward(model)
        self.optimizer = make_optimizer(training.optimizer, model)
        self.progress = Progress()

    def run(self) -> Iterator[Done]:
        """Train, one batch per item. Raises HotrowError where the loss is no number any more."""
        for epoch in range(self.progress.epoch, self.training.epochs):
            if self._ended():
                return
            if epoch > self.progress.epoch:
                self.progress = replace(self.progress, epoch=epoch, batch=0)
            begin = time.perf_counter()
            for batch in prepared(self.source, epoch, self.progress.batch):
                loss = self._learn(batch)
                yield self._record(loss, batch.samples, time.perf_counter() - begin)
                if self._ended():
                    return
                begin = time.perf_counter()

    def _ended(self) -> bool:
        return self.progress.reached is not None

    def weights(self) -> dict[str, Tensor] | None:
        """The whole model's weights by name; None in a process that keeps nothing."""
        return self.model.state_dict()

    def sums(self) -> dict[str, Tensor] | None:
        """The optimizer's whole state by parameter name; None in a process that keeps nothing."""
        return self.optimizer.state()

    def rate(self) -> float:
        """The learning rate of the next step."""
        return self.training.schedule.rate(self.progress.steps) * self.progress.plateau.scale

    def _learn(self, batch: Batch) -> float:
        """Forward, backward and, where a group of accumulated batches ends, a step; the batch's mean loss."""
        with role("data"):
            batch = on_device(batch, self.model)
        probability = self.forward(batch)
        with role("loss"):
            loss = self.training.loss_of(probability, batch.label)
            weighted = loss if self.training.accumulate == 1 else loss * (batch.samples / self._group_samples())
        with role("backward"):
            torch.autograd.backward(weighted)
        value = loss.item()
        self._require_number(value)
        if self._group_ends():
            with role("optimizer"):
                self.optimizer.step(self.rate(), self.forward.taken())
        return value

    def _require_number(self, loss: float) -> None:
        if not math.isfinite(loss):
            where = f"epoch {self.progress.epoch}, batch {self.progress.batch + 1}"
            raise HotrowError(f"the loss is {loss} at {where}; lower --learning-rate, or set --loss-threshold 1e-7")

    def _group_ends(self) -> bool:
        """Whether the batch in hand is the last of its accumulated group."""
        done = self.progress.batch + 1
        return done % self.training.accumulate == 0 or done == batches(self.source)

    def _group_samples(self) -> int:
        """Samples of the accumulated group of the batch in hand."""
        size = self.training.accumulate * self.source.size
        start = self.progress.batch // self.training.accumulate * size
        return min(size, self.source.samples - start)

    def _record(self, loss: float, samples: int, seconds: float) -> Done:
        """Count the batch in, report and test where that is due."""
        whole, rate = self._group_ends(), self.rate()
        now, number = self.progress, batches(self.source)
        batch = now.batch + 1
        now = replace(
            now, batch=batch, steps=now.steps + whole, loss=now.loss + loss * samples, samples=now.samples + samples
        )
        point = test = None
        if batch % self.training.report_every == 0 or batch == number:
            point = Point(now.epoch, batch, now.loss / now.samples, rate)
            now = replace(now, loss=0.0, samples=0, points=(*now.points, point))
        self.progress = now
        if self.training.test_every and (batch % self.training.test_every == 0 or batch == number):
            test = self._tested()
        return Done(now.epoch, batch, number, seconds, point, test, whole)

    def _evaluate(self, test: Source) -> Metrics:
        return evaluate(self.model, test, self.training.loss_of)

    def _tested(self) -> Evaluated | None:
        if self.test is None:
            return None
        now = self.progress
        metrics = self._evaluate(self.test)
        value = metrics.value(self.training.best_by)
        best = now.best is None or better(self.training.best_by, value, now.best)
        test = Evaluated(now.epoch, now.batch, metrics, best)
        plateau = self.training.plateau
        self.progress = replace(
            now,
            best=value if best else now.best,
            plateau=now.plateau if plateau is None else now.plateau.after(metrics.loss, plateau),
            tests=(*now.tests, test),
            reached=next((metric for metric, goal in self.training.goals if _reaches(metrics, metric, goal)), None),
        )
        return test


def _reaches(metrics: Metrics, metric: Metric, goal: float) -> bool:
    value = metrics.value(metric)
    return value == goal or better(metric, value, goal)
