"""Split: one capacity shared out among tables, by the gain of each byte, evenly, or as one cache for all.

Greedy on the upper concave hulls of the hit curves gives the most hits for curves that are concave (Fox, "Discrete
optimization via marginal analysis", Management Science 13(3), 1966). Where a curve has a cliff, a table gets the whole
step or nothing of it, and what is left is shared out anew along the curves as far as it reaches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ... import HotrowError
from ...jit import kernel
from ..miss_ratio import MissRatioCurve


@dataclass(frozen=True)
class Split:
    """A capacity shared out. rows: per table, None where all share one cache. hit_ratio: over all lookups."""

    how: str
    rows: tuple[int, ...] | None
    hit_ratio: float


def by_gain(curves: Sequence[MissRatioCurve], row_bytes: Sequence[int], capacity: int) -> tuple[int, ...]:
    """Rows per table that fit `capacity` bytes, the steepest stretch of any hull first; never worse than even.

    row_bytes: one per table. Raises HotrowError for sizes that are no whole numbers, or below 1, a capacity below 0.
    """
    _check(curves, row_bytes, capacity)
    rows = [0] * len(curves)
    left, taken = capacity, True
    while taken:
        taken = False
        stretches = []
        for k, curve in enumerate(curves):
            corners = hull(curve, rows[k], rows[k] + left // row_bytes[k])
            gains = np.diff(curve.hits(corners)) / (np.diff(corners) * row_bytes[k])
            stretches += [(-gain, k, int(stop)) for gain, stop in zip(gains, corners[1:], strict=True)]
        for _, k, stop in sorted(stretches):
            cost = (stop - rows[k]) * row_bytes[k]
            if cost <= left:  # else no later stretch of this table fits either
                rows[k], left, taken = stop, left - cost, True
    alike = even(curves, row_bytes, capacity)
    return max(tuple(rows), alike, key=lambda chosen: hits(curves, chosen))


def _check(curves: Sequence[MissRatioCurve], row_bytes: Sequence[int], capacity: int) -> None:
    if len(row_bytes) != len(curves):
        raise HotrowError(f"{len(row_bytes)} sizes of rows for {len(curves)} tables; give one for each")
    for value, least, what in (*((size, 1, "row_bytes") for size in row_bytes), (capacity, 0, "capacity")):
        if not isinstance(value, int | np.integer) or value < least:
            raise HotrowError(f"{what} {value}; it must be a whole number of bytes, at least {least}")


def hits(curves: Sequence[MissRatioCurve], rows: Sequence[int]) -> int:
    """Hits of LRU caches of so many rows, a cache for every table."""
    return sum(int(curve.hits(n)) for curve, n in zip(curves, rows, strict=True))


def even(curves: Sequence[MissRatioCurve], row_bytes: Sequence[int], capacity: int) -> tuple[int, ...]:
    """The same bytes for every table; what a small table cannot use goes to the others evenly. Errors as by_gain."""
    _check(curves, row_bytes, capacity)
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
    _check(curves, [row_bytes] * len(curves), capacity)
    if capacity < row_bytes:
        raise HotrowError(f"a capacity of {capacity} bytes; it must hold at least one row of {row_bytes} bytes")
    sizes = [row_bytes] * len(curves)
    total = max(shared.accesses, 1)
    made = []
    for how, choose in (("by gain", by_gain), ("even", even)):
        rows = choose(curves, sizes, capacity)
        made.append(Split(how, rows, hits(curves, rows) / total))
    return (*made, Split("shared", None, int(shared.hits(capacity // row_bytes)) / total))


def hull(curve: MissRatioCurve, start: int = 0, stop: int | None = None) -> NDArray[np.int64]:
    """Capacities where the upper concave hull of the hit curve turns, from `start` to the last useful one ≤ `stop`."""
    useful = np.flatnonzero(curve.histogram[start:stop]) + start + 1
    points = np.concatenate(([start], useful)).astype(np.int64)
    corners: NDArray[np.int64] = points[_turns(points, curve.hits(points))]
    return corners


@kernel
def _turns(x: NDArray[np.int64], y: NDArray[np.int64]) -> NDArray[np.int64]:
    """Which of the points, x rising, lie on the upper concave hull (Andrew's monotone chain); int64."""
    kept = np.empty(len(x), np.int64)
    count = 0
    for k in range(len(x)):
        while count > 1:
            a, b = kept[count - 2], kept[count - 1]
            if (y[b] - y[a]) * (x[k] - x[a]) > (y[k] - y[a]) * (x[b] - x[a]):
                break
            count -= 1
        kept[count] = k
        count += 1
    return kept[:count]
