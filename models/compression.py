"""Smaller tables: a model's configuration with its large tables hashed, factored or narrowed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from .. import HotrowError
from .config import ModelConfig
from .tables import Hashed, QuotientRemainder, TableConfig


def hashed(config: ModelConfig, buckets: int) -> ModelConfig:
    """Every table with more than `buckets` rows keeps `buckets`, which its ids share."""
    return _changed(config, buckets, lambda table: msgspec.structs.replace(table, storage=Hashed(buckets)))


def quotient_remainder(
    config: ModelConfig,
    threshold: int = 200,
    collisions: int = 4,
    combine: Literal["mult", "add", "concat"] = "mult",
) -> ModelConfig:
    """Every table with more than `threshold` rows becomes a quotient and a remainder table (Shi et al. 2019).

    concat halves their dimension, so that both fit side by side. Raises HotrowError where it is odd.
    """
    if combine == "concat" and config.dim % 2:
        raise HotrowError(f"model {config.name!r}: concat needs an even dimension, the bottom MLP ends in {config.dim}")
    dim = config.dim // 2 if combine == "concat" else config.dim
    storage = QuotientRemainder(collisions, combine)
    return _changed(config, threshold, lambda table: msgspec.structs.replace(table, dim=dim, storage=storage))


def mixed_dimension(
    config: ModelConfig, threshold: int = 200, temperature: float = 0.3, powers_of_two: bool = False
) -> ModelConfig:
    """Every table with more than `threshold` rows becomes narrower the more rows it has (Ginart et al. 2019)."""
    rows = [table.rows for table in config.tables]
    dims = dict(zip(rows, mixed_dimensions(rows, config.dim, temperature, powers_of_two), strict=True))
    return _changed(config, threshold, lambda table: msgspec.structs.replace(table, dim=dims[table.rows]))


def mixed_dimensions(rows: Sequence[int], dim: int, temperature: float, powers_of_two: bool = False) -> tuple[int, ...]:
    """Per table d · (n₀ / n)^temperature for n rows and n₀ the fewest, rounded and at least 1.

    powers_of_two: then rounded to a power of two as well.
    """
    if not 0 <= temperature < math.inf:
        raise HotrowError(f"temperature {temperature}; it must be finite and not negative")
    fewest = min(rows)
    dims = [max(1, round(dim * (fewest / n) ** temperature)) for n in rows]
    return tuple(2 ** round(math.log2(d)) for d in dims) if powers_of_two else tuple(dims)


def _changed(config: ModelConfig, threshold: int, change: Callable[[TableConfig], TableConfig]) -> ModelConfig:
    tables = tuple(change(table) if table.rows > threshold else table for table in config.tables)
    return msgspec.structs.replace(config, tables=tables)
