"""Question: what is this traffic like? Size, popularity, bags, reuse times and LRU curve of every table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..analysis import plots
from ..analysis.miss_ratio import LruCurveStream, MissRatioCurve
from ..analysis.reuse_time import ReuseTimes, bin_edges
from ..progress import Advance, ignore
from ..tracegen.popularity import Counts, row_counts, rows_for_share, top_share
from ..tracegen.trace import TableLookups, Trace
from .grid import Grid, number_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PIECE = 1 << 24  # lookups between two advances
VISITS = 2  # of a lookup, by which describe advances: its stack distance, its reuse time
POINTS = 60  # per curve, spaced evenly on a logarithmic axis


@dataclass(frozen=True)
class TableTraffic:
    """One table's traffic. Shares and ratios are fractions of 1; capacities and ranks are in rows."""

    name: str
    declared_rows: int
    lookups: int
    touched_rows: int
    pooling: float
    largest_bag: int
    empty_bags: int
    rows_used_once: int
    top_percent_share: float  # of the lookups, that the hottest 1 % of touched rows takes
    rows_for_half: int  # fewest rows that take half of the lookups
    popularity_rows: tuple[float, ...]  # hottest fraction of the touched rows …
    popularity_share: tuple[float, ...]  # … and the share of lookups it takes
    reuse_within: tuple[int, ...]  # lookups of the table since the row's last one …
    reuse_share: tuple[float, ...]  # … and the share of lookups whose row was asked for at most so long ago
    lru_capacities: tuple[int, ...]
    lru_miss_ratio: tuple[float, ...]


@dataclass(frozen=True)
class Traffic:
    """A trace at a glance; `per_sample` says which of time, user, dense and label it has."""

    name: str
    samples: int
    lookups: int
    touched_rows: int
    per_sample: tuple[str, ...]
    tables: tuple[TableTraffic, ...]

    def grid(self) -> Grid:
        """One row per table."""
        heads = ("table", "rows", "touched", "lookups", "per sample", "largest bag", "once only", "top 1 %", "half in")
        rows = tuple(
            (
                t.name,
                f"{t.declared_rows:,}",
                f"{t.touched_rows:,}",
                f"{t.lookups:,}",
                f"{t.pooling:.3g}",
                f"{t.largest_bag:,}",
                f"{t.rows_used_once / max(t.touched_rows, 1):.1%}",
                f"{t.top_percent_share:.1%}",
                number_of(t.rows_for_half, "row"),
            )
            for t in self.tables
        )
        caption = (
            "once only: touched rows looked up once; top 1 %: lookups of the hottest 1 % of them; "
            "half in: fewest rows with half the lookups"
        )
        return Grid(caption, heads, rows, "measured")


def describe(
    trace: Trace, name: str = "trace", curves: Sequence[MissRatioCurve] | None = None, advance: Advance = ignore
) -> Traffic:
    """Exact facts about a trace; its LRU curves are exact too (one cache per table, cold start).

    curves: of every table, where they are known already. `advance` is called with lookups as they are visited: each
    VISITS times in all, once less where curves are known.
    """
    known = [None] * len(trace.tables) if curves is None else curves
    tables = tuple(_table(table, curve, advance) for table, curve in zip(trace.tables, known, strict=True))
    return Traffic(
        name=name,
        samples=trace.samples,
        lookups=trace.accesses,
        touched_rows=sum(table.touched_rows for table in tables),
        per_sample=tuple(field for field in ("time", "user", "dense", "label") if getattr(trace, field) is not None),
        tables=tables,
    )


def _table(table: TableLookups, known: MissRatioCurve | None, advance: Advance) -> TableTraffic:
    """Exact facts about one table; a table that nobody looked up has zeros and empty curves."""
    curve = _curve(table, advance) if known is None else known
    counts = row_counts(table.indices)
    sizes = table.bag_sizes()
    ranks, times = log_spaced(len(counts)), log_spaced(table.accesses - 1)
    return TableTraffic(
        name=table.name,
        declared_rows=table.rows,
        lookups=table.accesses,
        touched_rows=len(counts),
        pooling=table.pooling,
        largest_bag=int(sizes.max(initial=0)),
        empty_bags=int(np.count_nonzero(sizes == 0)),
        rows_used_once=int(np.count_nonzero(counts == 1)),
        top_percent_share=top_share(counts, 0.01),
        rows_for_half=rows_for_share(counts, 0.5),
        popularity_rows=tuple((ranks / max(len(counts), 1)).tolist()),
        popularity_share=_shares(counts, ranks),
        reuse_within=tuple(times.tolist()),
        reuse_share=_within(table, times, advance),
        lru_capacities=tuple(ranks.tolist()),
        lru_miss_ratio=_miss_ratio(curve, ranks),
    )


def figures(traffic: Traffic) -> dict[str, Figure]:
    """Popularity, reuse times and LRU curves, the tables with most lookups first."""
    busiest = sorted((t for t in traffic.tables if t.lookups), key=lambda t: -t.lookups)
    return {
        "popularity": plots.popularity([(t.name, t.popularity_rows, t.popularity_share) for t in busiest]),
        "reuse-time": plots.reuse_time([(t.name, t.reuse_within, t.reuse_share) for t in busiest]),
        "lru": plots.miss_ratio([(t.name, t.lru_capacities, t.lru_miss_ratio) for t in busiest]),
    }


def log_spaced(top: int, points: int = POINTS) -> NDArray[np.int64]:
    """Distinct whole numbers from 1 to `top`, about evenly spaced on a logarithmic axis; none for 0."""
    if top < 1:
        return np.zeros(0, np.int64)
    return np.unique(np.round(np.geomspace(1, top, points)).astype(np.int64))


def _shares(counts: Counts, ranks: NDArray[np.int64]) -> tuple[float, ...]:
    cumulated = np.cumsum(counts)
    return tuple((cumulated[ranks - 1] / cumulated[-1]).tolist()) if len(counts) else ()


def _curve(table: TableLookups, advance: Advance) -> MissRatioCurve:
    stream = LruCurveStream()
    for start in range(0, table.accesses, PIECE):
        stream.feed(part := table.indices[start : start + PIECE])
        advance(len(part))
    return stream.curve()


def _within(table: TableLookups, times: NDArray[np.int64], advance: Advance) -> tuple[float, ...]:
    stream = ReuseTimes()
    for start in range(0, table.accesses, PIECE):
        stream.feed(part := table.indices[start : start + PIECE])
        advance(len(part))
    below = np.concatenate(([0], np.cumsum(stream.counts)))
    return tuple((np.interp(times + 1, bin_edges(), below) / max(table.accesses, 1)).tolist())


def _miss_ratio(curve: MissRatioCurve, capacities: NDArray[np.int64]) -> tuple[float, ...]:
    return tuple(curve.miss_ratio(capacities).tolist())
