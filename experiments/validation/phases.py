"""Phases: the backward pass and the optimizer of a training step, each as a step of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle

import numpy as np
import torch
from torch import Tensor, nn

from ...models.dlrm import DLRM
from ...models.inputs import Batch
from ...models.loss import click_loss
from ...profiling.processes.configuration import Workload
from .frozen import Whole, frozen
from .workloads import model_batches

GRADIENT_BYTES = 256 * 2**20  # that one model's batches may hold at once
MOST_BATCHES = 32
RATE = 1e-9  # of the optimizer, so that the same gradients may be applied over and over


def phases(names: Sequence[str], traces: str) -> Workload:
    """Two steps per training model of the frozen list, "backward NAME" and "optimizer NAME"."""
    kept = np.load(traces)
    steps: dict[str, Callable[[], None]] = {}
    for whole in frozen().models:
        if whole.name in set(names):
            steps |= _phases(whole, kept)
    return Workload(steps)


def _phases(whole: Whole, kept: np.lib.npyio.NpzFile) -> dict[str, Callable[[], None]]:
    config, batches = model_batches(whole, kept)
    model = DLRM(config)
    held = 4 * whole.batch * whole.pooling * sum(table.dim for table in config.tables) + 4 * config.dense_parameters
    chosen = batches[: max(1, min(MOST_BATCHES, GRADIENT_BYTES // held))]
    losses = [_loss(model, batch) for batch in chosen]
    weights = list(model.parameters())
    gradients = [_gradients(value, weights) for value in losses]
    return {
        f"backward {whole.name}": _backward(losses, weights),
        f"optimizer {whole.name}": _optimizer(gradients, weights),
    }


def _loss(model: DLRM, batch: Batch) -> Tensor:
    return click_loss(model(batch.dense, batch.indices, batch.offsets), batch.label, "bce")


def _gradients(value: Tensor, weights: Sequence[nn.Parameter]) -> list[Tensor | None]:
    _forget(weights)
    torch.autograd.backward(value, retain_graph=True)
    return [weight.grad for weight in weights]


def _forget(weights: Sequence[nn.Parameter]) -> None:
    for weight in weights:
        weight.grad = None


def _backward(losses: Sequence[Tensor], weights: Sequence[nn.Parameter]) -> Callable[[], None]:
    """The recorded graphs in turn; gradients are made anew, as after zero_grad."""
    turn = cycle(losses)

    def step() -> None:
        _forget(weights)
        torch.autograd.backward(next(turn), retain_graph=True)

    return step


def _optimizer(gradients: Sequence[Sequence[Tensor | None]], weights: Sequence[nn.Parameter]) -> Callable[[], None]:
    """SGD on the same memory under other names, as a graph refuses to go through weights that changed since."""
    own = [nn.Parameter(weight.data) for weight in weights]
    optimizer = torch.optim.SGD(own, lr=RATE)
    turn = cycle(gradients)

    def step() -> None:
        for weight, gradient in zip(own, next(turn), strict=True):
            weight.grad = gradient
        optimizer.step()
        optimizer.zero_grad()

    return step
