"""ParallelTrainer: a training whose tables are spread over processes and whose losses are those of one process."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from ... import HotrowError
from ..data.prefetch import prepared
from ..data.source import Source
from ..inputs import Batch
from ..training.evaluation import on_device
from ..training.metrics import Metrics, StreamingMetrics
from ..training.train import Trainer, Training
from .model import ParallelDLRM
from .placement import slices

PATIENCE = timedelta(seconds=120)  # for another process in an exchange, before the job ends


def processes() -> int:
    """How many processes torchrun has started for this job; 1 without it."""
    if "RANK" not in os.environ:  # other launchers set WORLD_SIZE too
        return 1
    size = os.environ.get("WORLD_SIZE", "1")
    if not size.isdecimal():
        raise HotrowError(f"WORLD_SIZE={size}: a number of processes is needed; start them with torchrun")
    return int(size)


@contextmanager
def process_group(cuda: bool = False) -> Iterator[None]:
    """Join torchrun's other processes, by gloo and, for tensors on GPUs, by NCCL.

    What goes wrong between processes is raised as a HotrowError that says so.
    """
    try:
        dist.init_process_group("cpu:gloo,cuda:nccl" if cuda else "gloo", timeout=PATIENCE)
        yield
    except (RuntimeError, dist.DistError) as error:
        if not _between_processes(error):
            raise
        reason = str(error).splitlines()[0]
        rank = os.environ.get("RANK", "?")
        raise HotrowError(
            f"rank {rank}: another process of the job is gone or silent, so this one ends ({reason})"
        ) from error
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


class ParallelTrainer(Trainer):
    """As Trainer, in every process of the group at once; the curves are the same in all of them."""

    def __init__(self, model: ParallelDLRM, source: Source, training: Training, test: Source | None = None) -> None:
        super().__init__(model.local, source, training, test)
        self.parallel = model

    def weights(self) -> dict[str, Tensor] | None:
        """As Trainer's, on rank 0; every process must call it."""
        return whole_state(self.parallel, self.model.state_dict())

    def sums(self) -> dict[str, Tensor] | None:
        """As Trainer's, on rank 0; every process must call it."""
        return whole_state(self.parallel, self.optimizer.state())

    def infer(self, source: Source) -> Metrics:
        """Metrics of the model on all samples of a source; every process must call it."""
        return self._evaluate(source)

    def _learn(self, batch: Batch) -> float:
        batch = on_device(batch, self.model)
        probability = self.parallel(batch)
        start, stop = slices(batch.samples, self.parallel.ranks)[self.parallel.rank]
        own = stop - start
        loss = self.training.loss_of(probability, batch.label[start:stop]) if own else probability.sum()
        share = own / (batch.samples if self.training.accumulate == 1 else self._group_samples())
        self.parallel.backward(loss * share)
        total = torch.tensor(loss.item() * own if own else 0.0, dtype=torch.float64)
        dist.all_reduce(total)
        value = float(total) / batch.samples
        self._require_number(value)
        if self._group_ends():
            self.parallel.sum_gradients()
            self.optimizer.step(self.rate())
        return value

    def _evaluate(self, test: Source) -> Metrics:
        metrics = StreamingMetrics()
        with torch.no_grad():
            for batch in prepared(test, 0):
                probability = gathered(self.parallel(on_device(batch, self.model)).cpu(), batch.samples)
                loss = self.training.loss_of(probability, batch.label)
                metrics.add(probability.numpy(), batch.label.numpy(), loss.item())
        self.parallel.forget()
        return metrics.result()


def gathered(own: Tensor, samples: int) -> Tensor:
    """The whole batch's numbers [samples] from every process's slice of them."""
    bounds = slices(samples, dist.get_world_size())
    longest = max(stop - start for start, stop in bounds)
    padded = own.new_zeros(longest)
    padded[: len(own)] = own
    parts = [torch.empty_like(padded) for _ in bounds]
    dist.all_gather(parts, padded)
    return torch.cat([part[: stop - start] for part, (start, stop) in zip(parts, bounds, strict=True)])


def whole_state(model: ParallelDLRM, own: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
    """`own` and, of the other processes', what belongs to their tables, on rank 0; None elsewhere.

    own: tensors by the name of a parameter. Every process must call it.
    """
    names: list[Any] = [None] * model.ranks
    dist.all_gather_object(names, {name: (tuple(value.shape), value.dtype) for name, value in own.items()})
    state = dict(own) if model.rank == 0 else None
    for rank in range(1, model.ranks):
        for name, (shape, dtype) in names[rank].items():
            if not name.startswith("tables."):
                continue
            if model.rank == rank:
                dist.send(own[name].cpu().contiguous(), 0)
            elif state is not None:
                state[name] = torch.empty(shape, dtype=dtype)
                dist.recv(state[name], rank)
    return state


def all_times(model: ParallelDLRM) -> list[dict[str, Any]]:
    """Every process's seconds of lookup, exchange, MLP and backward, with its tables; the same in all processes."""
    parts: list[Any] = [None] * model.ranks
    tables = model.owned[model.rank]
    config = model.local.config
    size = 4 * sum(config.tables[k].parameters for k in tables)
    mine = {"rank": model.rank, "tables": tables, "table_bytes": size, **dataclasses.asdict(model.times)}
    dist.all_gather_object(parts, mine)
    return parts


def _between_processes(error: BaseException) -> bool:
    text = str(error).lower()
    return isinstance(error, dist.DistError) or any(
        word in text for word in ("gloo", "connection", "timed out", "timeout", "socket", "nccl", "store")
    )
