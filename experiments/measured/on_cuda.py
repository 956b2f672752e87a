"""Steps on a GPU: every batch is moved there, which counts; or copied to where a captured graph reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, repeat

import torch
from torch import Tensor

from ... import HotrowError
from ...models.dlrm import DLRM
from ...models.inputs import Batch
from ...models.workload import Step
from ...profiling.gpu import graph_replay

CUDA = "cuda"


@dataclass(frozen=True, eq=False)
class Moved:
    """Batches moved to a device as they are asked for, so that a step pays for the transfer."""

    device: str
    batches: Sequence[Batch]

    def __iter__(self) -> Iterator[Batch]:
        return (moved(batch, self.device) for batch in self.batches)


def moved(batch: Batch, device: str) -> Batch:
    """The batch on a device."""

    def there(tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        return tuple(x.to(device, non_blocking=True) for x in tensors)

    (dense, label) = there((batch.dense, batch.label))
    return Batch(dense, there(batch.indices), there(batch.offsets), label)


def graph_step(model: DLRM, batches: Sequence[Batch]) -> Step:
    """Inference on one batch after the other: each is copied to where a captured graph reads it, then replayed."""
    model.requires_grad_(False)
    place = moved(batches[0], CUDA)
    made: list[Tensor] = []

    @torch.inference_mode()
    def run() -> None:
        made[:] = [model(place.dense, place.indices, place.offsets)]

    return copied_step(batches, place, graph_replay(run), lambda: made[0])


def copied_step(
    batches: Sequence[Batch], place: Batch, replay: Callable[[], object], result: Callable[[], Tensor]
) -> Step:
    """Copy the next batch into `place`, then `replay`. Raises HotrowError where batches differ in their shapes."""
    for batch in batches:
        for ours, its in zip(_tensors(place), _tensors(batch), strict=True):
            if ours.shape != its.shape:
                raise HotrowError("a CUDA graph reads batches of one shape; these bags hold varying numbers of ids")
    stream = chain.from_iterable(repeat(batches))

    def step() -> Tensor:
        for ours, its in zip(_tensors(place), _tensors(next(stream)), strict=True):
            ours.copy_(its, non_blocking=True)
        replay()
        return result()

    return step


def _tensors(batch: Batch) -> tuple[Tensor, ...]:
    """What inference reads."""
    return (batch.dense, *batch.indices, *batch.offsets)
