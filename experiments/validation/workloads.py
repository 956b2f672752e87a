"""Workloads of validation: every configuration of the frozen list as a step, in processes of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle, product

import numpy as np
import torch
from torch import Tensor

from ...models.config import ModelConfig
from ...models.dlrm import DLRM
from ...models.flat import flat_memory
from ...models.inputs import Batch, Batches
from ...models.interaction import Dot
from ...models.tables import TableConfig
from ...models.workload import forward_step, training_step
from ...profiling.operators import Library, linear
from ...profiling.processes.configuration import Workload
from ..measured.bottlenecks import prepared
from ..measured.traces import batches_for, samples_for
from .frozen import Bag, Layer, Whole, frozen
from .streams import bag_calls, model_config, model_trace

SUM = 0
INTERACTIONS = tuple(product((1, 64, 1024), (5, 13, 27), (16, 32, 64)))  # batch, vectors, dim; to develop on


def bags(names: Sequence[str], traces: str) -> Workload:
    """embedding_bag as the frozen list says, one step per name; all tables lie in one allocation on large pages."""
    chosen: list[Bag] = [bag for bag in frozen().bags if bag.name in set(names)]
    kept = np.load(traces)
    needed = {name: kept[name] for name in {bag.ids for bag in chosen} & set(kept.files)}
    memory = flat_memory(max(bag.rows * bag.dim * 4 for bag in chosen)).view(torch.float32)
    memory.fill_(0.5)
    steps = {bag.name: _bag(bag, memory, bag_calls(bag, needed)) for bag in chosen}
    return Workload(steps, facts={"index_distribution": "as the frozen list says"})


def _bag(bag: Bag, memory: Tensor, calls: np.ndarray) -> Callable[[], Tensor]:
    weight = memory[: bag.rows * bag.dim].view(bag.rows, bag.dim)
    offsets = torch.arange(0, bag.lookups + 1, bag.pooling, dtype=torch.int32)
    turn = cycle(list(torch.from_numpy(calls)))

    def step() -> Tensor:
        return torch.embedding_bag(weight, next(turn), offsets, False, SUM, True, None, True)[0]

    return step


def layers(names: Sequence[str], library: Library) -> Workload:
    """Linear layers of one library, one step per name."""
    chosen: list[Layer] = [layer for layer in frozen().layers if layer.name in set(names)]
    made = linear([(layer.batch, layer.inputs, layer.outputs) for layer in chosen], library)
    return Workload({layer.name: step for layer, step in zip(chosen, made.steps.values(), strict=True)})


def models(names: Sequence[str], traces: str) -> Workload:
    """Whole models in inference or training, one step per name."""
    kept = np.load(traces)
    return Workload({whole.name: _model(whole, kept) for whole in frozen().models if whole.name in set(names)})


def _model(whole: Whole, kept: np.lib.npyio.NpzFile) -> Callable[[], Tensor]:
    config, chosen = model_batches(whole, kept)
    make = forward_step if whole.mode == "inference" else training_step
    return make(DLRM(config), chosen)


def model_batches(whole: Whole, kept: np.lib.npyio.NpzFile) -> tuple[ModelConfig, list[Batch]]:
    """The model of a configuration and the batches that its steps go through."""
    config = model_config(whole)
    needed = {whole.ids: kept[whole.ids]} if whole.ids in kept.files else {}
    trace = model_trace(whole, samples_for(config, (whole.batch,)), needed)
    return config, prepared(Batches(config, trace, whole.batch), 1, batches_for(config, whole.batch))


def interactions() -> Workload:
    """Dot products of all vectors of a sample, one step per size, called "dot batch×vectors×dim"."""
    steps = {}
    for batch, vectors, dim in INTERACTIONS:
        made = [torch.rand(batch, dim) for _ in range(vectors)]
        steps[f"dot {batch}×{vectors}×{dim}"] = _without_gradients(Dot(vectors, False), made)
    return Workload(steps)


def _without_gradients(layer: Dot, made: Sequence[Tensor]) -> Callable[[], Tensor]:
    def step() -> Tensor:
        with torch.inference_mode():
            pooled: Tensor = layer(made[0], made[1:])
        return pooled

    return step


def interaction_config(vectors: int, dim: int) -> ModelConfig:
    """The smallest model with such an interaction."""
    tables = tuple(TableConfig(f"t{k}", 1, dim) for k in range(vectors - 1))
    return ModelConfig(f"dot {vectors}×{dim}", 1, (dim,), (1,), "dot", tables)
