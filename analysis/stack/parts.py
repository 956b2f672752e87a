"""Parts: an exact LRU curve from parts of a stream that were counted apart, in other processes or on other machines.

After Niu et al., "PARDA: a fast parallel reuse distance analysis algorithm", IPDPS 2012: a distance within a part is
final; rows that a part accesses for the first time find theirs once the parts before are known. What a part sends is a
histogram, and its rows in order of their first and of their last access: never its accesses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..miss_ratio import MissRatioCurve
from .dense_ids import checked_ids
from .lru_stack import DistanceCounts, LruStack


@dataclass(frozen=True, eq=False)
class CountedPart:
    """One part of a stream.

    histogram: accesses by distance within the part; firsts: its distinct rows in order of first access; recency: the
    same in order of last access. Each in the narrowest integers.
    """

    accesses: int
    histogram: NDArray[Any]
    firsts: NDArray[Any]
    recency: NDArray[Any]


class PartCounter:
    """Counts one part, which comes in pieces; memory grows with its distinct rows."""

    def __init__(self) -> None:
        self._stack, self._counts = LruStack(), DistanceCounts()
        self._firsts: list[NDArray[Any]] = []
        self._accesses = 0

    def feed(self, ids: ArrayLike) -> None:
        """Count the next accesses: integers [accesses] from 0 to 2^63 − 1; HotrowError for others."""
        rows = checked_ids(ids)
        self._firsts.append(_narrow(rows[self._stack.count_and_find(rows, self._counts)]))
        self._accesses += len(rows)

    def result(self) -> CountedPart:
        """The part, when all its pieces were fed."""
        histogram = np.trim_zeros(self._counts.histogram(self._stack.distinct), "b")
        firsts = np.concatenate([np.empty(0, np.int32), *self._firsts])
        return CountedPart(self._accesses, _narrow(histogram), firsts, _narrow(self._stack.recency()))


class JoinedCurve:
    """The curve of a stream whose parts are joined in order; memory grows with distinct rows, not with accesses."""

    def __init__(self) -> None:
        self._stack, self._counts = LruStack(), DistanceCounts()
        self._accesses = 0

    def join(self, part: CountedPart) -> None:
        """Take the part that follows those before."""
        self._counts.add(part.histogram.astype(np.int64))
        self._stack.count(part.firsts, self._counts)
        self._stack.reorder(part.recency)
        self._accesses += part.accesses

    def curve(self) -> MissRatioCurve:
        """The curve of all parts so far: to the last count that of their accesses in a row."""
        distinct = self._stack.distinct
        histogram = self._counts.histogram(distinct)
        histogram.flags.writeable = False  # nobody else has it
        return MissRatioCurve(histogram, self._accesses, distinct)


def _narrow(values: NDArray[Any]) -> NDArray[Any]:
    small = not len(values) or values.max() < 2**31
    return values.astype(np.int32 if small else np.int64, copy=False)
