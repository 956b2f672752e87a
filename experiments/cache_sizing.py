"""Question: how much fast memory is enough? LRU capacities per table and the hits they buy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..analysis import plots
from ..analysis.knee import Knee
from ..analysis.miss_ratio import MissRatioCurve
from .grid import Grid
from .lru_curves import LruCurves
from .traffic import log_spaced

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAP_ROWS = 40  # tables in the map, those with most lookups
GOALS = (0.5, 0.8, 0.9, 0.95, 0.99)


@dataclass(frozen=True)
class CacheSizing:
    """One table's LRU cache.

    reachable: hit ratio of a cache that holds every row, below 1 by the first accesses. needed: for each goal the
    fewest rows that reach this fraction of the reachable hits, and their bytes. asked: capacities that were asked
    for, in rows, and their hit ratios. knee: of the table's curve, None where no row is looked up twice.
    """

    table: str
    lookups: int
    touched_rows: int
    row_bytes: int
    reachable: float
    needed: tuple[tuple[float, int, int], ...]
    asked: tuple[tuple[int, float], ...]
    knee: Knee | None


def cache_sizing(curves: LruCurves, row_bytes: int, capacities: Sequence[int] = ()) -> tuple[CacheSizing, ...]:
    """Exact LRU sizes of every table, a cache of its own for each; row_bytes turns rows into bytes."""
    return tuple(
        _sizing(name, curve, knee, row_bytes, capacities)
        for name, curve, knee in zip(curves.names, curves.tables, curves.knees, strict=True)
    )


def _sizing(
    name: str, curve: MissRatioCurve, knee: Knee | None, row_bytes: int, capacities: Sequence[int]
) -> CacheSizing:
    needed = tuple((goal, rows, rows * row_bytes) for goal in GOALS for rows in (rows_for(curve, goal),))
    ratios = curve.hits(np.array(capacities, np.int64)) / max(curve.accesses, 1)
    return CacheSizing(
        table=name,
        lookups=curve.accesses,
        touched_rows=curve.distinct,
        row_bytes=row_bytes,
        reachable=1 - curve.distinct / curve.accesses if curve.accesses else 0.0,
        needed=needed,
        asked=tuple(zip(map(int, capacities), map(float, ratios), strict=True)),
        knee=knee,
    )


def rows_for(curve: MissRatioCurve, goal: float) -> int:
    """The fewest rows whose LRU cache reaches `goal` (a fraction of 1) of the hits that any capacity can reach."""
    cumulated = np.cumsum(curve.histogram)
    if not len(cumulated):
        return 0
    return int(np.searchsorted(cumulated, goal * cumulated[-1])) + 1


def grid(sizes: Sequence[CacheSizing]) -> Grid:
    """One row per table; sizes as rows (bytes)."""
    goals = [f"{goal:.0%} of it" for goal in GOALS]
    knees = ["knee (90 % interval), depth"] if any(s.knee for s in sizes) else []
    asked = [f"hits at {capacity:,}" for capacity, _ in sizes[0].asked]
    heads = ("table", "lookups", "touched", "reachable", *goals, *knees, *asked)
    rows = tuple(
        (
            s.table,
            f"{s.lookups:,}",
            f"{s.touched_rows:,}",
            f"{s.reachable:.2%}",
            *(f"{rows:,} ({binary(size)})" for _, rows, size in s.needed),
            *(["–" if s.knee is None else str(s.knee)] if knees else []),
            *(f"{ratio:.2%}" for _, ratio in s.asked),
        )
        for s in sizes
    )
    caption = "LRU cache of its own for every table, cold start: rows (bytes) for a share of the reachable hits"
    return Grid(caption, heads, rows, "simulated")


def figures(curves: LruCurves, marks: Sequence[tuple[str, int]] = ()) -> dict[str, Figure]:
    """LRU curve of one cache for all tables with its knee, and a map of every table's hits over capacities.

    marks: names and capacities in rows to draw into the curve.
    """
    points = log_spaced(curves.shared.distinct)
    whole = ("one cache for all tables", points.tolist(), curves.shared.miss_ratio(points).tolist())
    knee = curves.shared_knee
    busiest = sorted(range(len(curves.names)), key=lambda k: -curves.tables[k].accesses)[:MAP_ROWS]
    sizes = [10**k for k in range(len(str(max(curve.distinct for curve in curves.tables))))]
    hits = [[int(curves.tables[k].hits(s)) / max(curves.tables[k].accesses, 1) for s in sizes] for k in busiest]
    left_out = f" (the {MAP_ROWS} busiest of {len(curves.names)})" if len(curves.names) > MAP_ROWS else ""
    return {
        "lru-shared": plots.miss_ratio(
            [whole],
            None if knee is None else (knee.capacity, knee.low, knee.high),
            marks,
            "LRU miss ratio, one cache for all tables",
        ),
        "lru-tables": plots.heat_map(
            [curves.names[k] for k in busiest],
            [f"{s:,}" for s in sizes],
            hits,
            f"LRU hits by table, a cache for each{left_out}",
        ),
    }


def binary(size: float) -> str:
    """Bytes in words: 1536 is 1.5 KiB."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 1000 else f"{size:.3g} {unit}"
        size /= 1024
    return f"{size:,.3g} TiB"
