"""The policy that counts: LFU.

Arguments and result are those of queues.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...jit import kernel
from ..stack.intrinsics import prefetch

AHEAD = 32


@kernel
def lfu(ids: NDArray[Any], rows: int, sizes: NDArray[np.int64], capacity: int, missed: NDArray[np.bool_]) -> int:
    """Least frequently used: evict the row with the fewest accesses since it was admitted.

    Among equals, the one that reached this number first. Rows of one number of uses stand in a ring, oldest first,
    that starts and ends at the node of that number: node `slots` + uses. Slots 1 … `slots` are the rows in the cache.
    """
    slots = min(rows, capacity)
    slot = np.zeros(rows, ids.dtype)
    owner = np.empty(slots + 1, ids.dtype)
    uses = np.zeros(slots + 1, ids.dtype)
    ring = np.empty((slots + 2 + len(ids), 2), ids.dtype)  # older, younger neighbour; touched up to the most uses
    free = np.arange(slots + 1)
    spare = slots
    used = misses = most = 0
    fewest = 1
    final = len(ids) - 1
    for i in range(len(ids)):
        prefetch(slot, ids[min(i + AHEAD, final)])
        prefetch(ring, 2 * slot[ids[min(i + AHEAD // 2, final)]])
        x = ids[i]
        s = slot[x]
        if s:
            older, younger = ring[s]
            ring[older, 1] = younger
            ring[younger, 0] = older
        else:
            misses += 1
            if len(missed):
                missed[i] = True
            size = sizes[x] if len(sizes) else 1
            if size > capacity:
                continue
            used += size
            while used > capacity:
                while ring[slots + fewest, 1] == slots + fewest:
                    fewest += 1
                s = ring[slots + fewest, 1]
                younger = ring[s, 1]
                ring[slots + fewest, 1] = younger
                ring[younger, 0] = slots + fewest
                slot[owner[s]] = 0
                used -= sizes[owner[s]] if len(sizes) else 1
                spare += 1
                free[spare] = s
            s = free[spare]
            spare -= 1
            slot[x] = s
            owner[s] = x
            uses[s] = 0
            fewest = 1
        uses[s] += 1
        start = slots + uses[s]
        if uses[s] > most:
            most += 1
            ring[start] = start
        youngest = ring[start, 0]
        ring[youngest, 1] = s
        ring[s, 0] = youngest
        ring[s, 1] = start
        ring[start, 0] = s
    return misses
