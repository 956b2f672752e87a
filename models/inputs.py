"""Inputs: a Trace cut into batches of tensors, and the trace that a model's configuration alone implies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .. import HotrowError
from ..tracegen.trace import TableLookups, Trace
from .config import ModelConfig, TableConfig


@dataclass(frozen=True, eq=False)
class Batch:
    """What a model takes: dense float32 [samples, D]; per table indices and closed offsets [samples + 1]; labels.

    Indices and offsets are int32 where the table's rows fit, else int64. label: float32 [samples].
    """

    dense: Tensor
    indices: tuple[Tensor, ...]
    offsets: tuple[Tensor, ...]
    label: Tensor

    @property
    def samples(self) -> int:
        """Samples in this batch."""
        return len(self.dense)


@dataclass(frozen=True, eq=False)
class Batches:
    """The whole batches of `size` consecutive samples of a trace; the samples left over at its end are not used.

    Dense features uniform in [0, 1) and fair labels are drawn from `seed` where the trace has none; ids are taken
    modulo the model's rows where it has fewer than the trace; `notes` says so. Batch k depends on `seed` and k
    alone. Raises HotrowError where model and trace do not fit.
    """

    config: ModelConfig
    trace: Trace
    size: int
    seed: int = 0

    def __post_init__(self) -> None:
        config, trace = self.config, self.trace
        if len(config.tables) != len(trace.tables):
            raise HotrowError(
                f"model {config.name!r} has {len(config.tables)} tables but the trace has {len(trace.tables)}"
            )
        if trace.dense is not None and trace.dense.shape[1] != config.dense:
            raise HotrowError(
                f"model {config.name!r} takes {config.dense} dense features but the trace has {trace.dense.shape[1]}"
            )
        if not 1 <= self.size <= trace.samples:
            raise HotrowError(
                f"a batch of {self.size} samples; the trace has {trace.samples}, so choose --batch 1 to {trace.samples}"
            )

    def __len__(self) -> int:
        return self.trace.samples // self.size

    def __iter__(self) -> Iterator[Batch]:
        return (self[k] for k in range(len(self)))

    def __getitem__(self, k: int) -> Batch:
        if not 0 <= k < len(self):
            raise IndexError(f"batch {k} of {len(self)}")
        part = self.trace.samples_between(k * self.size, (k + 1) * self.size)
        lookups = [_lookups(table, own) for table, own in zip(part.tables, self.config.tables, strict=True)]
        rng = np.random.default_rng([self.seed, k])
        dense, label = part.dense, part.label
        if dense is None:
            dense = rng.random((self.size, self.config.dense), dtype=np.float32)
        if label is None:
            label = rng.integers(0, 2, self.size).astype(np.float32)
        return Batch(
            _tensor(dense), tuple(rows for rows, _ in lookups), tuple(starts for _, starts in lookups), _tensor(label)
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What was added to the trace or changed in it, in words."""
        notes = []
        if self.trace.dense is None:
            notes.append(f"the trace has no dense features: uniform in [0, 1), seed {self.seed}")
        if self.trace.label is None:
            notes.append(f"the trace has no labels: 0 or 1 with equal chance, seed {self.seed}")
        folded = [
            table.name
            for table, own in zip(self.trace.tables, self.config.tables, strict=True)
            if table.rows > own.rows
        ]
        if folded:
            notes.append(f"ids modulo the model's rows in {len(folded)} of {len(self.trace.tables)} tables")
        return tuple(notes)


def uniform_trace(config: ModelConfig, samples: int, seed: int = 0) -> Trace:
    """A trace whose rows are drawn uniformly, as a configuration alone cannot say which are hot.

    Every bag has the table's pooling; a fraction is a chance of one more. Real traces reuse rows far more.
    """
    if samples < 1:
        raise HotrowError(f"a trace of {samples} samples; at least 1 is needed")
    streams = np.random.SeedSequence(seed).spawn(len(config.tables))
    return Trace(
        tuple(
            _uniform_table(table, samples, np.random.default_rng(stream))
            for table, stream in zip(config.tables, streams, strict=True)
        )
    )


def _uniform_table(table: TableConfig, samples: int, rng: np.random.Generator) -> TableLookups:
    dtype = np.int32 if table.rows <= 2**31 else np.int64
    if table.pooling == 1:
        return TableLookups(table.name, table.rows, rng.integers(0, table.rows, samples, dtype))
    whole = int(table.pooling)
    sizes = whole + (rng.random(samples) < table.pooling - whole)
    offsets = np.concatenate(([0], np.cumsum(sizes)))
    return TableLookups(table.name, table.rows, rng.integers(0, table.rows, int(offsets[-1]), dtype), offsets)


def _lookups(table: TableLookups, own: TableConfig) -> tuple[Tensor, Tensor]:
    indices: NDArray[Any] = table.indices
    if table.rows > own.rows:
        indices = indices % own.rows
    offsets = np.arange(table.samples + 1) if table.offsets is None else table.offsets
    dtype = np.int32 if own.rows <= 2**31 else np.int64
    return _tensor(indices.astype(dtype, copy=False)), _tensor(offsets.astype(dtype))


def _tensor(values: NDArray[Any]) -> Tensor:
    """The array as a tensor, shared where it may be written to (torch has no read-only tensors)."""
    return torch.from_numpy(values if values.flags.writeable else values.copy())
