"""RecipeSource: the DLRM benchmark's own random data and initial weights, number for number, its habits included.

For comparing results with the benchmark's. Its bags drop repeated rows, so that a fixed size is not fixed; the first
and the last row of a table have half the chance of the others; all numbers come from one stream, one bag after the
other, so that this is slow. RandomSource has none of this. Source: facebookresearch/dlrm, observed behaviour.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ... import HotrowError
from ..config import ModelConfig
from ..dlrm import DLRM
from ..inputs import Batch
from ..tables import Plain
from .distributions import UNIFORM_ROWS, Distribution, Gaussian, Pooling, Uniform
from .source import bounds


@dataclass(frozen=True, eq=False)
class RecipeSource:
    """As RandomSource; one pooling for all tables, and uniform or Gaussian rows.

    A batch needs the numbers of all batches before it: asking for them in their order is quick.
    """

    config: ModelConfig
    samples: int
    size: int
    seed: int
    pooling: Pooling
    distribution: Distribution = UNIFORM_ROWS
    round_labels: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.distribution, Uniform | Gaussian):
            raise HotrowError("the benchmark's recipe has uniform and Gaussian rows; others need --recipe=hotrow")

    @property
    def notes(self) -> tuple[str, ...]:
        """What these data are, in words."""
        return (f"the DLRM benchmark's own random data, seed {self.seed}: repeated rows of a bag are dropped",)

    def batch(self, epoch: int, k: int) -> Batch:
        """Batch number k of an epoch; every epoch has the same."""
        stream = self._stream
        if k < stream.next:
            stream.restart(self.seed)
        while stream.next < k:
            self._draw(stream)
        return self._draw(stream)

    def _draw(self, stream: _Stream) -> Batch:
        start, stop = bounds(self, stream.next)
        n, rng = stop - start, stream.rng
        dense = rng.random_sample((n, self.config.dense)).astype(np.float32)
        lookups = [self._bags(rng, table.rows, n) for table in self.config.tables]
        label = rng.random_sample((n, 1)).astype(np.float32)[:, 0]
        stream.next += 1
        return Batch(
            torch.from_numpy(dense),
            tuple(torch.from_numpy(np.concatenate(bags).astype(np.int32)) for bags in lookups),
            tuple(torch.tensor(np.cumsum([0, *map(len, bags)]), dtype=torch.int32) for bags in lookups),
            torch.from_numpy(np.rint(label) if self.round_labels else label),
        )

    def _bags(self, rng: np.random.RandomState, rows: int, samples: int) -> list[NDArray[np.int64]]:
        bags = []
        for _ in range(samples):
            size = self.pooling.size
            if self.pooling.varies:
                size = int(np.rint(max(1.0, rng.random_sample() * min(rows, size))))
            bags.append(self._bag(rng, rows, size))
        return bags

    def _bag(self, rng: np.random.RandomState, rows: int, size: int) -> NDArray[np.int64]:
        law = self.distribution
        if isinstance(law, Gaussian):
            low, high = law.low, rows - 1 if law.high is None else min(law.high, rows - 1)
            mean = (low + high) / 2 if law.mean is None else law.mean
            deviation = (high - low) / 6 if law.deviation is None else law.deviation
            return np.unique(np.clip(rng.normal(mean, deviation, size), low, high)).astype(np.int64)
        return np.unique(np.rint(rng.random_sample(size) * (rows - 1)).astype(np.int64))

    @cached_property
    def _stream(self) -> _Stream:
        return _Stream(self.seed)


class _Stream:
    """numpy's legacy generator and the number of the batch that it draws next."""

    def __init__(self, seed: int) -> None:
        self.restart(seed)

    def restart(self, seed: int) -> None:
        """Back to the first batch."""
        self.rng, self.next = np.random.RandomState(seed), 0


def initialize_as_benchmark(model: DLRM, rng: np.random.RandomState) -> None:
    """Draw the weights in the benchmark's order: tables, bottom MLP, top MLP, all from one stream.

    Raises HotrowError for tables that are not plain.
    """
    for config, table in zip(model.config.tables, model.tables, strict=True):
        if not isinstance(config.storage, Plain) or model.config.projects(config):
            raise HotrowError(f"table {config.name!r} is not plain; the benchmark's recipe covers plain tables only")
        bound = (1 / config.rows) ** 0.5
        _put(table.get_parameter("weight"), rng.uniform(-bound, bound, (config.rows, config.dim)))
    for layer in (*model.bottom, *model.top):
        if isinstance(layer, nn.Linear):
            outputs, inputs = layer.weight.shape
            _put(layer.weight, rng.normal(0.0, (2 / (outputs + inputs)) ** 0.5, (outputs, inputs)))
            _put(layer.bias, rng.normal(0.0, (1 / outputs) ** 0.5, outputs))


def _put(weight: torch.Tensor, values: NDArray[np.float64]) -> None:
    weight.detach().copy_(torch.from_numpy(values.astype(np.float32)))
