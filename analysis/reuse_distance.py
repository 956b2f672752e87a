"""Stack distance: how many distinct other rows were accessed since a row's last access."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .stack.dense_ids import checked_ids
from .stack.lru_stack import LruStack, checked_threads, measure_in_parallel


class StackDistances:
    """The stack distances of a stream that comes in chunks: the same as those of the whole at once."""

    def __init__(self, threads: int | None = None) -> None:
        """`threads`: at most so many work on a long chunk, to the same result; None: as many as may run at once."""
        self._threads = checked_threads(threads)
        self._stack = LruStack()

    def feed(self, ids: ArrayLike) -> NDArray[np.int64]:
        """The distances of the next accesses, int64 [accesses]; 0 immediate repeat, −1 first access of the stream.

        ids: integers [accesses] from 0 to 2^63 − 1, in time order; HotrowError for other ids, none of which is counted.
        """
        rows = checked_ids(ids)
        out = np.empty(len(rows), np.int64)
        measure_in_parallel(self._stack, rows, out, self._threads)
        return out


def stack_distances(ids: ArrayLike, threads: int | None = None) -> NDArray[np.int64]:
    """Distinct other rows since each row's last access, int64 [accesses]; 0 immediate repeat, −1 first access.

    ids: integers [accesses] from 0 to 2^63 − 1, in time order; HotrowError for other ids. A long trace is cut among
    `threads`, to the same result; None: as many as may run at once.
    """
    return StackDistances(threads).feed(ids)
