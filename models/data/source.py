"""Source: where training gets the batches of an epoch; TraceSource cuts them from samples in memory or on disk."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ... import HotrowError
from ...tracegen.trace import Trace
from ..config import ModelConfig
from ..inputs import Batch
from .distributions import stream_key, uniform_floats

Order = Literal["none", "day", "total"]

DENSE, LABEL, ORDER = 1, 2, 3  # streams of random numbers that must not depend on one another


class Source(Protocol):
    """Batches by epoch and number: the same epoch and number always give the same batch."""

    @property
    def samples(self) -> int:
        """Samples of an epoch."""
        ...

    @property
    def size(self) -> int:
        """Samples of a batch; the last of an epoch may have fewer."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What was added to the data or changed in them, in words."""
        ...

    def batch(self, epoch: int, k: int) -> Batch:
        """Batch number k of an epoch. Raises IndexError where the epoch has no such batch."""
        ...


def batches(source: Source) -> int:
    """Batches of an epoch, the smaller last one counted."""
    return -(-source.samples // source.size)


def bounds(source: Source, k: int) -> tuple[int, int]:
    """The samples start … stop − 1 of batch number k. Raises IndexError where there is no such batch."""
    if not 0 <= k < batches(source):
        raise IndexError(f"batch {k} of {batches(source)}")
    return k * source.size, min((k + 1) * source.size, source.samples)


@dataclass(frozen=True, eq=False)
class Columns:
    """Samples as plain arrays, in memory or mapped from files.

    rows: declared rows of each table. indices: its row ids [accesses]. offsets: int64 [samples + 1], or None for
    one-hot. dense: float32 [samples, D] or None; label: float32 [samples] or None.
    """

    samples: int
    rows: tuple[int, ...]
    indices: tuple[NDArray[Any], ...]
    offsets: tuple[NDArray[np.int64] | None, ...]
    dense: NDArray[np.float32] | None = None
    label: NDArray[np.float32] | None = None

    @classmethod
    def of(cls, trace: Trace) -> Columns:
        """The columns of a trace, not copied."""
        return cls(
            trace.samples,
            tuple(table.rows for table in trace.tables),
            tuple(table.indices for table in trace.tables),
            tuple(table.offsets for table in trace.tables),
            trace.dense,
            trace.label,
        )

    def between(self, start: int, stop: int) -> Columns:
        """Samples start … stop − 1; views of the indices and features."""
        indices, offsets = [], []
        for ids, ends in zip(self.indices, self.offsets, strict=True):
            part = None if ends is None else ends[start : stop + 1]
            indices.append(ids[start:stop] if part is None else ids[part[0] : part[-1]])
            offsets.append(None if part is None else part - part[0])
        dense = None if self.dense is None else self.dense[start:stop]
        label = None if self.label is None else self.label[start:stop]
        return Columns(stop - start, self.rows, tuple(indices), tuple(offsets), dense, label)


@dataclass(frozen=True, eq=False)
class TraceSource:
    """All batches of `size` samples.

    order: none as they stand; day: shuffled within each day, the days in their order; total: shuffled over all; a
    shuffle depends on `seed` and the epoch. days: samples of each day. Dense features uniform in [0, 1) and fair labels
    are drawn from `seed` where there are none; ids are taken modulo the model's rows where it has fewer; `notes` says
    so. Raises HotrowError where model and samples do not fit.
    """

    config: ModelConfig
    columns: Columns
    size: int
    seed: int = 0
    order: Order = "none"
    days: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        config, columns = self.config, self.columns
        if len(config.tables) != len(columns.rows):
            raise HotrowError(
                f"model {config.name!r} has {len(config.tables)} tables but the data have {len(columns.rows)}"
            )
        if columns.dense is not None and columns.dense.shape[1] != config.dense:
            raise HotrowError(
                f"model {config.name!r} takes {config.dense} dense features but the data have {columns.dense.shape[1]}"
            )
        if self.size < 1:
            raise HotrowError(f"batches of {self.size} samples; at least 1 is needed")
        if not columns.samples:
            raise HotrowError("no samples to train or test on: the data are empty, or their split leaves none here")
        if self.order not in get_args(Order):
            raise HotrowError(f"unknown order {self.order!r}; known are {', '.join(get_args(Order))}")
        if columns.label is not None:
            _check_labels(columns.label)
        if self.days and sum(self.days) != columns.samples:
            raise HotrowError(f"days of {sum(self.days)} samples; the data have {columns.samples}")

    @property
    def samples(self) -> int:
        """Samples of an epoch."""
        return self.columns.samples

    @property
    def notes(self) -> tuple[str, ...]:
        """What was added to the data or changed in them, in words."""
        notes = []
        if self.columns.dense is None:
            notes.append(f"the data have no dense features: uniform in [0, 1), seed {self.seed}")
        if self.columns.label is None:
            notes.append(f"the data have no labels: 0 or 1 with equal chance, seed {self.seed}")
        if folded := sum(table.modulo > 0 for table in self._tables):
            notes.append(f"ids modulo the model's rows in {folded} of {len(self._tables)} tables")
        return tuple(notes)

    def batch(self, epoch: int, k: int) -> Batch:
        """Batch number k of an epoch."""
        start, stop = bounds(self, k)
        chosen = None if self.order == "none" else torch.from_numpy(self._shuffled.of(epoch)[start:stop])
        lookups = [table.between(start, stop) if chosen is None else table.at(chosen) for table in self._tables]
        dense, label = self._features
        return Batch(
            self._drawn(DENSE, start, stop, chosen) if dense is None else _rows(dense, start, stop, chosen),
            tuple(rows for rows, _ in lookups),
            tuple(starts for _, starts in lookups),
            self._drawn(LABEL, start, stop, chosen) if label is None else _rows(label, start, stop, chosen),
        )

    @cached_property
    def _tables(self) -> tuple[_TableColumns, ...]:
        columns = self.columns
        steps = np.arange(min(self.size, columns.samples) + 1)
        narrow, wide = torch.from_numpy(steps.astype(np.int32)), torch.from_numpy(steps)
        tables = []
        for ids, ends, rows, own in zip(
            columns.indices, columns.offsets, columns.rows, self.config.tables, strict=True
        ):
            fits = own.rows <= 2**31
            offsets = None if ends is None else torch.from_numpy(_writable(ends))
            tables.append(
                _TableColumns(
                    torch.from_numpy(_writable(ids)),
                    offsets,
                    narrow if fits else wide,
                    torch.int32 if fits else torch.int64,
                    own.rows if rows > own.rows else 0,
                )
            )
        return tuple(tables)

    @cached_property
    def _features(self) -> tuple[Tensor | None, Tensor | None]:
        dense, label = self.columns.dense, self.columns.label
        return (
            None if dense is None else torch.from_numpy(_writable(dense)),
            None if label is None else torch.from_numpy(_writable(label)),
        )

    @cached_property
    def _shuffled(self) -> _Shuffled:
        return _Shuffled(self.days if self.order == "day" and self.days else (self.samples,), self.seed)

    def _drawn(self, stream: int, start: int, stop: int, chosen: Tensor | None) -> Tensor:
        numbers = np.arange(start, stop) if chosen is None else chosen.numpy()
        width = self.config.dense if stream == DENSE else 1
        values = uniform_floats(stream_key(self.seed, stream), numbers, width)
        return torch.from_numpy(values if stream == DENSE else np.rint(values[:, 0]))


@dataclass(frozen=True, eq=False)
class _TableColumns:
    """One table's lookups as tensors, and how batches of them are cut. modulo: rows to fold ids into, 0 for none."""

    indices: Tensor
    offsets: Tensor | None
    steps: Tensor
    dtype: torch.dtype
    modulo: int

    def between(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """Rows and closed offsets of consecutive samples."""
        if self.offsets is None:
            return self._folded(self.indices[start:stop]), self.steps[: stop - start + 1]
        ends = self.offsets[start : stop + 1]
        first, last = int(ends[0]), int(ends[-1])
        return self._folded(self.indices[first:last]), (ends - first).to(self.dtype)

    def at(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Rows and closed offsets of the samples with these numbers."""
        if self.offsets is None:
            return self._folded(self.indices[samples]), self.steps[: len(samples) + 1]
        starts = self.offsets[samples]
        sizes = self.offsets[samples + 1] - starts
        ends = torch.zeros(len(samples) + 1, dtype=torch.int64)
        torch.cumsum(sizes, 0, out=ends[1:])
        places = torch.arange(int(ends[-1])) + torch.repeat_interleave(starts - ends[:-1], sizes)
        return self._folded(self.indices[places]), ends.to(self.dtype)

    def _folded(self, rows: Tensor) -> Tensor:
        return (rows % self.modulo if self.modulo else rows).to(self.dtype)


class _Shuffled:
    """The order of an epoch's samples; keeps the last one asked for."""

    def __init__(self, days: tuple[int, ...], seed: int) -> None:
        self._days, self._seed = days, seed
        self._epoch = -1
        self._order: NDArray[np.int64] = np.empty(0, np.int64)

    def of(self, epoch: int) -> NDArray[np.int64]:
        """Sample numbers, each once."""
        if epoch != self._epoch:
            rng = np.random.default_rng([self._seed, ORDER, epoch])
            starts = np.cumsum([0, *self._days[:-1]])
            parts = [start + rng.permutation(day) for start, day in zip(starts, self._days, strict=True)]
            self._order, self._epoch = np.concatenate(parts), epoch
        return self._order


def _check_labels(label: NDArray[np.float32]) -> None:
    for position in (int(np.argmin(label)), int(np.argmax(label))):
        if not 0 <= label[position] <= 1:
            raise HotrowError(f"sample {position}: label {label[position]:g}; a click's label lies between 0 and 1")


def _rows(values: Tensor, start: int, stop: int, chosen: Tensor | None) -> Tensor:
    return values[start:stop] if chosen is None else values[chosen]


def _writable(values: NDArray[Any]) -> NDArray[Any]:
    """The array itself where torch takes it (it has no read-only tensors), else a copy."""
    return values if values.flags.writeable else values.copy()
