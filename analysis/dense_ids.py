"""Dense ids: any 64-bit row ids, checked and numbered 0, 1, 2, …"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import HotrowError


def checked_ids(ids: ArrayLike) -> NDArray[Any]:
    """`ids` as a one-dimensional integer array; HotrowError unless all are from 0 to 2^63 − 1."""
    rows = np.asarray(ids)
    if rows.ndim == 1 and rows.size == 0:
        return rows.astype(np.int64)  # numpy calls an empty list float64
    if rows.ndim != 1 or rows.dtype.kind not in "iu":
        raise HotrowError(
            f"row ids are {rows.dtype} with {rows.ndim} dimensions; they must be integers in one dimension"
        )
    if rows.dtype.kind == "i" and rows.min() < 0:
        where = int(np.argmax(rows < 0))
        raise HotrowError(f"row id {rows[where]} at access {where}; row ids start at 0")
    if rows.dtype == np.uint64 and rows.max() >= 2**63:
        where = int(np.argmax(rows >= 2**63))
        raise HotrowError(f"row id {rows[where]} at access {where}; row ids end at 2^63 − 1")
    return rows
