"""FBGEMM's caches of 32-way sets: LRU and LFU, as its embedding tables in device memory use them.

A row's set is the hash of its id. All counts are for rows of one size, one access at a time; FBGEMM itself takes a
batch's distinct rows together. Source: pytorch/FBGEMM, fbgemm_gpu/src/split_embeddings_cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...jit import kernel
from ..stack.intrinsics import prefetch

WAYS = 32
AHEAD = 24


def set_of_rows(names: NDArray[np.uint64], sets: int) -> NDArray[np.int32]:
    """The set of every row id: MurmurHash3's 64-bit finalizer modulo the number of sets, int32 [rows]."""
    h = names.copy()
    with np.errstate(over="ignore"):
        for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
            h ^= h >> np.uint64(33)
            h *= np.uint64(factor)
        h ^= h >> np.uint64(33)
    return (h % np.uint64(sets)).astype(np.int32)


@kernel
def set_lru(ids: NDArray[Any], set_of: NDArray[np.int32], capacity: int, missed: NDArray[np.bool_]) -> int:
    """Within the set, evict the row whose last access is the oldest. set_of: [rows], the set of each row."""
    slot = np.zeros(len(set_of), np.int64)  # 1 + the row's place in the cache, or 0
    owner = np.full(capacity, -1, ids.dtype)
    age = np.arange(capacity) % WAYS  # WAYS × time of the last access + way; so the smallest names the victim
    misses = 0
    final = len(ids) - 1
    for i in range(len(ids)):
        prefetch(slot, ids[min(i + AHEAD, final)])
        x = ids[i]
        place = slot[x] - 1
        if place < 0:
            misses += 1
            if len(missed):
                missed[i] = True
            place = _victim(age, set_of[x] * WAYS)
            if owner[place] >= 0:
                slot[owner[place]] = 0
            owner[place] = x
            slot[x] = place + 1
        age[place] = (i + 1) * WAYS + place % WAYS
    return misses


@kernel
def set_lfu(ids: NDArray[Any], set_of: NDArray[np.int32], capacity: int, missed: NDArray[np.bool_]) -> int:
    """Within the set, evict the row with the fewest accesses since the start, unless it has more than the new row.

    Every row is counted, in the cache or not. Among equals the lowest way.
    """
    slot = np.zeros(len(set_of), np.int64)  # 1 + the row's place in the cache, or 0
    owner = np.full(capacity, -1, ids.dtype)
    uses = np.arange(capacity) % WAYS - WAYS  # WAYS × accesses + way; below 0 where empty
    count = np.zeros(len(set_of), np.int64)
    misses = 0
    final = len(ids) - 1
    for i in range(len(ids)):
        prefetch(slot, ids[min(i + AHEAD, final)])
        prefetch(count, ids[min(i + AHEAD, final)])
        x = ids[i]
        count[x] += 1
        place = slot[x] - 1
        if place < 0:
            misses += 1
            if len(missed):
                missed[i] = True
            place = _victim(uses, set_of[x] * WAYS)
            if uses[place] // WAYS > count[x]:
                continue
            if owner[place] >= 0:
                slot[owner[place]] = 0
            owner[place] = x
            slot[x] = place + 1
        uses[place] = count[x] * WAYS + place % WAYS
    return misses


@kernel
def _victim(keys: NDArray[np.int64], start: int) -> int:
    """The place with the smallest key of the set that starts at `start`; a key ends in its way."""
    smallest: int = keys[start]
    for way in range(1, WAYS):
        smallest = min(smallest, keys[start + way])
    return start + smallest % WAYS
