"""Policies that move rows among lists: ARC, 2Q, SLRU, LIRS, W-TinyLFU.

Arguments and result of every policy are those of queues.py. The lists know three verbs: which list a row is on, move
a row to the young end of a list, and which row of a list is the oldest. A list is a log: a row moved away or renewed
leaves its old entry behind, which is passed over when its turn comes and swept out when the log is full. So nothing
follows pointers, and the only random access is to `where`, for rows that the trace or the log names ahead of time.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from ...jit import Function, kernel
from ..stack.intrinsics import prefetch

AHEAD = 24
ABSENT = 7  # the number of no list; −1 in `where` gives it


def _verb(function: Function) -> Function:
    """A part of the kernels below, compiled into each of its callers: as a call it would take half of the time."""
    inlined: Function = numba.njit(function, nogil=True, forceinline=True)
    return inlined


class Lists(NamedTuple):
    """Up to seven lists; a row is on one of them or on none.

    log: rows [lists, length], oldest first. first, end: int64 [lists], the part of the log in use. held: int64 [lists],
    size of the rows on each list. where: [rows], 8 × place in the log + list, or −1. sizes: as the policies take it.
    """

    log: NDArray[Any]
    first: NDArray[np.int64]
    end: NDArray[np.int64]
    held: NDArray[np.int64]
    where: NDArray[Any]
    sizes: NDArray[np.int64]


@kernel
def _lists(count: int, longest: int, ids: NDArray[Any], rows: int, sizes: NDArray[np.int64]) -> Lists:
    """`count` empty lists of at most `longest` rows each."""
    log = np.zeros((count, 2 * min(longest, rows) + 64), ids.dtype)  # twice: a sweep then costs less than the moves
    zeros = np.zeros((3, count), np.int64)
    return Lists(log, zeros[0], zeros[1], zeros[2], np.full(rows, -1, ids.dtype), sizes)


@_verb
def _list_of(lists: Lists, x: int) -> int:
    """The list that row x is on, or ABSENT."""
    return int(lists.where[x] & 7)


@_verb
def _size(lists: Lists, x: int) -> int:
    return int(lists.sizes[x]) if len(lists.sizes) else 1


@_verb
def _move(lists: Lists, x: int, to: int) -> None:
    """Take row x from the list it may be on and append it to list `to`, or to none if that is ABSENT."""
    size = _size(lists, x)
    old = lists.where[x] & 7
    if old != ABSENT:
        lists.held[old] -= size
    if to == ABSENT:
        lists.where[x] = -1
        return
    lists.held[to] += size
    if lists.end[to] == lists.log.shape[1]:
        lists.where[x] = -1
        _sweep(lists, to)
    place = lists.end[to]
    lists.log[to, place] = x
    lists.where[x] = place * 8 + to
    lists.end[to] = place + 1


@_verb
def _oldest(lists: Lists, of: int) -> int:
    """The oldest row of list `of`, which must not be empty."""
    place = lists.first[of]
    while True:
        x: int = lists.log[of, place]
        prefetch(lists.where, lists.log[of, min(place + 8, lists.log.shape[1] - 1)])
        if lists.where[x] == place * 8 + of:
            lists.first[of] = place
            return x
        place += 1


@kernel
def _sweep(lists: Lists, of: int) -> None:
    """Push the entries of list `of` that still hold together at the front of its log."""
    end = 0
    for place in range(lists.first[of], lists.end[of]):
        x = lists.log[of, place]
        if lists.where[x] == place * 8 + of:
            lists.log[of, end] = x
            lists.where[x] = end * 8 + of
            end += 1
    lists.first[of], lists.end[of] = 0, end


@kernel
def two_q(ids: NDArray[Any], rows: int, sizes: NDArray[np.int64], capacity: int, missed: NDArray[np.bool_]) -> int:
    """2Q (Johnson and Shasha, VLDB 1994, full version): rows asked for again soon after they left are kept by LRU.

    A new row goes to a FIFO that is cut back when above a quarter of the capacity; what leaves it is remembered, up
    to half the capacity. A remembered row goes to the LRU list of the rest.
    """
    NEW, MAIN, GHOST = 0, 1, 2
    new, ghost = int(capacity * 0.25), int(capacity * 0.5)
    lists = _lists(3, capacity, ids, rows, sizes)
    misses, final = 0, len(ids) - 1
    for i in range(len(ids)):
        prefetch(lists.where, ids[min(i + AHEAD, final)])
        x = ids[i]
        known = _list_of(lists, x)
        if known <= MAIN:
            if known == MAIN:
                _move(lists, x, MAIN)
            continue
        misses += 1
        if len(missed):
            missed[i] = True
        if known == GHOST:
            _move(lists, x, ABSENT)
        while lists.held[NEW] + lists.held[MAIN] + _size(lists, x) > capacity:
            if lists.held[NEW] > new or lists.held[MAIN] == 0:
                _move(lists, _oldest(lists, NEW), GHOST)
                while lists.held[GHOST] > ghost:
                    _move(lists, _oldest(lists, GHOST), ABSENT)
            else:
                _move(lists, _oldest(lists, MAIN), ABSENT)
        _move(lists, x, MAIN if known == GHOST else NEW)
    return misses


@kernel
def slru(ids: NDArray[Any], rows: int, sizes: NDArray[np.int64], capacity: int, missed: NDArray[np.bool_]) -> int:
    """Segmented LRU (Karedla, Love and Wherry, Computer 1994) in four segments, each a quarter of the capacity.

    A hit moves a row to the young end of the next segment; what a full segment must give up goes to the one below. A
    new row enters the lowest segment with room, and where none has, the oldest rows of the lowest are evicted.
    """
    SEGMENTS = 4
    share = capacity // SEGMENTS
    lowest = capacity - (SEGMENTS - 1) * share
    lists = _lists(SEGMENTS, lowest, ids, rows, sizes)
    misses, final = 0, len(ids) - 1
    for i in range(len(ids)):
        prefetch(lists.where, ids[min(i + AHEAD, final)])
        x = ids[i]
        known = _list_of(lists, x)
        if known != ABSENT:
            to = min(known + 1, SEGMENTS - 1)
            _move(lists, x, to)
        else:
            misses += 1
            if len(missed):
                missed[i] = True
            size = _size(lists, x)
            to = 0
            while to < SEGMENTS and lists.held[to] + size > (share if to else lowest):
                to += 1
            if to == SEGMENTS:
                to = 0
                while lists.held[0] + size > lowest:
                    _move(lists, _oldest(lists, 0), ABSENT)
            _move(lists, x, to)
        while to > 0:
            while lists.held[to] > share:
                _move(lists, _oldest(lists, to), to - 1)
            to -= 1
        while lists.held[0] > lowest:
            _move(lists, _oldest(lists, 0), ABSENT)
    return misses


@kernel
def arc(ids: NDArray[Any], rows: int, sizes: NDArray[np.int64], capacity: int, missed: NDArray[np.bool_]) -> int:
    """ARC (Megiddo and Modha, FAST 2003, figure 4): how much goes to recency and how much to frequency adapts itself.

    T1 and T2 hold the rows seen once and more often, B1 and B2 remember what left them. The target of T1 is a real
    number. Defined for rows of one size.
    """
    T1, T2, B1, B2 = 0, 1, 2, 3
    lists = _lists(4, capacity, ids, rows, sizes)
    held = lists.held
    target = 0.0
    misses, final = 0, len(ids) - 1
    for i in range(len(ids)):
        prefetch(lists.where, ids[min(i + AHEAD, final)])
        x = ids[i]
        known = _list_of(lists, x)
        if known <= T2:
            _move(lists, x, T2)
            continue
        misses += 1
        if len(missed):
            missed[i] = True
        replace = True
        if known == B1:
            target = min(float(capacity), target + max(held[B2] / held[B1], 1.0))
        elif known == B2:
            target = max(0.0, target - max(held[B1] / held[B2], 1.0))
        elif held[T1] + held[B1] == capacity:
            replace = held[T1] < capacity
            _move(lists, _oldest(lists, B1 if replace else T1), ABSENT)
        else:
            replace = held[T1] + held[T2] + held[B1] + held[B2] >= capacity
            if held[T1] + held[T2] + held[B1] + held[B2] == 2 * capacity:
                _move(lists, _oldest(lists, B2), ABSENT)
        if replace:
            if held[T1] > 0 and (held[T1] > target or (known == B2 and held[T1] == target)):
                _move(lists, _oldest(lists, T1), B1)
            else:
                _move(lists, _oldest(lists, T2), B2)
        _move(lists, x, T1 if known == ABSENT else T2)
    return misses


@kernel
def lirs(ids: NDArray[Any], rows: int, sizes: NDArray[np.int64], capacity: int, missed: NDArray[np.bool_]) -> int:
    """LIRS (Jiang and Zhang, SIGMETRICS 2002): keep the rows whose last two accesses lie closest together.

    One per cent of the capacity, at least one row, is a FIFO of resident rows with long gaps. The stack holds the rows
    with short gaps, which are resident, and all rows accessed since the oldest of them; of those no longer
    resident it remembers as many as the cache has rows. Defined for rows of one size.
    """
    STACK, QUEUE, GHOST = 0, 0, 1
    short = capacity - max(1, int(capacity * 0.01))
    stack = _lists(1, rows, ids, rows, sizes)
    others = _lists(2, capacity, ids, rows, sizes)  # a row of the stack that is on neither has short gaps
    resident_short = misses = 0
    final = len(ids) - 1
    for i in range(len(ids)):
        prefetch(stack.where, ids[min(i + AHEAD, final)])
        prefetch(others.where, ids[min(i + AHEAD, final)])
        x = ids[i]
        known = _list_of(others, x)
        stacked = _list_of(stack, x) == STACK
        _move(stack, x, STACK)
        if stacked and known == ABSENT:
            _prune(stack, others)
            continue
        if known != QUEUE:
            misses += 1
            if len(missed):
                missed[i] = True
            if not stacked and resident_short < short:
                resident_short += 1
                continue
            if known == GHOST:
                _move(others, x, ABSENT)
            if resident_short + others.held[QUEUE] >= capacity:
                y = _oldest(others, QUEUE)
                _move(others, y, GHOST if _list_of(stack, y) == STACK else ABSENT)
                if others.held[GHOST] > capacity:
                    z = _oldest(others, GHOST)
                    _move(others, z, ABSENT)
                    _move(stack, z, ABSENT)
        if not stacked:
            _move(others, x, QUEUE)
            continue
        _move(others, x, ABSENT)
        resident_short += 1
        if resident_short > short:
            resident_short -= 1
            y = _oldest(stack, STACK)
            _move(stack, y, ABSENT)
            _move(others, y, QUEUE)
            _prune(stack, others)
    return misses


@_verb
def _prune(stack: Lists, others: Lists) -> None:
    """Drop rows with long gaps from the bottom of the stack until one with short gaps is there."""
    y = _oldest(stack, 0)
    while _list_of(others, y) != ABSENT:
        if _list_of(others, y) == 1:
            _move(others, y, ABSENT)
        _move(stack, y, ABSENT)
        y = _oldest(stack, 0)


@kernel
def w_tinylfu(ids: NDArray[Any], rows: int, sizes: NDArray[np.int64], capacity: int, missed: NDArray[np.bool_]) -> int:
    """W-TinyLFU (Einziger, Friedman and Manes, ACM TOS 2017): a new row must be asked for more often than its victim.

    A window of one per cent by LRU; what leaves it replaces the oldest row of the main cache's probation only if its
    recent count is higher. A hit in probation earns protection, by LRU in four fifths of the main cache. Counts end
    at 15 and are halved every 10 × capacity accesses; they are kept for every row, where hardware would estimate
    them in a sketch. Defined for rows of one size.
    """
    WINDOW, PROBATION, PROTECTED = 0, 1, 2
    window = int(capacity * 0.01)
    main = capacity - window
    protected = int(main * 0.8)
    lists = _lists(3, capacity, ids, rows, sizes)
    period, renewal = 0, 10 * capacity
    counts = np.zeros(rows, ids.dtype)  # 16 × the period it was last counted in + count
    misses, final = 0, len(ids) - 1
    for i in range(len(ids)):
        prefetch(lists.where, ids[min(i + AHEAD, final)])
        prefetch(counts, ids[min(i + AHEAD, final)])
        x = ids[i]
        if i == renewal:
            period += 1
            renewal += 10 * capacity
        counts[x] = period * 16 + min(_aged(counts[x], period) + 1, 15)
        known = _list_of(lists, x)
        if known == WINDOW:
            _move(lists, x, WINDOW)
            continue
        if known != ABSENT:
            _move(lists, x, PROTECTED)
            if lists.held[PROTECTED] > protected:
                _move(lists, _oldest(lists, PROTECTED), PROBATION)
            continue
        misses += 1
        if len(missed):
            missed[i] = True
        _move(lists, x, WINDOW)
        if lists.held[WINDOW] > window:
            y = _oldest(lists, WINDOW)
            if lists.held[PROBATION] + lists.held[PROTECTED] < main:
                _move(lists, y, PROBATION)
                continue
            victim = _oldest(lists, PROBATION)
            if _aged(counts[y], period) > _aged(counts[victim], period):
                _move(lists, victim, ABSENT)
                _move(lists, y, PROBATION)
            else:
                _move(lists, y, ABSENT)
    return misses


@_verb
def _aged(count: int, period: int) -> int:
    """A row's count in this period: halved once for every period since it was counted."""
    return (count & 15) >> min(period - (count >> 4), 4)
