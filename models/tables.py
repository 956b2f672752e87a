"""TableConfig: one embedding table, how it keeps its rows and how it pools a bag."""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from .. import HotrowError


class Plain(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="plain"):
    """Every id has a row of its own."""


class Hashed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="hashed"):
    """Ids share `buckets` rows: id modulo buckets."""

    buckets: int


class QuotientRemainder(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="quotient-remainder"):
    """A row per quotient and a row per remainder of id / collisions, pooled apart, then combined (Shi et al. 2019)."""

    collisions: int = 4
    combine: Literal["mult", "add", "concat"] = "mult"


Storage = Plain | Hashed | QuotientRemainder
Weights = Literal["none", "fixed", "learned"]


class TableConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One embedding table: ids 0 … rows − 1, `pooling` lookups per sample on average, float32 rows of `dim`.

    weights: a factor per id in the bag's sum, fixed (ones) or learned. A table narrower than its model is
    projected to the model's dimension (mixed dimension, Ginart et al. 2019). Raises HotrowError naming the field.
    """

    name: str
    rows: int
    dim: int
    pooling: float = 1.0
    storage: Storage = Plain()
    weights: Weights = "none"

    def __post_init__(self) -> None:
        if not self.name:
            raise HotrowError("a table has an empty name; every table needs one")
        for field in ("rows", "dim"):
            self._at_least_one(field, getattr(self, field))
        if not 0 <= self.pooling < math.inf:
            raise HotrowError(f"table {self.name!r}: pooling is {self.pooling}; it must be finite and not negative")
        if isinstance(self.storage, Hashed):
            self._at_least_one("buckets", self.storage.buckets)
        if isinstance(self.storage, QuotientRemainder):
            self._at_least_one("collisions", self.storage.collisions)

    def _at_least_one(self, field: str, value: int) -> None:
        if value < 1:
            raise HotrowError(f"table {self.name!r}: {field} is {value}; at least 1 is needed")

    @property
    def width(self) -> int:
        """Width of a pooled bag, before a projection."""
        return self.dim * (2 if isinstance(self.storage, QuotientRemainder) and self.storage.combine == "concat" else 1)

    @property
    def stored_rows(self) -> tuple[int, ...]:
        """Rows of every weight matrix, each `dim` wide; a lookup reads one row of each."""
        match self.storage:
            case Hashed(buckets):
                return (buckets,)
            case QuotientRemainder(collisions):
                return (-(-self.rows // collisions), collisions)
            case Plain():
                return (self.rows,)

    @property
    def parameters(self) -> int:
        """Weights of this table, those of its bags' sums included, a projection not."""
        return sum(self.stored_rows) * self.dim + (self.rows if self.weights == "learned" else 0)

    def scaled(self, factor: float) -> TableConfig:
        """Rows (and buckets) times `factor`, rounded to the nearest and at least 1."""
        storage = self.storage
        if isinstance(storage, Hashed):
            storage = Hashed(max(1, round(storage.buckets * factor)))
        return msgspec.structs.replace(self, rows=max(1, round(self.rows * factor)), storage=storage)
