"""Split: one capacity shared out among tables, by the gain of each byte, evenly, or as one cache for all.

Greedy on the upper concave hulls of the hit curves gives the most hits for curves that are concave (Fox, "Discrete
optimization via marginal analysis", Management Science 13(3), 1966); where a curve has a cliff, the table gets the
whole step or nothing of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ... import HotrowError
from ..miss_ratio import MissRatioCurve


@dataclass(frozen=True)
class Split:
    """A capacity shared out. rows: per table, None where all share one cache. hit_ratio: over all lookups."""

    how: str
    rows: tuple[int, ...] | None
    hit_ratio: float


def greedy(curves: Sequence[MissRatioCurve], row_bytes: Sequence[int], capacity: int) -> tuple[int, ...]:
    """Rows per table that fit `capacity` bytes, the steepest stretch of any hull first."""
    stretches = []
    for k, curve in enumerate(curves):
        corners = hull(curve)
        gains = np.diff(curve.hits(corners)) / (np.diff(corners) * row_bytes[k])
        stretches += [(-gain, k, int(stop)) for gain, stop in zip(gains, corners[1:], strict=True)]
    rows = [0] * len(curves)
    left = capacity
    for _, k, stop in sorted(stretches):
        more = min(stop - rows[k], left // row_bytes[k])
        rows[k] += more
        left -= more * row_bytes[k]
    return tuple(rows)


def even(curves: Sequence[MissRatioCurve], row_bytes: Sequence[int], capacity: int) -> tuple[int, ...]:
    """The same bytes for every table; what a small table cannot use goes to the others evenly."""
    rows = [0] * len(curves)
    open_tables = set(range(len(curves)))
    left = capacity
    while open_tables:
        share = left // len(open_tables)
        full = {k for k in open_tables if curves[k].distinct * row_bytes[k] <= share}
        for k in full or open_tables:
            rows[k] = min(curves[k].distinct, share // row_bytes[k])
            left -= rows[k] * row_bytes[k]
        open_tables = open_tables - full if full else set()
    return tuple(rows)


def splits(
    curves: Sequence[MissRatioCurve], shared: MissRatioCurve, row_bytes: int, capacity: int
) -> tuple[Split, ...]:
    """By gain, even and one shared LRU cache at `capacity` bytes; every table's rows have `row_bytes` bytes.

    curves: of each table; shared: of all lookups in one cache, capacity in rows. Raises HotrowError for a capacity
    below one row.
    """
    if capacity < row_bytes:
        raise HotrowError(f"a capacity of {capacity} bytes; it must hold at least one row of {row_bytes} bytes")
    sizes = [row_bytes] * len(curves)
    total = max(shared.accesses, 1)
    made = []
    for how, choose in (("by gain", greedy), ("even", even)):
        rows = choose(curves, sizes, capacity)
        hits = sum(int(curve.hits(n)) for curve, n in zip(curves, rows, strict=True))
        made.append(Split(how, rows, hits / total))
    return (*made, Split("shared", None, int(shared.hits(capacity // row_bytes)) / total))


def hull(curve: MissRatioCurve) -> NDArray[np.int64]:
    """Capacities where the upper concave hull of the hit curve turns, from 0 to the last useful one."""
    gains = np.flatnonzero(curve.histogram)
    points = np.concatenate(([0], gains + 1))
    hits = curve.hits(points)
    corners: list[int] = []
    for k in range(len(points)):
        while len(corners) > 1 and _below(points, hits, corners[-2], corners[-1], k):
            corners.pop()
        corners.append(k)
    return points[corners]


def _below(x: NDArray[np.int64], y: NDArray[np.int64], a: int, b: int, c: int) -> bool:
    """Whether point b lies on or below the line from a to c."""
    return int(y[b] - y[a]) * int(x[c] - x[a]) <= int(y[c] - y[a]) * int(x[b] - x[a])
