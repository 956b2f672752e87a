"""Workloads: a recommendation model's steps by batch, built in a process of their own from JSON."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import chain, repeat
from typing import Any, Literal

import msgspec
import torch
from torch import Tensor, nn

from ... import HotrowError
from ...models.backends.backends import make_backend
from ...models.config import ModelConfig
from ...models.dlrm import DLRM
from ...models.fast.inference import Predict
from ...models.inputs import Batch, Batches, uniform_trace
from ...models.quantization.inference import quantized
from ...models.roles import role
from ...models.workload import Step, forward_step, training_step
from ...profiling.gpu import require_cuda
from ...profiling.measurement import Fact
from ...profiling.processes.configuration import Workload
from ...tracegen import files
from .bottlenecks import prepared
from .int8_tables import Int8Table, quantize_tables
from .on_cuda import CUDA, Moved, graph_step, moved
from .traces import batches_for, samples_for

Mode = Literal["inference", "forward", "training"]
Precision = Literal["fp32", "bf16", "int8-tables"]
DEVICES = ("cpu", "cuda", "cuda-graph")
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "int8-tables": torch.float32}


def dlrm(
    config: dict[str, Any],
    batches: Sequence[int],
    modes: Sequence[Mode] = ("inference", "training"),
    trace: str | None = None,
    precision: Precision = "fp32",
    device: str = "cpu",
    backend: str = "eager",
    seed: int = 0,
) -> Workload:
    """Steps "`mode` B" of a model for every batch B; its output is the probabilities of a largest batch.

    inference: the model as it serves. forward: the same with gradients recorded, as the first half of training.
    backend: who runs inference, of models.backends. trace: a file; ids uniform over the tables where it is left out.
    All kinds of step share the weights; each begins at other batches, so that none finds in cache what another read.
    """
    model_config = msgspec.convert(config, ModelConfig)
    frozen = precision == "int8-tables" or backend != "eager"
    _check(modes, precision, device, backend, frozen)
    sets = _batches(model_config, batches, trace, seed)
    model = DLRM(model_config, seed, DTYPES[precision])
    predict = predictor(model, backend, precision, sets[max(batches)][0])
    if device != "cpu":
        require_cuda()
        model.to(CUDA)
    steps = {}
    for k, mode in enumerate(modes):
        own = model if mode == "inference" else sharing_weights(model)
        for size, chosen in sets.items():
            start = k * len(chosen) // len(modes)
            turned = [*chosen[start:], *chosen[:start]]
            steps[f"{mode} {size}"] = _step(mode, own, predict if frozen else None, device, turned)
    widest = sets[max(batches)][0]  # more numbers to compare
    shown = widest if device == "cpu" else moved(widest, CUDA)
    facts: dict[str, Fact] = {
        "model": model_config.name,
        "precision": precision,
        "device": device,
        "backend": backend,
        "seed": seed,
        "index_distribution": "uniform" if trace is None else "trace",
        "parameter_bytes": sum(p.numel() * p.itemsize for p in (*model.parameters(), *_packed(model))),
        "batches_prepared": ", ".join(f"{len(chosen)} of {size}" for size, chosen in sets.items()),
    }
    return Workload(steps, partial(_output, predict, shown), facts, "cpu" if device == "cpu" else CUDA)


def _check(modes: Sequence[str], precision: str, device: str, backend: str, frozen: bool) -> None:
    """HotrowError for what does not exist or does not go together."""
    for what, value, known in (("precision", precision, tuple(DTYPES)), ("device", device, DEVICES)):
        if value not in known:
            raise HotrowError(f"{what} {value!r}; known are {', '.join(known)}")
    if frozen and device != "cpu":
        raise HotrowError(f"{precision} by backend {backend!r} on {device}; it is for the CPU")
    if (frozen or device == "cuda-graph") and set(modes) != {"inference"}:
        raise HotrowError(f"{precision} by backend {backend!r} on {device} cannot learn; choose --mode inference")


def _batches(config: ModelConfig, sizes: Sequence[int], trace: str | None, seed: int) -> dict[int, list[Batch]]:
    """Batches of every size, from the file of a trace or from uniform ids."""
    lookups = uniform_trace(config, samples_for(config, sizes), seed) if trace is None else files.read(trace)
    return {
        size: prepared(Batches(config, lookups, size, seed), len(sizes), batches_for(config, size)) for size in sizes
    }


def _step(mode: Mode, model: DLRM, predict: Predict | None, device: str, batches: list[Batch]) -> Step:
    """The step of one mode; `predict` instead of the model where it is given."""
    if predict is not None:
        return predicted_step(predict, batches)
    if device == "cpu":
        return MODES[mode](model, batches)
    return graph_step(model, batches) if device == "cuda-graph" else MODES[mode](model, Moved(CUDA, batches))


def predictor(model: DLRM, backend: str, precision: Precision, batch: Batch) -> Predict:
    """The model as `backend` runs it, called as the model is; its tables are changed where the precision says so."""
    if precision == "int8-tables" and backend == "fast":
        return quantized(model.requires_grad_(False), table_bits=8)
    if precision == "int8-tables":
        if backend != "eager":
            raise HotrowError(f"int8 tables by backend {backend!r}; choose eager or fast")
        quantize_tables(model)
    return model if backend == "eager" else make_backend(backend, model.requires_grad_(False), batch)


def predicted_step(predict: Predict, batches: Iterable[Batch]) -> Step:
    """Inference by whoever `predict` is."""
    stream = chain.from_iterable(repeat(batches))
    inference = torch.inference_mode()

    def step() -> Tensor:
        with role("data"):
            batch = next(stream)
        with inference:
            return predict(batch.dense, batch.indices, batch.offsets)

    return step


def recorded_step(model: DLRM, batches: Iterable[Batch]) -> Step:
    """The forward pass as training makes it, every operation recorded for its gradient, and no more."""
    model.requires_grad_(True)
    stream = chain.from_iterable(repeat(batches))

    def step() -> Tensor:
        with role("data"):
            batch = next(stream)
        probability: Tensor = model(batch.dense, batch.indices, batch.offsets)
        with role("release"):
            alone = probability.detach()
            del probability
        return alone

    return step


MODES: dict[str, Callable[[DLRM, Iterable[Batch]], Step]] = {
    "inference": forward_step,
    "forward": recorded_step,
    "training": training_step,
}


def sharing_weights(model: DLRM) -> DLRM:
    """A second model on the same memory, whose weights may want gradients while the first one's do not."""
    return copy.deepcopy(model, {id(p): nn.Parameter(p.data) for p in model.parameters()})


def _packed(model: DLRM) -> list[Tensor]:
    return [table.packed for table in model.tables if isinstance(table, Int8Table)]


def _output(predict: Predict, batch: Batch) -> Any:
    with torch.inference_mode():
        return predict(batch.dense, batch.indices, batch.offsets).cpu().numpy()
