"""Embedding tables: a bag of rows per sample goes in, one pooled vector comes out."""

from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import Tensor, nn

from .. import HotrowError
from .config import TableConfig

SUM = 0  # torch.embedding_bag's number for it; the named wrapper around it adds a quarter to a short call


class Table(nn.Module, ABC):
    """What every kind of table does; forward takes a bag's rows, whatever the table keeps of them."""

    @abstractmethod
    def initialize(self, rng: np.random.Generator) -> None:
        """Draw the table's weights."""

    @abstractmethod
    def forward(self, indices: Tensor, offsets: Tensor, closed: bool) -> Tensor:
        """Pooled vectors [samples, dim]; `closed` offsets hold the end of the last bag too."""


class PlainTable(Table):
    """One weight row per id; a bag is the sum of its rows, an empty bag is zero."""

    def __init__(self, config: TableConfig) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(config.rows, config.dim))

    def initialize(self, rng: np.random.Generator) -> None:
        """U(−√(1/n), √(1/n)) for n rows."""
        fill_uniform(self.weight, (1 / len(self.weight)) ** 0.5, rng)

    def forward(self, indices: Tensor, offsets: Tensor, closed: bool) -> Tensor:
        """The sum of every bag's rows."""
        return torch.embedding_bag(self.weight, indices, offsets, False, SUM, True, None, closed)[0]


def make_table(config: TableConfig) -> Table:
    """The table that `config` describes."""
    return PlainTable(config)


def fill_uniform(weight: Tensor, bound: float, rng: np.random.Generator) -> None:
    """Fill `weight` with U(−bound, bound) in place, without memory beside it."""
    values = weight.detach().numpy()
    rng.random(out=values, dtype=np.float32)
    values -= np.float32(0.5)
    values *= np.float32(2 * bound)


def check_lookups(config: TableConfig, indices: Tensor, offsets: Tensor) -> None:
    """Raise HotrowError naming table, sample, value and rule if these lookups do not fit the table."""
    where = f"table {config.name!r}"
    if indices.ndim != 1 or offsets.ndim != 1 or indices.dtype.is_floating_point or offsets.dtype.is_floating_point:
        raise HotrowError(f"{where}: indices and offsets must be integers in one dimension")
    starts = offsets.tolist()
    if starts and (starts[0] != 0 or starts != sorted(starts) or starts[-1] > len(indices)):
        raise HotrowError(f"{where}: offsets must start at 0, not fall, and not pass the {len(indices)} indices")
    bad = torch.nonzero((indices < 0) | (indices >= config.rows)).flatten()
    if len(bad):
        position = int(bad[0])
        sample = int(torch.searchsorted(offsets, position, right=True)) - 1
        raise HotrowError(
            f"{where}, sample {sample}: index {int(indices[position])}; "
            f"the table has {config.rows} rows (0 to {config.rows - 1})"
        )
