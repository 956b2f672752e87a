"""Policies made of queues: LRU, FIFO, CLOCK, SIEVE, S3-FIFO.

Every function takes ids [accesses] (rows numbered 0, 1, 2, … as int32 or int64), rows (how many there are), sizes
(int64 [rows] bytes of each row, or empty: every row counts 1), capacity (in the unit of sizes) and missed (bool
[accesses] to mark the misses in, or empty), and returns the misses. A row larger than the cache is never kept.
The random reads are for elements that a later access names already, so they are asked for ahead of time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...jit import kernel
from ..stack.intrinsics import prefetch

AHEAD = 32  # accesses between the hint and the use: about the latency of memory at these rates


@kernel
def lru(ids: NDArray[Any], rows: int, sizes: NDArray[np.int64], capacity: int, missed: NDArray[np.bool_]) -> int:
    """Least recently used: evict the row whose last access is the oldest.

    The cache holds exactly the rows accessed since some moment, so the trace itself is the queue: `oldest` walks
    along it, and an access there is in the cache if it is still its row's last one.
    """
    last = np.full(rows, -1, ids.dtype)
    oldest = used = misses = 0
    final = len(ids) - 1
    for i in range(len(ids)):
        prefetch(last, ids[min(i + AHEAD, final)])
        x = ids[i]
        if last[x] < oldest:
            misses += 1
            if len(missed):
                missed[i] = True
            size = sizes[x] if len(sizes) else 1
            if size > capacity:
                continue
            used += size
            while used > capacity:
                prefetch(last, ids[min(oldest + AHEAD, final)])
                y = ids[oldest]
                if last[y] == oldest:
                    used -= sizes[y] if len(sizes) else 1
                oldest += 1
        last[x] = i
    return misses


@kernel
def fifo(ids: NDArray[Any], rows: int, sizes: NDArray[np.int64], capacity: int, missed: NDArray[np.bool_]) -> int:
    """First in, first out: evict the row that was admitted first; a hit changes nothing.

    Rows are evicted in the order of their admission, so a row is in the cache if its number of admission is not
    below that of the oldest row there.
    """
    number = np.full(rows, -1, ids.dtype)
    queue = np.empty(_ring(rows, capacity), ids.dtype)
    mask = len(queue) - 1
    oldest = admitted = used = misses = 0
    final = len(ids) - 1
    for i in range(len(ids)):
        prefetch(number, ids[min(i + AHEAD, final)])
        x = ids[i]
        if number[x] >= oldest:
            continue
        misses += 1
        if len(missed):
            missed[i] = True
        size = sizes[x] if len(sizes) else 1
        if size > capacity:
            continue
        used += size
        while used > capacity:
            used -= sizes[queue[oldest & mask]] if len(sizes) else 1
            oldest += 1
        queue[admitted & mask] = x
        number[x] = admitted
        admitted += 1
    return misses


@kernel
def clock(ids: NDArray[Any], rows: int, sizes: NDArray[np.int64], capacity: int, missed: NDArray[np.bool_]) -> int:
    """CLOCK (Corbató 1968): FIFO, but a row used since it was last looked at gets another round.

    One bit of reference; a new row enters without it.
    """
    state = np.zeros(rows, np.uint8)  # 0 not in the cache, 1 in it, 2 in it and used
    queue = np.empty(_ring(rows, capacity), ids.dtype)
    mask = len(queue) - 1
    oldest = end = used = misses = 0
    final = len(ids) - 1
    for i in range(len(ids)):
        prefetch(state, ids[min(i + AHEAD, final)])
        x = ids[i]
        if state[x]:
            state[x] = 2
            continue
        misses += 1
        if len(missed):
            missed[i] = True
        size = sizes[x] if len(sizes) else 1
        if size > capacity:
            continue
        used += size
        while used > capacity:
            y = queue[oldest & mask]
            oldest += 1
            state[y] -= 1
            if state[y]:
                queue[end & mask] = y
                end += 1
            else:
                used -= sizes[y] if len(sizes) else 1
        queue[end & mask] = x
        end += 1
        state[x] = 1
    return misses


@kernel
def sieve(ids: NDArray[Any], rows: int, sizes: NDArray[np.int64], capacity: int, missed: NDArray[np.bool_]) -> int:
    """SIEVE (Zhang et al., NSDI 2024): as CLOCK, but a spared row keeps its place in the queue.

    The hand moves from old to new and starts over at the end. One queue holds the rows ahead of it, where new rows
    join; the other holds, in order, the rows it has spared on this round. At the end of a round they change places.
    """
    state = np.zeros(rows, np.uint8)  # 0 not in the cache, 1 in it, 2 in it and used
    queues = np.empty((2, _ring(rows, capacity)), ids.dtype)
    mask = queues.shape[1] - 1
    ahead = hand = end = spared = used = misses = 0
    final = len(ids) - 1
    for i in range(len(ids)):
        prefetch(state, ids[min(i + AHEAD, final)])
        x = ids[i]
        if state[x]:
            state[x] = 2
            continue
        misses += 1
        if len(missed):
            missed[i] = True
        size = sizes[x] if len(sizes) else 1
        if size > capacity:
            continue
        used += size
        while used > capacity:
            y = queues[ahead, hand & mask]
            hand += 1
            state[y] -= 1
            if state[y]:
                queues[1 - ahead, spared] = y
                spared += 1
            else:
                used -= sizes[y] if len(sizes) else 1
            if hand == end:
                ahead, hand, end, spared = 1 - ahead, 0, spared, 0
        queues[ahead, end & mask] = x
        end += 1
        state[x] = 1
    return misses


@kernel
def s3_fifo(ids: NDArray[Any], rows: int, sizes: NDArray[np.int64], capacity: int, missed: NDArray[np.bool_]) -> int:
    """S3-FIFO (Yang et al., SOSP 2023): a small queue sifts out what is asked for once, a main queue keeps the rest.

    A tenth of the capacity is small, a ghost queue remembers nine tenths. Two hits in small earn a place in main;
    main gives up to three more rounds. A remembered row goes straight to main, and so does what overflows small
    before anything was evicted.
    """
    SMALL, MAIN = 0, 1
    small_room, ghost_room = int(capacity * 0.1), int(capacity * 0.9)
    state = np.zeros(rows, np.uint8)  # 0 not in the cache, else 4 + 4 × queue + hits, up to 3, since it joined
    queues = np.empty((2, _ring(rows, capacity)), ids.dtype)
    first, end, held = np.zeros((3, 2), np.int64)
    mask = queues.shape[1] - 1
    ghost = np.empty(len(ids), ids.dtype)  # every row that left small, in this order; memory is taken as it fills
    number = np.full(rows, -1, ids.dtype)  # place in ghost of a row that is remembered
    ghost_first = ghost_end = in_ghost = misses = 0
    evicted = False
    final = len(ids) - 1
    for i in range(len(ids)):
        prefetch(state, ids[min(i + AHEAD, final)])
        x = ids[i]
        if state[x]:
            state[x] += state[x] & 3 < 3
            continue
        misses += 1
        if len(missed):
            missed[i] = True
        size = sizes[x] if len(sizes) else 1
        remembered = number[x] >= 0
        if remembered:
            number[x] = -1
            in_ghost -= size
        sifting = False  # once begun, small is searched until it gives up a row
        while held[SMALL] + held[MAIN] + size > capacity:
            evicted = True
            of = MAIN if held[SMALL] == 0 or (held[MAIN] > capacity - small_room and not sifting) else SMALL
            y = queues[of, first[of] & mask]
            first[of] += 1
            leaving = sizes[y] if len(sizes) else 1
            held[of] -= leaving
            hits = state[y] & 3
            sifting = of == SMALL and hits >= 2
            if sifting or (of == MAIN and hits):
                state[y] = 8 + (0 if sifting else hits - 1)
                queues[MAIN, end[MAIN] & mask] = y
                end[MAIN] += 1
                held[MAIN] += leaving
                continue
            state[y] = 0
            if of == SMALL:
                in_ghost += leaving
                while in_ghost > ghost_room:
                    z = ghost[ghost_first]
                    if number[z] == ghost_first:
                        number[z] = -1
                        in_ghost -= sizes[z] if len(sizes) else 1
                    ghost_first += 1
                ghost[ghost_end] = y
                number[y] = ghost_end
                ghost_end += 1
        to = MAIN if remembered or (not evicted and held[SMALL] >= small_room) else SMALL
        state[x] = 4 + 4 * to
        queues[to, end[to] & mask] = x
        end[to] += 1
        held[to] += size
    return misses


@kernel
def _ring(rows: int, capacity: int) -> int:
    """Length of a ring for as many rows as can be in the cache together: a power of two, to index by a mask."""
    length = 1
    while length < min(rows, capacity) + 1:
        length *= 2
    return length
