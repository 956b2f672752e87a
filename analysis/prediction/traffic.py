"""Traffic: how soon a model's lookups come back, in a form that any cache size, row size or neighbour is read from.

Computed once per trace and batch and kept; a grid of machines, caches and dimensions then costs nothing. From reuse
times alone, a line is evicted once the bytes touched since its last use reach the capacity (average eviction time, Hu
et al., USENIX ATC 2016); bytes that only stream by, such as indices and outputs, count by time, rows by distinct ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ... import HotrowError
from ...models.config import ModelConfig
from ...profiling.machine import Machine
from ...tracegen.trace import Trace
from ..hierarchy import LevelStats, simulate_trace
from ..memory.layout import Layout
from ..recommendation.interleave import interleaved, positions
from ..reuse_time import ReuseTimes, bin_edges

POINTS_PER_OCTAVE = 12
LINE = 64  # bytes
PAGES = {"4 KiB": 4096, "2 MiB": 2**21}
FLOAT = 4  # bytes


@dataclass(frozen=True)
class ReuseCurve:
    """One stream: for windows of `times` accesses, the share of accesses not used again within one, and distinct units.

    A unit is a row, a line that several rows share, or a page. times: rising from 0. Small and plain, so that a page
    can evaluate it too.
    """

    times: tuple[float, ...]
    outlasting: tuple[float, ...]
    distinct: tuple[float, ...]

    def misses(self, capacity: float, unit_bytes: float, stream_bytes: float = 0.0, neighbours: float = 1.0) -> float:
        """Share of accesses that miss an LRU cache of `capacity` bytes.

        stream_bytes: other bytes that pass through it per access. neighbours: equal streams that share it, with this.
        """
        touched = neighbours * (unit_bytes * np.array(self.distinct) + stream_bytes * np.array(self.times))
        return float(np.interp(capacity, touched, self.outlasting))

    def beyond(self, capacity: float, unit_bytes: float, tables: float) -> float:
        """Share of accesses to rows outside of the hottest `capacity` of `tables` bytes, kept there for good.

        A row that is seen for the first time may lie anywhere in what the rows seen leave of both.
        """
        seen = unit_bytes * self.distinct[-1]
        if capacity < seen:
            return self.misses(capacity, unit_bytes)
        return self.outlasting[-1] * max(0.0, 1 - (capacity - seen) / max(tables - seen, 1.0))


@dataclass(frozen=True, eq=False)
class Traffic:
    """A model's lookups at one batch, tables in turn within a batch, as a model makes them.

    rows: units of max(row, line) bytes (unit_bytes). tables: the same outlasting shares of each table's lookups alone,
    at the times of `rows`. pages: by page size. per_table: mean lookups per sample.
    """

    batch: int
    lookups: float  # per sample, over all tables
    per_table: tuple[float, ...]
    row_bytes: float
    unit_bytes: float
    rows: ReuseCurve
    tables: tuple[tuple[float, ...], ...]
    pages: dict[str, ReuseCurve] = field(default_factory=dict)

    def table(self, number: int) -> ReuseCurve:
        """One table's lookups among those of all."""
        return replace(self.rows, outlasting=self.tables[number])


def by_batch(trace: Trace, batch: int) -> Trace:
    """The same lookups with a batch of `batch` samples as one sample, so that tables take turns by batch."""
    if not 1 <= batch <= max(trace.samples, 1):
        raise HotrowError(f"a batch of {batch} samples; the trace has {trace.samples}")
    cuts = np.arange(0, trace.samples - trace.samples % batch + 1, batch)
    tables = []
    for table in trace.tables:
        offsets = cuts if table.offsets is None else table.offsets[cuts]
        tables.append(replace(table, indices=table.indices[: offsets[-1]], offsets=offsets))
    return Trace(tuple(tables))


def traffic_of(trace: Trace, config: ModelConfig, batch: int) -> Traffic:
    """What a trace's lookups in a model's tables come to at one batch; the first accesses of a finite trace miss.

    Tables of different row bytes count by their mean. Raises HotrowError where trace and model do not fit.
    """
    if len(trace.tables) != len(config.tables):
        raise HotrowError(
            f"model {config.name!r} has {len(config.tables)} tables but the trace has {len(trace.tables)}"
        )
    batched = by_batch(on_model(trace, config), batch)
    if not batched.accesses:
        raise HotrowError("the trace has no lookups; there is nothing to predict from")
    weights = np.array([table.accesses for table in batched.tables], float)
    row = float(np.average([FLOAT * table.dim for table in config.tables], weights=weights))
    rows, tables = _by_table(_in_units(batched, max(1, int(LINE // row))))
    return Traffic(
        batch=batch,
        lookups=batched.accesses / (batched.samples * batch),
        per_table=tuple((weights / (batched.samples * batch)).tolist()),
        row_bytes=row,
        unit_bytes=max(row, LINE),
        rows=rows,
        tables=tables,
        pages={
            name: reuse_curve(interleaved(_in_units(batched, max(1, int(size // row))))) for name, size in PAGES.items()
        },
    )


def on_model(trace: Trace, config: ModelConfig) -> Trace:
    """The same lookups with ids modulo the model's rows, where it has fewer than the trace declares."""
    if all(table.rows <= own.rows for table, own in zip(trace.tables, config.tables, strict=True)):
        return trace
    tables = tuple(
        replace(table, rows=own.rows, indices=table.indices % own.rows)
        for table, own in zip(trace.tables, config.tables, strict=True)
    )
    return replace(trace, tables=tables)


def _in_units(batched: Trace, rows_per_unit: int) -> Trace:
    """The lookups of units in place of rows; rows of a unit lie side by side in a table."""
    if rows_per_unit == 1:
        return batched
    tables = tuple(
        replace(table, rows=max(1, -(-table.rows // rows_per_unit)), indices=table.indices // rows_per_unit)
        for table in batched.tables
    )
    return Trace(tables)


def _by_table(batched: Trace) -> tuple[ReuseCurve, tuple[tuple[float, ...], ...]]:
    """The curve of all lookups together, and each table's outlasting shares at its times."""
    counts = []
    for table, where in zip(batched.tables, positions(batched), strict=True):
        times = ReuseTimes()
        times.feed(table.indices, where)
        counts.append(times.counts[1:].astype(np.float64))
    edges = bin_edges()[1:]
    together = _curve(np.sum(counts, axis=0), edges, batched.accesses)
    kept = np.searchsorted(edges - 1, np.array(together.times))
    shares = [
        tuple((1 - np.concatenate([[0], np.cumsum(own)])[kept] / max(table.accesses, 1)).clip(0).tolist())
        for own, table in zip(counts, batched.tables, strict=True)
    ]
    return together, tuple(shares)


def reuse_curve(units: ArrayLike, periodic: bool = False) -> ReuseCurve:
    """The curve of a stream of units, integers [accesses]. periodic: it repeats for ever, so that nothing is new."""
    times = ReuseTimes()
    ids = np.asarray(units)
    times.feed(ids)
    counts = times.counts
    if periodic:
        first = counts.copy()
        times.feed(ids)
        counts = times.counts - first
    return _curve(counts[1:].astype(np.float64), bin_edges()[1:], len(ids))


def _curve(counts: NDArray[np.float64], edges: NDArray[np.float64], accesses: int) -> ReuseCurve:
    """From a histogram of reuse times; edges [bins + 1]. Kept at about 12 points an octave."""
    outlasting = 1 - np.concatenate([[0], np.cumsum(counts)]) / accesses
    steps = np.diff(edges)
    inside = np.maximum(steps - 1, 0) / 2
    distinct = np.concatenate([[0], np.cumsum(steps * outlasting[:-1] + np.diff(outlasting) * inside)])
    octaves = np.log2(max(accesses, 2))
    wanted = np.concatenate([[0], 2 ** np.arange(0, octaves + 1, 1 / POINTS_PER_OCTAVE)])
    kept = np.unique(np.searchsorted(edges - 1, wanted).clip(max=len(edges) - 1))
    columns: list[Any] = [edges[kept] - 1, np.maximum(outlasting[kept], 0), distinct[kept]]
    return ReuseCurve(*(tuple(column.tolist()) for column in columns))


def simulated(trace: Trace, config: ModelConfig, batch: int, machine: Machine) -> tuple[LevelStats, ...]:
    """The same lookups through a machine's own sets and ways, line by line: what traffic_of approximates."""
    batched = by_batch(on_model(trace, config), batch)
    dims = [table.dim for table in config.tables]
    return simulate_trace(batched, Layout.of_dims(batched, dims), machine)
