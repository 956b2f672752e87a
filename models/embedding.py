"""Embedding tables: a bag of rows per sample goes in, one pooled vector comes out."""

from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

from .. import HotrowError
from .flat import Allocate
from .initial import fill_normal, fill_uniform
from .tables import Hashed, Plain, QuotientRemainder, TableConfig

SUM = 0  # torch.embedding_bag's number for it; the named wrapper around it adds a quarter to a short call


class Table(nn.Module, ABC):
    """A bag's weighted sum, and its projection to the model's dimension where the table is narrower.

    pooling_weight [rows, 1]: learned, one factor per id; projection [model's dim, width]; None where not needed.
    """

    pooling_weight: Tensor
    projection: Tensor
    shares_rows = False  # ids that the table does not have would find a row all the same

    def __init__(self, config: TableConfig, dim: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.rows, self.weights, self.projected = config.rows, config.weights, config.width < dim
        learned = nn.Parameter(torch.ones(config.rows, 1, dtype=dtype)) if config.weights == "learned" else None
        self.register_parameter("pooling_weight", learned)
        projection = nn.Parameter(torch.empty(dim, config.width, dtype=dtype)) if self.projected else None
        self.register_parameter("projection", projection)

    def initialize(self, rng: np.random.Generator) -> None:
        """Draw rows U(−√(1/n), √(1/n)) for n ids and the projection N(0, 2/(m + n)); pooling weights are ones."""
        self.initialize_rows((1 / self.rows) ** 0.5, rng)
        if self.projected:
            fill_normal(self.projection, (2 / sum(self.projection.shape)) ** 0.5, rng)

    def forward(self, indices: Tensor, offsets: Tensor, closed: bool) -> Tensor:
        """Pooled vectors [samples, dim]; `closed` offsets hold the end of the last bag too."""
        if self.shares_rows:
            self.require_known(indices)
        return self.pooled(indices, offsets, closed)

    def pooled(self, indices: Tensor, offsets: Tensor, closed: bool) -> Tensor:
        """As forward, without its look at the ids."""
        pooled = self.pool(indices, offsets, closed, None if self.weights == "none" else self.factors(indices))
        return pooled @ self.projection.t() if self.projected else pooled

    def factors(self, indices: Tensor) -> Tensor:
        """The pooling weight of every lookup [lookups]."""
        if self.weights == "fixed":
            return torch.ones(len(indices), dtype=next(self.parameters()).dtype, device=indices.device)
        return embedding(indices, self.pooling_weight, sparse=True).squeeze(1)

    def require_known(self, indices: Tensor) -> None:
        """Raise IndexError for ids that the table does not have, where shared rows would hide them."""
        if len(indices):
            least, most = torch.aminmax(indices)
            if least < 0 or most >= self.rows:
                raise IndexError(f"ids {int(least)} to {int(most)} in a table of {self.rows}")

    @abstractmethod
    def initialize_rows(self, bound: float, rng: np.random.Generator) -> None:
        """Draw the rows from U(−bound, bound)."""

    @abstractmethod
    def pool(self, indices: Tensor, offsets: Tensor, closed: bool, weights: Tensor | None) -> Tensor:
        """Sum every bag's rows, times `weights` [lookups] where given; an empty bag is zero."""


class PlainTable(Table):
    """One row per id."""

    def __init__(self, config: TableConfig, dim: int, dtype: torch.dtype, allocate: Allocate) -> None:
        super().__init__(config, dim, dtype)
        self.weight = nn.Parameter(allocate(config.rows, config.dim))

    def initialize_rows(self, bound: float, rng: np.random.Generator) -> None:
        """As drawn."""
        fill_uniform(self.weight, bound, rng)

    def pool(self, indices: Tensor, offsets: Tensor, closed: bool, weights: Tensor | None) -> Tensor:
        """The sum of the ids' rows."""
        return _sum(self.weight, indices, offsets, closed, weights)


class HashedTable(Table):
    """Ids share rows: id modulo buckets."""

    shares_rows = True

    def __init__(self, config: TableConfig, dim: int, dtype: torch.dtype, allocate: Allocate, buckets: int) -> None:
        super().__init__(config, dim, dtype)
        self.weight = nn.Parameter(allocate(buckets, config.dim))

    def initialize_rows(self, bound: float, rng: np.random.Generator) -> None:
        """Drawn as if the table had as many ids as rows."""
        fill_uniform(self.weight, (1 / len(self.weight)) ** 0.5, rng)

    def pool(self, indices: Tensor, offsets: Tensor, closed: bool, weights: Tensor | None) -> Tensor:
        """The sum of the buckets' rows."""
        return _sum(self.weight, indices % len(self.weight), offsets, closed, weights)


class QuotientRemainderTable(Table):
    """A row per quotient and one per remainder of id / collisions, pooled apart, then combined (Shi et al. 2019)."""

    shares_rows = True

    def __init__(
        self, config: TableConfig, dim: int, dtype: torch.dtype, allocate: Allocate, storage: QuotientRemainder
    ) -> None:
        super().__init__(config, dim, dtype)
        self.storage = storage
        quotients, remainders = config.stored_rows
        self.quotient = nn.Parameter(allocate(quotients, config.dim))
        self.remainder = nn.Parameter(allocate(remainders, config.dim))

    def initialize_rows(self, bound: float, rng: np.random.Generator) -> None:
        """As drawn; remainders that multiply are drawn around 1 instead, so that products keep the quotients' size."""
        fill_uniform(self.quotient, bound, rng)
        if self.storage.combine == "mult":
            fill_uniform(self.remainder, 0.5, rng)
            self.remainder.detach().add_(1)
        else:
            fill_uniform(self.remainder, bound, rng)

    def pool(self, indices: Tensor, offsets: Tensor, closed: bool, weights: Tensor | None) -> Tensor:
        """Both sums, multiplied, added or side by side."""
        collisions = self.storage.collisions
        quotients = torch.div(indices, collisions, rounding_mode="floor")
        one = _sum(self.quotient, quotients, offsets, closed, weights)
        other = _sum(self.remainder, indices % collisions, offsets, closed, weights)
        if self.storage.combine == "mult":
            return one * other
        return one + other if self.storage.combine == "add" else torch.cat([one, other], dim=1)


def make_table(config: TableConfig, dim: int, dtype: torch.dtype, allocate: Allocate | None = None) -> Table:
    """The table that `config` describes, in a model of dimension `dim`; its rows where `allocate` puts them."""
    place = allocate or (lambda rows, width: torch.empty(rows, width, dtype=dtype))
    match config.storage:
        case Plain():
            return PlainTable(config, dim, dtype, place)
        case Hashed(buckets):
            return HashedTable(config, dim, dtype, place, buckets)
        case QuotientRemainder():
            return QuotientRemainderTable(config, dim, dtype, place, config.storage)


def _sum(weight: Tensor, indices: Tensor, offsets: Tensor, closed: bool, weights: Tensor | None) -> Tensor:
    return torch.embedding_bag(weight, indices, offsets, False, SUM, True, weights, closed)[0]


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
