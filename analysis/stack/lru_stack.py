"""LruStack: the rows of a stream in order of their last access, and the distance of every new access in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import HotrowError
from .dead_slots import LARGEST, SMALLEST, access_rows, compact, no_dead_slots, revive, rows_by_slot
from .dense_ids import MAX_NUMBERS, RowNumbers

PIECE = 1 << 20  # accesses whose ids are converted at a time
SPARE = 4  # a new tree has at least so many slots per row: few compactions, in little memory
FAST_SLOTS = 1 << 22  # whose bits fit a second-level cache
SMALL_TABLE = 1 << 22  # ids below it need no hash table, however few there are
SPARSE = 16  # nor do larger ids, while the rows seen are one in so many, or the chunk is half as long as the table
WORTH_A_THREAD = 1 << 20  # accesses

NO_BINS = np.empty(0, np.uint8)
NO_CARRIES = np.empty(0, np.uint32)
NO_DISTANCES = np.empty(0, np.int64)
Positions = NDArray[np.int64]


class DistanceCounts:
    """How often each distance was measured, up to 2^40 times, in little more than a byte per row."""

    def __init__(self) -> None:
        self.bins = np.zeros(1, np.uint8)
        self.carries = np.zeros(1, np.uint32)  # lots of 256; its pages stay untouched where bins did not run over

    def reach(self, distances: int) -> None:
        """Make room for distances below `distances`."""
        if distances > len(self.bins):
            entries = max(distances, 2 * len(self.bins))
            self.bins = _longer(self.bins, entries)
            self.carries = _longer(self.carries, entries)

    def add(self, histogram: NDArray[np.int64]) -> None:
        """Add another stack's histogram."""
        self.reach(len(histogram))
        counts = self.bins[: len(histogram)] + histogram
        self.bins[: len(histogram)] = counts & 255
        self.carries[: len(histogram)] += (counts >> 8).astype(np.uint32)

    def histogram(self, distinct: int, known: int = 0) -> NDArray[np.int64]:
        """Accesses per distance, int64 [distinct], without the first accesses that made `known` rows `distinct`."""
        self.reach(distinct)
        counts = self.carries[:distinct] * np.int64(256)
        counts += self.bins[:distinct]
        counts[known:] -= 1  # a first access was counted at the number of rows before it: once at each
        return counts


class LruStack:
    """Rows by last access. Ids below 2^22, and denser ones beyond, index a table; others are hashed first."""

    def __init__(self) -> None:
        self.distinct = 0
        self._used = 0  # slots given out
        self._slots = SMALLEST
        self._tree = no_dead_slots(SMALLEST)
        self._last = np.zeros(1, np.uint32)  # by id, or by number
        self._numbers: RowNumbers | None = None

    def count(self, ids: NDArray[Any], counts: DistanceCounts) -> None:
        """Access checked ids in order and count their distances, first accesses at the distinct rows before."""
        for _ in self._access(ids, counts, NO_DISTANCES, False):
            pass

    def count_and_find(self, ids: NDArray[Any], counts: DistanceCounts) -> Positions:
        """As count, and the positions of first accesses."""
        return np.concatenate([NO_DISTANCES, *self._access(ids, counts, NO_DISTANCES, True)])

    def measure(self, ids: NDArray[Any], out: NDArray[np.int64]) -> None:
        """Access checked ids in order and write their distances to `out`, −1 for a first access."""
        for _ in self._access(ids, None, out, False):
            pass

    def recency(self) -> NDArray[np.int64]:
        """The distinct ids in order of their last access, int64 [distinct]."""
        self._compact()
        order: NDArray[Any] = rows_by_slot(self._last, self.distinct)
        return order.astype(np.int64) if self._numbers is None else self._numbers.ids()[order]

    def reorder(self, ids: NDArray[np.int64]) -> None:
        """Put the rows accessed last, which are `ids`, in the order of `ids`."""
        rows = ids if self._numbers is None else self._numbers.of(ids)
        self._last[rows] = np.arange(self._used - len(ids) + 1, self._used + 1, dtype=np.uint32)

    def _access(
        self, ids: NDArray[Any], counts: DistanceCounts | None, out: NDArray[np.int64], finding: bool
    ) -> Iterator[Positions]:
        """Do the work piece by piece; yields positions of first accesses in `ids`, where `finding`."""
        self._admit(ids)
        start = 0
        while start < len(ids):
            if self._used == self._slots - 1:
                self._compact()
            stop = min(start + PIECE, start + self._slots - 1 - self._used, len(ids))
            rows = self._rows(ids[start:stop])
            if counts is not None:
                # a table indexed by ids has room for all distances there can be, whose pages cost nothing untouched
                counts.reach(len(self._last) if self._numbers is None else self.distinct + len(rows) + 1)
            firsts = np.empty(len(rows) if finding else 0, np.int64)
            new = access_rows(
                rows,
                self._last,
                self._tree,
                self._used,
                NO_BINS if counts is None else counts.bins,
                NO_CARRIES if counts is None else counts.carries,
                out[start:stop],
                firsts,
            )
            self.distinct += new
            self._used += len(rows)
            yield firsts[: new if finding else 0] + start
            start = stop

    def _rows(self, ids: NDArray[Any]) -> NDArray[np.int32]:
        if self._numbers is None:
            return np.ascontiguousarray(ids, np.int32)
        rows = self._numbers.of(ids)
        self._lengthen_table(self._numbers.rows)
        return rows

    def _admit(self, ids: NDArray[Any]) -> None:
        """Make the table hold `ids`, or turn to a hash table where that would take more memory."""
        if self._numbers is not None or not len(ids):
            return
        rows = int(ids.max()) + 1
        if rows <= min(MAX_NUMBERS, max(SMALL_TABLE, SPARSE * self.distinct, 2 * len(ids))):
            self._lengthen_table(rows)
            if not self.distinct:  # a compaction passes over the table: not too often, then
                self._take_tree(min(rows, FAST_SLOTS))
            return
        self._numbers = RowNumbers()
        known = np.flatnonzero(self._last)
        self._numbers.of(known)
        self._last = self._last[known]

    def _lengthen_table(self, rows: int) -> None:
        if rows > len(self._last):
            self._last = _longer(self._last, max(rows, 2 * len(self._last)))

    def _compact(self) -> None:
        """Give the rows the first slots; take a larger tree where that would leave too few."""
        self._used -= compact(self._last, self._tree)
        if not self._take_tree(SPARE * self.distinct):
            revive(self._tree)
        if self._used > self._slots // 2:
            raise HotrowError("more than 2^31 distinct rows; sample the trace (hotrow.analysis.sampling)")

    def _take_tree(self, slots: int) -> bool:
        """Take an empty tree with at least `slots`, unless it has them."""
        if self._slots >= min(slots, LARGEST):
            return False
        while self._slots < min(slots, LARGEST):
            self._slots *= 2
        self._tree = no_dead_slots(self._slots)
        return True


def count_in_parallel(stack: LruStack, ids: NDArray[Any], counts: DistanceCounts, threads: int) -> None:
    """stack.count(ids, counts), to the same result, on threads.

    Each thread takes a part of `ids` on a stack of its own. Distances within a part are final; first accesses in a part
    are then accessed in turn on `stack`, where the parts before have been: they find their distances there.
    After Niu et al., "PARDA: a fast parallel reuse distance analysis algorithm", IPDPS 2012.
    """
    first, *parts = np.array_split(ids, parts_worth(len(ids), threads))
    with ThreadPoolExecutor(max(1, len(parts))) as pool:
        beside = [pool.submit(count_part, part) for part in parts]
        stack.count(first, counts)
        for part, result in zip(parts, beside, strict=True):
            histogram, firsts, recency = result.result()
            counts.add(histogram)
            stack.count(part[firsts], counts)
            stack.reorder(recency)


def count_part(ids: NDArray[Any]) -> tuple[NDArray[np.int64], Positions, NDArray[np.int64]]:
    """A later part's histogram, the positions of its first accesses, and its rows in order of their last."""
    stack, counts = LruStack(), DistanceCounts()
    firsts = stack.count_and_find(ids, counts)
    return counts.histogram(stack.distinct), firsts, stack.recency()


def measure_in_parallel(stack: LruStack, ids: NDArray[Any], out: NDArray[np.int64], threads: int) -> None:
    """stack.measure(ids, out), to the same result, on threads, as count_in_parallel."""
    number = parts_worth(len(ids), threads)
    (first, *parts), (first_out, *outs) = np.array_split(ids, number), np.array_split(out, number)
    with ThreadPoolExecutor(max(1, len(parts))) as pool:
        beside = [pool.submit(_measure_part, *part) for part in zip(parts, outs, strict=True)]
        stack.measure(first, first_out)
        for part, part_out, result in zip(parts, outs, beside, strict=True):
            recency = result.result()
            firsts = np.flatnonzero(part_out < 0)
            distances = np.empty(len(firsts), np.int64)
            stack.measure(part[firsts], distances)
            part_out[firsts] = distances
            stack.reorder(recency)


def _measure_part(ids: NDArray[Any], out: NDArray[np.int64]) -> NDArray[np.int64]:
    stack = LruStack()
    stack.measure(ids, out)
    return stack.recency()


def parts_worth(accesses: int, threads: int) -> int:
    """Into how many parts accesses are worth cutting, from 1 to `threads`."""
    return max(1, min(threads, accesses // WORTH_A_THREAD))


def checked_threads(threads: Any) -> int:
    """`threads`, or as many as this process may run at once; HotrowError unless it is a whole number from 1 on."""
    if threads is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not isinstance(threads, Integral) or threads < 1:
        raise HotrowError(f"{threads!r} threads; it must be a whole number, at least 1")
    return int(threads)


def _longer(values: NDArray[Any], entries: int) -> NDArray[Any]:
    longer = np.zeros(entries, values.dtype)
    if values.any():  # pages of zeros that nobody touched take no memory
        longer[: len(values)] = values
    return longer
