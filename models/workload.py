"""Steps to run and profile: forward, and training; both are called without arguments."""

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

from .. import HotrowError
from .dlrm import DLRM
from .inputs import Batch
from .loss import Loss, click_loss
from .roles import role

Step = Callable[[], Tensor]


def forward_step(model: DLRM, batches: Iterable[Batch]) -> Step:
    """Inference on one batch after the other, over and over; returns the probabilities [samples].

    Freezes the model: a weight that wants a gradient takes a slower lookup even where none is recorded.
    """
    model.requires_grad_(False)
    stream = _endless(batches)
    inference = torch.inference_mode()

    def step() -> Tensor:
        with role("data"):
            batch = next(stream)
        with inference:
            probability: Tensor = model(batch.dense, batch.indices, batch.offsets)
        return probability

    return step


def training_step(model: DLRM, batches: Iterable[Batch], rate: float = 0.1, loss: Loss = "bce") -> Step:
    """One step of SGD at learning rate `rate`, tables by sparse gradients, on one batch after the other.

    Returns the loss. The model's weights change with every call.
    """
    model.requires_grad_(True)
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    stream = _endless(batches)

    def step() -> Tensor:
        with role("data"):
            batch = next(stream)
        probability = model(batch.dense, batch.indices, batch.offsets)
        with role("loss"):
            value = click_loss(probability, batch.label, loss)
        with role("backward"):
            torch.autograd.backward(value)
        with role("optimizer"):
            optimizer.step()
            optimizer.zero_grad()
        return value.detach()

    return step


def _endless(batches: Iterable[Batch]) -> Iterator[Batch]:
    while True:
        empty = True
        for batch in batches:
            empty = False
            yield batch
        if empty:
            raise HotrowError("no batches to run on; the trace is shorter than one batch")
