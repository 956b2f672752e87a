"""ParallelDLRM: one process's part of a model whose tables are spread over processes (the butterfly shuffle).

Every process pools its own tables for the whole batch; an all-to-all hands every process all tables' vectors for its
slice of the batch; the MLPs, the same everywhere, work on that slice (Naumov et al. 2019, section 4).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

from ..config import ModelConfig
from ..dlrm import DLRM
from ..inputs import Batch
from .exchange import Exchange
from .placement import check_placement, slices


@dataclass
class RankTimes:
    """Seconds of a process so far, by what it did. backward: all of it, its exchange included in `exchange` as well."""

    lookup: float = 0.0
    exchange: float = 0.0
    mlp: float = 0.0
    backward: float = 0.0
    batches: int = 0


class ParallelDLRM(nn.Module):
    """The part of this process, of the default process group, with its tables of `placement` (a rank per table).

    `local` is a DLRM without the other processes' tables; its weights are those of the whole model drawn from `seed`.
    """

    def __init__(self, config: ModelConfig, placement: Sequence[int], seed: int = 0) -> None:
        super().__init__()
        self.rank, self.ranks = dist.get_rank(), dist.get_world_size()
        check_placement(config, placement, self.ranks)
        self.owned = [[k for k, rank in enumerate(placement) if rank == r] for r in range(self.ranks)]
        self.local = DLRM(config, seed, own=frozenset(self.owned[self.rank]))
        self.times = RankTimes()
        self._exchanges: list[Exchange] = []

    def forward(self, batch: Batch) -> Tensor:
        """Click probability of this process's slice of the batch; all processes must call it with the same batch."""
        model, times, dim = self.local, self.times, self.local.config.dim
        model.check(batch.dense, batch.indices, batch.offsets)
        bounds = slices(batch.samples, self.ranks)
        start, stop = bounds[self.rank]
        begin = time.perf_counter()
        own = self.owned[self.rank]
        pooled = [model.pool_table(k, batch.indices[k], batch.offsets[k], batch.samples) for k in own]
        stacked = torch.stack(pooled, dim=1) if own else batch.dense.new_empty(batch.samples, 0, dim).requires_grad_()
        looked_up = time.perf_counter()
        exchange = Exchange(
            [(last - first) * len(own) * dim for first, last in bounds],
            [(stop - start) * len(theirs) * dim for theirs in self.owned],
        )
        arriving = exchange.start(stacked.flatten())
        sent = time.perf_counter()
        bottom = model.bottom(batch.dense[start:stop])
        overlapped = time.perf_counter()
        vectors = self._by_table(exchange.finish(arriving), stop - start)
        arrived = time.perf_counter()
        logits = model.top(model.interaction(bottom, vectors)).squeeze(1)
        probability = torch.sigmoid(logits) if model.sigmoid_last else torch.relu(logits)
        times.lookup += looked_up - begin
        times.exchange += exchange.seconds
        times.mlp += overlapped - sent + time.perf_counter() - arrived
        times.batches += 1
        exchange.seconds = 0.0
        self._exchanges.append(exchange)
        return probability

    def backward(self, loss: Tensor) -> None:
        """Gradients of the mean loss over the whole batch, for `loss` this slice's share of it.

        All processes' MLPs get the same; a process's tables get theirs alone. They add to those that are there.
        """
        begin = time.perf_counter()
        torch.autograd.backward(loss)
        self.times.backward += time.perf_counter() - begin
        self.times.exchange += sum(exchange.seconds for exchange in self._exchanges)
        self._exchanges.clear()

    def forget(self) -> None:
        """Count the exchanges of forward passes that had no backward pass, and forget them."""
        self._exchanges.clear()

    def sum_gradients(self) -> None:
        """Add up the MLPs' gradients of all processes."""
        begin = time.perf_counter()
        shared = [p for name, p in self.local.named_parameters() if not name.startswith("tables.")]
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in shared]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat)
        for parameter, part in zip(shared, flat.split([p.numel() for p in shared]), strict=True):
            parameter.grad = part.view_as(parameter)
        spent = time.perf_counter() - begin
        self.times.backward += spent
        self.times.exchange += spent

    def _by_table(self, received: Tensor, samples: int) -> list[Tensor]:
        """Vectors [samples, dim] of every table, in the model's order, from what came by rank."""
        dim = self.local.config.dim
        vectors: dict[int, Tensor] = {}
        sizes = [samples * len(theirs) * dim for theirs in self.owned]
        for theirs, part in zip(self.owned, received.split(sizes), strict=True):
            for k, vector in zip(theirs, part.view(samples, len(theirs), dim).unbind(1), strict=True):
                vectors[k] = vector
        return [vectors[k] for k in range(len(vectors))]
