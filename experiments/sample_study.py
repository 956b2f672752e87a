"""Question: what does a whole sample see? Perfect hits, batches, pages, drift and capacity shared among tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..analysis import plots
from ..analysis.miss_ratio import lru_curve
from ..analysis.recommendation.batching import BatchReuse, batch_reuse
from ..analysis.recommendation.drift import WINDOWS, Drift, drift
from ..analysis.recommendation.interleave import interleaved
from ..analysis.recommendation.perfect_hits import perfect_hit_ratio
from ..analysis.recommendation.split import Split, splits
from ..tracegen.trace import Trace
from .grid import Grid, number_of
from .lru_curves import LruCurves
from .policies_compared import default_capacities

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BATCHES = (16, 256, 2048)
PAGE_BYTES = 4096


@dataclass(frozen=True)
class Shared:
    """One capacity in rows for all tables: the ways to share it out, and what comes of them.

    perfect: share of samples all of whose lookups hit when it is split by gain. pages: hits of an LRU cache of as
    many bytes that holds whole pages of 4 KiB; None where a page holds no more than one row.
    """

    capacity: int
    splits: tuple[Split, ...]
    perfect: float
    pages: float | None


@dataclass(frozen=True)
class TableStudy:
    """One table's part, when a capacity is shared out by gain: its rows, hits, and samples all of whose lookups hit.

    pages: hits of as many bytes that hold whole pages, None as in Shared. batch: its reuse in a batch, None where the
    trace is shorter than one.
    """

    table: str
    rows: int
    hit_ratio: float
    perfect: float
    pages: float | None
    batch: BatchReuse | None


@dataclass(frozen=True)
class SampleStudy:
    """What samples, batches and pages see. batches: all tables together, one entry per batch size.

    capacity: in rows, of all tables together, that `tables` share by gain.
    """

    row_bytes: int
    shared: tuple[Shared, ...]
    batches: tuple[BatchReuse, ...]
    drifts: tuple[Drift, ...]
    capacity: int
    tables: tuple[TableStudy, ...]

    def grids(self) -> tuple[Grid, ...]:
        """Capacity shared out, batches, each table's part where there are several, drift."""
        own = (self._tables(),) if len(self.tables) > 1 else ()
        return (self._shared(), self._batches(), *own, self._drift())

    def _tables(self) -> Grid:
        batches = [t.batch for t in self.tables if t.batch is not None]
        batched = ("distinct", "MB saved", "twice in a bag") if batches else ()
        rows = tuple(
            (
                t.table,
                f"{t.rows:,}",
                f"{t.hit_ratio:.2%}",
                f"{t.perfect:.2%}",
                "–" if t.pages is None else f"{t.pages:.2%}",
                *(
                    ()
                    if t.batch is None
                    else (
                        f"{t.batch.distinct_ratio:.1%}",
                        f"{t.batch.saved_bytes / 1e6:,.3g}",
                        f"{t.batch.duplicates_in_bags:.2%}",
                    )
                ),
            )
            for t in self.tables
        )
        caption = f"Each table's part of {number_of(self.capacity, 'row')} shared out by gain"
        caption += f"; its rows in batches of {batches[0].batch:,}" if batches else ""
        return Grid(caption, ("table", "rows", "hits", "whole samples", "4 KiB pages", *batched), rows, "simulated")

    def _shared(self) -> Grid:
        heads = ("rows in all", "by gain", "even", "one cache", "whole samples", "4 KiB pages")
        rows = tuple(
            (
                f"{s.capacity:,}",
                *(f"{split.hit_ratio:.2%}" for split in s.splits),
                f"{s.perfect:.2%}",
                "–" if s.pages is None else f"{s.pages:.2%}",
            )
            for s in self.shared
        )
        caption = "LRU hits when tables share a capacity; whole samples: all lookups hit, split by gain"
        return Grid(caption, heads, rows, "simulated")

    def _batches(self) -> Grid:
        heads = ("batch", "lookups", "distinct rows", "distinct", "MB saved", "twice in a bag")
        rows = tuple(
            (
                f"{b.batch:,}",
                f"{b.lookups:,.0f}",
                f"{b.distinct:,.0f}",
                f"{b.distinct_ratio:.1%}",
                f"{b.saved_bytes / 1e6:,.3g}",
                f"{b.duplicates_in_bags:.2%}",
            )
            for b in self.batches
        )
        return Grid("Rows asked for again within a batch, all tables, means per batch", heads, rows, "measured")

    def _drift(self) -> Grid:
        heads = ("table", "hot rows", "own, last window", "first, last window", "mean loss")
        rows = tuple(
            (d.table, f"{d.hot_rows[-1]:,}", f"{d.own[-1]:.1%}", f"{d.first[-1]:.1%}", f"{d.loss:.1%}")
            for d in self.drifts
        )
        caption = f"Lookups in a window's own hot set (hottest 1 % of its rows) and in the first of {WINDOWS} windows'"
        return Grid(caption, heads, rows, "measured")


def figure(result: SampleStudy) -> Figure:
    """Drift of the hot sets, the tables with most lookups first."""
    busiest = sorted(result.drifts, key=lambda drift: -drift.lookups)
    return plots.drift([(d.table, d.own, d.first) for d in busiest])


def sample_study(
    trace: Trace, curves: LruCurves, row_bytes: int, capacities: Sequence[int] | None = None
) -> SampleStudy:
    """Study a trace's samples at capacities in rows, and its batches of 16, 256 and 2048 where it is long enough."""
    sizes = default_capacities(curves.shared.distinct) if capacities is None else tuple(capacities)
    made = [splits(curves.tables, curves.shared, row_bytes, size * row_bytes) for size in sizes]
    perfect = perfect_hit_ratio(trace, [found[0].rows or () for found in made], curves.distances)
    pages = _page_hits(trace, row_bytes, sizes)
    middle = len(sizes) // 2
    return SampleStudy(
        row_bytes,
        tuple(Shared(size, s, float(p), page) for size, s, p, page in zip(sizes, made, perfect, pages, strict=True)),
        tuple(_together(trace, batch, row_bytes) for batch in BATCHES if batch <= trace.samples),
        tuple(drift(table) for table in trace.tables if table.accesses >= WINDOWS),
        sizes[middle],
        _by_table(trace, curves, row_bytes, made[middle][0].rows or ()),
    )


def _by_table(trace: Trace, curves: LruCurves, row_bytes: int, rows: Sequence[int]) -> tuple[TableStudy, ...]:
    batch = max((size for size in BATCHES[:2] if size <= trace.samples), default=None)
    made = []
    for k, (table, share) in enumerate(zip(trace.tables, rows, strict=True)):
        alone = Trace((table,))
        (perfect,) = perfect_hit_ratio(alone, [(share,)], curves.distances[k : k + 1])
        (pages,) = _page_hits(alone, row_bytes, [share])
        hits = int(curves.tables[k].hits(share)) / max(table.accesses, 1)
        reuse = None if batch is None else batch_reuse(table, batch, row_bytes)
        made.append(TableStudy(table.name, share, hits, float(perfect), pages, reuse))
    return tuple(made)


def _page_hits(trace: Trace, row_bytes: int, sizes: Sequence[int]) -> list[float | None]:
    per_page = PAGE_BYTES // row_bytes
    if per_page < 2:
        return [None] * len(sizes)
    curve = lru_curve(_pages(trace, per_page))
    return [int(curve.hits(size // per_page)) / max(trace.accesses, 1) for size in sizes]


def _pages(trace: Trace, per_page: int) -> NDArray[np.int64]:
    """The page of every lookup in the model's order; tables begin on pages of their own."""
    tables = tuple(
        replace(table, rows=table.rows // per_page + 1, indices=table.indices // per_page) for table in trace.tables
    )
    return interleaved(replace(trace, tables=tables))


def _together(trace: Trace, batch: int, row_bytes: int) -> BatchReuse:
    """The reuse of all tables added up."""
    parts = [batch_reuse(table, batch, row_bytes) for table in trace.tables]
    again = sum(p.duplicates_in_bags * t.accesses for p, t in zip(parts, trace.tables, strict=True))
    return BatchReuse(
        table="all",
        batch=batch,
        batches=parts[0].batches,
        lookups=sum(p.lookups for p in parts),
        distinct=sum(p.distinct for p in parts),
        duplicates_in_bags=again / max(trace.accesses, 1),
        saved_bytes=sum(p.saved_bytes for p in parts),
    )
