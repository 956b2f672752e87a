"""Miss-ratio curve: how many accesses an LRU cache of each capacity would miss."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import HotrowError
from .stack.dense_ids import checked_ids
from .stack.lru_stack import DistanceCounts, LruStack, checked_threads, count_in_parallel


@dataclass(frozen=True, eq=False)
class MissRatioCurve:
    """The LRU curve of one stream of accesses, exact at every capacity.

    histogram: int64 [largest distance + 1], entry d counts the accesses at stack distance d (distinct other rows
    since the row's last access); accesses: all accesses; distinct: rows, that is first accesses, which every
    capacity misses. An LRU cache of C rows hits an access exactly if its distance is below C (Mattson et al.,
    "Evaluation techniques for storage hierarchies", IBM Systems Journal 9(2), 1970). A histogram that can be written to
    is copied; one that cannot is kept as it is.
    Raises HotrowError where the counts are no whole numbers from 0 on, do not add up, or hold a distance that so few
    rows cannot have.
    """

    histogram: NDArray[np.int64]
    accesses: int
    distinct: int

    def __post_init__(self) -> None:
        histogram = _checked_histogram(self.histogram)
        for name in ("accesses", "distinct"):
            value = getattr(self, name)
            if not isinstance(value, Integral) or value < 0:
                raise HotrowError(f"{name} {value!r}; it must be a whole number from 0 on")
            object.__setattr__(self, name, int(value))
        if int(histogram.sum()) + self.distinct != self.accesses:
            raise HotrowError(
                f"{int(histogram.sum())} repeated and {self.distinct} first accesses are not {self.accesses} in all"
            )
        longest = len(histogram) - int(np.argmax(histogram[::-1] > 0)) if histogram.any() else 0
        if longest > self.distinct:
            raise HotrowError(f"stack distance {longest - 1} among {self.distinct} rows; there are not so many others")
        object.__setattr__(self, "histogram", histogram[:longest])

    @cached_property
    def _hits_below(self) -> NDArray[np.int64]:
        return np.concatenate(([0], np.cumsum(self.histogram)))

    def hits(self, capacities: ArrayLike) -> Any:
        """Hits at capacities in rows, int64, shaped like `capacities`; HotrowError unless they are integers ≥ 0."""
        rows = checked_capacities(capacities)
        return self._hits_below[np.minimum(rows, len(self.histogram))]

    def miss_ratio(self, capacities: ArrayLike) -> Any:
        """Misses over accesses at capacities in rows, float64, shaped like `capacities`; NaN without accesses."""
        misses = self.accesses - self.hits(capacities)
        return misses / self.accesses if self.accesses else np.full(np.shape(misses), np.nan)


class LruCurveStream:
    """The exact LRU curve of a stream that comes in chunks; memory grows with distinct rows, not with accesses."""

    def __init__(self, threads: int | None = None) -> None:
        """`threads`: at most so many work on a long chunk, to the same result; None: as many as may run at once."""
        self._threads = checked_threads(threads)
        self._stack = LruStack()
        self._counts = DistanceCounts()
        self._accesses = 0

    def feed(self, ids: ArrayLike) -> None:
        """Count the next accesses: integers [accesses] from 0 to 2^63 − 1.

        HotrowError for other ids; then none is counted.
        """
        rows = checked_ids(ids)
        count_in_parallel(self._stack, rows, self._counts, self._threads)
        self._accesses += len(rows)

    def curve(self) -> MissRatioCurve:
        """The curve of all accesses so far."""
        distinct = self._stack.distinct
        histogram = self._counts.histogram(distinct)
        histogram.flags.writeable = False  # nobody else has it
        return MissRatioCurve(histogram, self._accesses, distinct)


def lru_curve(ids: ArrayLike, threads: int | None = None) -> MissRatioCurve:
    """The exact LRU curve of `ids`, integers [accesses] from 0 to 2^63 − 1; HotrowError for other ids.

    A long trace is cut among `threads`, to the same result; None: as many as may run at once.
    """
    stream = LruCurveStream(threads)
    stream.feed(ids)
    return stream.curve()


def checked_capacities(capacities: ArrayLike) -> NDArray[np.int64]:
    """Capacities in rows as int64; HotrowError names one that is negative or beyond 64 bits, or that is no integer."""
    rows = np.asarray(capacities)
    if not rows.size:
        return rows.astype(np.int64)  # numpy calls an empty list float64
    if rows.dtype == object and all(isinstance(row, Integral) for row in rows.flat):
        raise HotrowError(f"capacity {max(rows.flat, key=abs)}; a capacity is at most 2^63 − 1 rows")
    if rows.dtype.kind not in "iu":
        raise HotrowError(f"capacities are {rows.dtype}; a capacity is a whole number of rows")
    if rows.min() < 0:
        raise HotrowError(f"capacity {rows.min()}; a capacity is at least 0 rows")
    whole: NDArray[np.int64] = np.minimum(rows, np.iinfo(np.int64).max).astype(np.int64)
    return whole


def _checked_histogram(counts: ArrayLike) -> NDArray[np.int64]:
    given = np.asarray(counts)
    if given.ndim != 1 or (given.size and (given.dtype.kind not in "iu" or given.min() < 0)):
        raise HotrowError("a distance histogram is one dimension of whole counts that are not negative")
    shared = isinstance(counts, np.ndarray) and given.flags.writeable
    histogram = np.array(given, np.int64, copy=shared or None)
    histogram.flags.writeable = False
    return histogram
