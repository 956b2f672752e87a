"""Policies that know the trace in advance: Belady's optimum and the static hot set.

Arguments and result are those of queues.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...jit import kernel
from ..stack.intrinsics import prefetch
from .stream import Stream

AHEAD = 16


@kernel
def belady(ids: NDArray[Any], rows: int, sizes: NDArray[np.int64], capacity: int, missed: NDArray[np.bool_]) -> int:
    """The fewest misses possible (Belady, IBM Systems Journal 5(2), 1966): evict what is used again last.

    Every accessed row enters the cache. So an access takes one place, and each hit needs one of the other
    capacity − 1 places from its row's last access on. Take the hits in time order and give each the place that
    became free last before that: this greedy choice keeps exactly Belady's rows (Carlisle and Lloyd, "On the k-coloring
    of intervals", Discrete Applied Mathematics 59, 1995). `back[t]` leads to the last moment up to t − 1 at which a
    place became free.
    """
    previous = _previous(ids, rows)
    back = np.empty(len(ids) + 1, ids.dtype)
    back[0] = 0
    unused = capacity - 1  # places never taken, free from moment 0 on
    misses = 0
    final = len(ids) - 1
    for i in range(len(ids)):
        prefetch(back, previous[min(i + AHEAD, final)] + 1)
        back[i] = max(i - 1, 0)
        since = previous[i]
        if since == i - 1 and since >= 0:
            continue
        if since >= 0:
            t = since + 1
            while back[t] != t:
                back[t] = back[back[t]]
                t = back[t]
            if t or unused:
                if t:
                    back[t] = t - 1
                else:
                    unused -= 1
                back[i] = i
                continue
        misses += 1
        if len(missed):
            missed[i] = True
    return misses


@kernel
def _previous(ids: NDArray[Any], rows: int) -> NDArray[Any]:
    """The access before this one to the same row, or −1; [accesses]."""
    last = np.full(rows, -1, ids.dtype)
    previous = np.empty(len(ids), ids.dtype)
    final = len(ids) - 1
    for i in range(len(ids)):
        prefetch(last, ids[min(i + 2 * AHEAD, final)])
        previous[i] = last[ids[i]]
        last[ids[i]] = i
    return previous


def static(stream: Stream, capacity: int, missed: NDArray[np.bool_]) -> int:
    """The hottest rows of the whole trace, there from the start and for good.

    No cache that never evicts hits more, where rows have one size; else the hottest by the byte, a good packing only.
    """
    return _pinned(stream, stream.hottest, capacity, 0, missed)


def static_prefix(stream: Stream, capacity: int, missed: NDArray[np.bool_]) -> int:
    """The hottest rows of the trace's first part, there from its end on; until then every access misses."""
    return _pinned(stream, stream.hottest_in_training, capacity, stream.training_accesses, missed)


def _pinned(stream: Stream, hottest: NDArray[np.int64], capacity: int, start: int, missed: NDArray[np.bool_]) -> int:
    """Misses if the hottest rows that fit, each taken in turn if it does, are in the cache from access `start` on."""
    kept = np.zeros(stream.rows, np.bool_)
    if len(stream.sizes):
        kept[hottest[fitting(stream.sizes[hottest], capacity)]] = True
    else:
        kept[hottest[:capacity]] = True
    hits = kept[stream.ids]
    hits[:start] = False
    if len(missed):
        missed[:] = ~hits
    return len(hits) - int(np.count_nonzero(hits))


@kernel
def fitting(sizes: NDArray[np.int64], capacity: int) -> NDArray[np.bool_]:
    """Which rows a greedy packer takes that goes through them in order and skips those that no longer fit."""
    taken = np.zeros(len(sizes), np.bool_)
    for k in range(len(sizes)):
        if sizes[k] <= capacity:
            taken[k] = True
            capacity -= sizes[k]
    return taken
