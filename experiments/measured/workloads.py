"""Workloads: a recommendation model's steps by batch, built in a process of their own from JSON."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import msgspec
import torch
from torch import nn

from ... import HotrowError
from ...models.config import ModelConfig
from ...models.dlrm import DLRM
from ...models.inputs import Batch, Batches, uniform_trace
from ...models.workload import forward_step, training_step
from ...profiling.configuration import Workload
from ...profiling.measurement import Fact
from ...tracegen import files
from .bottlenecks import prepared

Mode = Literal["forward", "training"]
Precision = Literal["fp32", "bf16"]
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def dlrm(
    config: dict[str, Any],
    batches: Sequence[int],
    modes: Sequence[Mode] = ("forward", "training"),
    trace: str | None = None,
    precision: Precision = "fp32",
    device: str = "cpu",
    seed: int = 0,
) -> Workload:
    """Steps "forward B" and "training B" of a model for every batch B; its output is the first batch's probabilities.

    trace: a file; ids uniform over the tables where it is left out. Both kinds of step share the weights.
    """
    model_config = msgspec.convert(config, ModelConfig)
    if precision not in DTYPES:
        raise HotrowError(f"precision {precision!r}; known are {', '.join(DTYPES)}")
    lookups = uniform_trace(model_config, 4 * max(batches), seed) if trace is None else files.read(trace)
    sets = {size: prepared(Batches(model_config, lookups, size, seed), len(batches)) for size in batches}
    model = DLRM(model_config, seed, DTYPES[precision])
    if device == "cuda":
        from ...profiling.gpu import require_cuda

        require_cuda()
        model.to(device)
    steps = {}
    for mode in modes:
        own = model if mode == "forward" else sharing_weights(model)
        make = forward_step if mode == "forward" else training_step
        for size, chosen in sets.items():
            steps[f"{mode} {size}"] = make(own, _on(device, chosen))
    first = next(iter(_on(device, sets[batches[0]][:1])))
    facts: dict[str, Fact] = {
        "model": model_config.name,
        "precision": precision,
        "device": device,
        "seed": seed,
        "index_distribution": "uniform" if trace is None else "trace",
        "parameter_bytes": model_config.parameters * DTYPES[precision].itemsize,
        "largest_batches": min(len(chosen) for chosen in sets.values()),
    }
    return Workload(steps, partial(_output, model, first), facts, device)


def sharing_weights(model: DLRM) -> DLRM:
    """A second model on the same memory, whose weights may want gradients while the first one's do not."""
    return copy.deepcopy(model, {id(p): nn.Parameter(p.data) for p in model.parameters()})


def _output(model: DLRM, batch: Batch) -> Any:
    with torch.inference_mode():
        return model(batch.dense, batch.indices, batch.offsets).cpu().numpy()


@dataclass(frozen=True, eq=False)
class _Moved:
    """Batches moved to a device as they are asked for, so that a step pays for the transfer."""

    device: str
    batches: Sequence[Batch]

    def __iter__(self) -> Iterator[Batch]:
        for batch in self.batches:
            yield Batch(
                batch.dense.to(self.device, non_blocking=True),
                tuple(x.to(self.device, non_blocking=True) for x in batch.indices),
                tuple(x.to(self.device, non_blocking=True) for x in batch.offsets),
                batch.label.to(self.device, non_blocking=True),
            )


def _on(device: str, batches: Sequence[Batch]) -> Sequence[Batch] | _Moved:
    return batches if device == "cpu" else _Moved(device, batches)
