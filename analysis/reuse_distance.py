"""Stack distance: how many distinct other rows were accessed since a row's last access."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..jit import kernel
from .dense_ids import checked_ids


def stack_distances(ids: ArrayLike) -> NDArray[np.int64]:
    """Distinct other rows since each row's last access, int64 [accesses]; 0 immediate repeat, −1 first access.

    ids: integers [accesses] from 0 to 2^63 − 1, in time order; HotrowError for other ids.
    """
    rows, numbers = np.unique(checked_ids(ids), return_inverse=True)
    return _distances(numbers, len(rows))


@kernel
def _distances(numbers: NDArray[np.int64], rows: int) -> NDArray[np.int64]:
    accesses = len(numbers)
    tree = np.zeros(accesses + 1, np.int64)  # Fenwick tree over slots that are a row's last access
    last = np.full(rows, -1, np.int64)
    out = np.empty(accesses, np.int64)
    live = 0
    for i in range(accesses):
        p = last[numbers[i]]
        if p < 0:
            out[i] = -1
            live += 1
        else:
            before = 0
            k = p + 1
            while k > 0:
                before += tree[k]
                k -= k & -k
            out[i] = live - before
            k = p + 1
            while k <= accesses:
                tree[k] -= 1
                k += k & -k
        k = i + 1
        while k <= accesses:
            tree[k] += 1
            k += k & -k
        last[numbers[i]] = i
    return out
