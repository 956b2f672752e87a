"""Reuse time: accesses since a row's last one; from its histogram alone, AET gives the LRU curve."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import HotrowError
from ..jit import kernel
from .miss_ratio import checked_capacities
from .stack.dense_ids import RowNumbers, checked_ids
from .stack.intrinsics import prefetch

EXACT = 1 << 12  # values below it have a bin each
PER_OCTAVE = EXACT // 2  # bins from there to twice it, and so on: at most 1/2048 of their values wide
OCTAVES = 63 - 12  # up to 2^63
BINS = EXACT + OCTAVES * PER_OCTAVE
PIECE = 1 << 18  # accesses worked on at a time
FARTHEST = 2**63 - 1  # positions lie below it
AHEAD = 24  # accesses between a prefetch and its use


@cache
def bin_edges() -> NDArray[np.float64]:
    """The edges of the bins, float64 [BINS + 1]; bin b counts values from edges[b] to below edges[b + 1]."""
    octave = np.arange(PER_OCTAVE, EXACT, dtype=np.float64)
    above = [octave * 2**k for k in range(1, OCTAVES + 1)]
    edges = np.concatenate([np.arange(EXACT, dtype=np.float64), *above, np.array([2.0**63])])
    edges.flags.writeable = False
    return edges


@kernel
def _bin_of(value: int) -> int:
    skipped = 0
    while value >= EXACT:
        value >>= 1
        skipped += PER_OCTAVE
    return value + skipped


class ReuseTimes:
    """The reuse-time histogram of a stream that comes in chunks, exact below 4096, else to 1 part in 2048.

    Memory: 40 to 70 bytes per distinct row. To bound it, feed rows that analysis.sampling chose, with their positions.
    """

    def __init__(self) -> None:
        self.accesses = 0
        self.counts = np.zeros(BINS, np.int64)
        self._next = 0  # the first position that is still free
        self._numbers = RowNumbers()
        self._last = np.zeros(1, np.int64)  # by number: position of the last access + 1

    def feed(self, ids: ArrayLike, positions: ArrayLike | None = None) -> None:
        """Count the reuse times of the next accesses: integers [accesses] from 0 to 2^63 − 1.

        positions: where they stand in the stream, integers [accesses], rising from beyond the last one before; None:
        right after it. HotrowError for other ids or positions; then none is counted.
        """
        rows = checked_ids(ids)
        if positions is None:
            places = np.arange(self._next, self._next + len(rows))
        else:
            places = _checked_positions(positions, len(rows), self._next)
        for start in range(0, len(rows), PIECE):
            numbers = self._numbers.of(rows[start : start + PIECE])
            if self._numbers.rows > len(self._last):
                longer = np.zeros(2 * self._numbers.rows, np.int64)
                longer[: len(self._last)] = self._last
                self._last = longer
            _count_reuse_times(numbers, places[start : start + PIECE], self._last, self.counts)
        self.accesses += len(rows)
        if len(rows):
            self._next = int(places[-1]) + 1

    def miss_ratio(self, capacities: ArrayLike) -> NDArray[np.float64]:
        """What AET makes of it: estimated LRU miss ratios at capacities in rows; NaN without accesses."""
        return aet_miss_ratio(self.counts[1:], bin_edges()[1:], self.accesses, capacities)


def _checked_positions(positions: ArrayLike, accesses: int, least: int) -> NDArray[np.int64]:
    places = np.asarray(positions)
    if places.shape != (accesses,) or (accesses and places.dtype.kind not in "iu"):
        raise HotrowError(f"positions are {places.dtype} {list(places.shape)}; they must be integers [{accesses}]")
    if not accesses:
        return np.zeros(0, np.int64)
    if places[0] < least:
        raise HotrowError(f"position {places[0]} at access 0; the stream has come to {least}")
    falls = places[1:] <= places[:-1]
    if falls.any():
        where = int(np.argmax(falls)) + 1
        raise HotrowError(f"position {places[where]} at access {where} after {places[where - 1]}; positions must rise")
    if places[-1] >= FARTHEST:
        raise HotrowError(f"position {places[-1]} at access {accesses - 1}; positions end at 2^63 − 2")
    return places.astype(np.int64, copy=False)


@kernel
def _count_reuse_times(numbers: Any, positions: Any, last: Any, counts: Any) -> None:
    for i in range(len(numbers)):
        prefetch(last, np.uint64(numbers[min(i + AHEAD, len(numbers) - 1)]))
        row = numbers[i]
        if last[row]:
            counts[_bin_of(positions[i] + 1 - last[row])] += 1
        last[row] = positions[i] + 1


def aet_miss_ratio(counts: ArrayLike, edges: ArrayLike, accesses: float, capacities: ArrayLike) -> NDArray[np.float64]:
    """Estimated LRU miss ratios at capacities in rows, float64, from a reuse-time histogram that may be noisy.

    counts [bins]: accesses whose reuse time t (1: immediate repeat) is edges[b] ≤ t < edges[b + 1]; edges [bins + 1]:
    rising from at most 1; accesses: all of them, first accesses as well, which stand in no bin. Within a bin
    reuse times are taken as spread evenly. Negative counts are taken as 0, and counts above `accesses` scaled down to
    it. NaN without accesses. Raises HotrowError for edges that do not fit and for what is not finite. A row is evicted
    once the expected distinct rows since its access reach the capacity: the average eviction time of Hu et al.,
    "Kinetic modeling of data eviction in cache", USENIX ATC 2016.
    """
    rows = checked_capacities(capacities)
    width, inside = np.asarray(edges, np.float64), np.maximum(np.asarray(counts, np.float64), 0)
    if width.ndim != 1 or len(width) != len(inside) + 1 or not np.isfinite(width).all() or (np.diff(width) <= 0).any():
        raise HotrowError(f"{len(inside)} counts need {len(inside) + 1} finite, rising edges; there are {len(width)}")
    if width[0] > 1:
        raise HotrowError(f"the first edge is {width[0]}; reuse times start at 1")
    if not (np.isfinite(inside).all() and np.isfinite(accesses)):
        raise HotrowError("a count of reuse times is not finite; counts and accesses must be numbers")
    if not accesses > 0:
        return np.full(rows.shape, np.nan)
    # The share of accesses with a reuse time of at least each edge, or with none.
    outlasting = 1 - np.concatenate([[0], np.cumsum(inside)]) / max(accesses, inside.sum())
    first = np.maximum(width, 1)
    steps = np.diff(first)
    falls = np.diff(outlasting)
    distinct = np.concatenate([[0], np.cumsum(steps * outlasting[:-1] + falls * np.maximum(steps - 1, 0) / 2)])
    ratios: NDArray[np.float64] = np.interp(rows, distinct, outlasting)
    return ratios
