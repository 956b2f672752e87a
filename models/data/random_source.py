"""RandomSource: batches of random lookups, features and labels, drawn as they are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ... import HotrowError
from ...tracegen.trace import TableLookups, Trace
from ..config import ModelConfig
from ..inputs import Batch
from .distributions import UNIFORM_ROWS, Distribution, Law, Pooling, bag_sizes, fill_rows, stream_key, uniform_floats
from .source import DENSE, LABEL, bounds

TABLE = 4  # the first number of a table's own streams


@dataclass(frozen=True, eq=False)
class RandomSource:
    """`samples` samples in batches of `size`: the same in every epoch.

    poolings: bag sizes of each table. Dense features and labels are uniform in [0, 1); round_labels makes the labels 0
    or 1. Everything depends on `seed` and the sample's number alone. Raises HotrowError where a distribution does not
    fit a table.
    """

    config: ModelConfig
    samples: int
    size: int
    seed: int
    poolings: tuple[Pooling, ...]
    distribution: Distribution = UNIFORM_ROWS
    round_labels: bool = False

    def __post_init__(self) -> None:
        for name in ("samples", "size"):
            if getattr(self, name) < 1:
                raise HotrowError(f"random data with {name} {getattr(self, name)}; at least 1 is needed")
        if len(self.poolings) != len(self.config.tables):
            raise HotrowError(
                f"bag sizes of {len(self.poolings)} tables; model {self.config.name!r} has {len(self.config.tables)}"
            )
        _ = self._laws  # says now what does not fit

    @property
    def notes(self) -> tuple[str, ...]:
        """What these data are, in words."""
        return (f"random lookups, {type(self.distribution).__name__.lower()} rows, seed {self.seed}",)

    def batch(self, epoch: int, k: int) -> Batch:
        """Batch number k of an epoch."""
        start, stop = bounds(self, k)
        lookups = [self._lookups(table, start, stop) for table in range(len(self.poolings))]
        numbers = np.arange(start, stop)
        return Batch(
            torch.from_numpy(uniform_floats(self._keys[0], numbers, self.config.dense)),
            tuple(torch.from_numpy(rows) for rows, _ in lookups),
            tuple(offsets for _, offsets in lookups),
            torch.from_numpy(self._labels(numbers)),
        )

    def trace(self) -> Trace:
        """All samples as one trace."""
        numbers = np.arange(self.samples)
        tables = []
        for k, table in enumerate(self.config.tables):
            rows, offsets = self._lookups(k, 0, self.samples)
            one_hot = self.poolings[k] == Pooling()
            tables.append(TableLookups(table.name, table.rows, rows, None if one_hot else offsets.numpy()))
        dense = uniform_floats(self._keys[0], numbers, self.config.dense)
        return Trace(tuple(tables), dense=dense, label=self._labels(numbers))

    def _lookups(self, table: int, start: int, stop: int) -> tuple[NDArray[np.int32] | NDArray[np.int64], Tensor]:
        """Rows and closed offsets, both int32 where the table's rows fit."""
        pooling, law, dtype = self.poolings[table], self._laws[table], self._dtypes[table]
        rows_key, sizes_key = self._keys[2 + 2 * table], self._keys[3 + 2 * table]
        if pooling.varies:
            sizes = bag_sizes(sizes_key, start, stop - start, pooling)
            ends = np.zeros(stop - start + 1, dtype)
            np.cumsum(sizes, out=ends[1:])
            offsets = torch.from_numpy(ends)
        else:
            sizes, offsets = self._fixed(pooling.size, dtype, stop - start)
        rows = np.empty(int(sizes.sum()) if pooling.varies else pooling.size * (stop - start), dtype)
        fill_rows(rows, law, rows_key, start, sizes)
        return rows, offsets

    def _fixed(self, pooling: int, dtype: type[np.signedinteger], samples: int) -> tuple[NDArray[np.int64], Tensor]:
        """Sizes and offsets of bags that are all alike, made once."""
        made = self._alike.get((pooling, dtype))
        if made is None or len(made[0]) < samples:
            ends = np.arange(samples + 1, dtype=np.int64) * pooling
            made = np.full(samples, pooling, np.int64), torch.from_numpy(ends.astype(dtype))
            self._alike[pooling, dtype] = made
        return made[0][:samples], made[1][: samples + 1]

    def _labels(self, numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        labels = uniform_floats(self._keys[1], numbers, 1)[:, 0]
        return np.rint(labels) if self.round_labels else labels

    @cached_property
    def _alike(self) -> dict[tuple[int, type[np.signedinteger]], tuple[NDArray[np.int64], Tensor]]:
        return {}

    @cached_property
    def _laws(self) -> tuple[Law, ...]:
        return tuple(Law.of(self.distribution, table.rows, table.name) for table in self.config.tables)

    @cached_property
    def _dtypes(self) -> tuple[type[np.signedinteger], ...]:
        return tuple(np.int32 if table.rows <= 2**31 else np.int64 for table in self.config.tables)

    @cached_property
    def _keys(self) -> tuple[int, ...]:
        """Keys of the dense features, the labels, and each table's rows and bag sizes."""
        streams = [(DENSE,), (LABEL,), *((TABLE, k, use) for k in range(len(self.poolings)) for use in (0, 1))]
        return tuple(stream_key(self.seed, *stream) for stream in streams)
