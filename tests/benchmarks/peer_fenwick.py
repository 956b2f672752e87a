"""Peers of the exact LRU curve: a plain Fenwick tree, and the random access to memory that nothing gets around."""

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit
def fenwick_histogram(ids: NDArray[np.int32], rows: int) -> NDArray[np.int64]:
    """The peer: a binary indexed tree over slots of last accesses, made anew when they run out."""
    slots = 1
    while slots < 4 * rows:
        slots *= 2
    tree, owner, last = np.zeros(slots + 1, np.int32), np.zeros(slots, np.int32), np.full(rows, -1, np.int32)
    histogram = np.zeros(rows + 1, np.int64)
    live, now = 0, 0
    for row in ids:
        if now == slots:
            now = 0
            for slot in range(slots):
                if last[owner[slot]] == slot:
                    owner[now] = owner[slot]
                    last[owner[now]] = now
                    now += 1
            tree[:] = 0
            for slot in range(now):
                tree[slot + 1] = 1
            for k in range(1, slots + 1):
                above = k + (k & -k)
                if above <= slots:
                    tree[above] += tree[k]
        if last[row] >= 0:
            up_to, k = 0, last[row] + 1
            while k > 0:
                up_to += tree[k]
                k -= k & -k
            histogram[live - up_to] += 1
            k = last[row] + 1
            while k <= slots:
                tree[k] -= 1
                k += k & -k
        else:
            live += 1
        k = now + 1
        while k <= slots:
            tree[k] += 1
            k += k & -k
        last[row], owner[now] = now, row
        now += 1
    return histogram


@njit
def update(counts: NDArray[np.uint32], ids: NDArray[np.int32]) -> None:
    """The peer for many rows: nothing but one update of main memory per access."""
    for i in range(len(ids)):
        counts[ids[i]] += np.uint32(1)
