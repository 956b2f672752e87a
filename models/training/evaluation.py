"""Evaluation and inference: a model's predictions on batches, without gradients and without changing anything."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..data.prefetch import prepared
from ..data.source import Source
from ..dlrm import DLRM
from ..fast.inference import Predict, faster
from ..inputs import Batch
from ..loss import click_loss
from .metrics import Metrics, StreamingMetrics

LossOf = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Prediction:
    """A batch's click probabilities, float32 [samples], its labels [samples], and the seconds the model took."""

    probability: NDArray[np.float32]
    label: NDArray[np.float32]
    seconds: float


def infer(model: DLRM, source: Source, run: Predict | None = None) -> Iterator[Prediction]:
    """The predictions for every batch of `source`, in order. run: called as the model, in its place."""
    with frozen(model):
        predict = run or faster(model, source.size)
        for batch in prepared(source, 0):
            moved = on_device(batch, model)
            begin = time.perf_counter()
            with torch.inference_mode():
                probability = predict(moved.dense, moved.indices, moved.offsets).cpu()
            seconds = time.perf_counter() - begin
            yield Prediction(probability.numpy(), batch.label.numpy(), seconds)


def evaluate(model: DLRM, source: Source, loss_of: LossOf = click_loss, run: Predict | None = None) -> Metrics:
    """Metrics of the model, or of `run` in its place, on all samples. loss_of: a batch's mean loss."""
    metrics = StreamingMetrics()
    for prediction in infer(model, source, run):
        probability, label = torch.from_numpy(prediction.probability), torch.from_numpy(prediction.label)
        metrics.add(prediction.probability, prediction.label, loss_of(probability, label).item())
    return metrics.result()


@contextmanager
def frozen(model: DLRM) -> Iterator[None]:
    """No parameter wants a gradient meanwhile: one that does takes a slower lookup even where none is recorded."""
    wanted = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in wanted:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in wanted:
            parameter.requires_grad_(True)


def on_device(batch: Batch, model: DLRM) -> Batch:
    """The batch where the model's weights are."""
    device = next(model.parameters()).device
    if device.type == "cpu":
        return batch
    return Batch(
        batch.dense.to(device),
        tuple(indices.to(device) for indices in batch.indices),
        tuple(offsets.to(device) for offsets in batch.offsets),
        batch.label.to(device),
    )
