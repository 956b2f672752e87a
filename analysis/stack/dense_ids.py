"""Dense ids: any 64-bit row ids, checked and numbered 0, 1, 2, … in order of first appearance."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ... import HotrowError
from ...jit import kernel
from .intrinsics import prefetch

MAX_NUMBERS = 2**31  # numbers are int32
SMALLEST = 1 << 10  # entries of a hash table
AHEAD = 24  # ids between a prefetch and its use


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


def dense_ids(ids: ArrayLike) -> tuple[NDArray[np.int32], int]:
    """Every access's row number, int32 [accesses], and the number of distinct rows.

    ids: integers [accesses] from 0 to 2^63 − 1; HotrowError for others and beyond 2^31 distinct rows.
    """
    numbers = RowNumbers()
    return numbers.of(checked_ids(ids)), numbers.rows


class RowNumbers:
    """Numbers given to ids in order of first appearance, over any number of calls.

    An open-addressing hash table, at most half full: 24 to 48 bytes per row.
    """

    def __init__(self) -> None:
        self.rows = 0
        self._keys = np.zeros(SMALLEST, np.uint64)  # id + 1; 0 where free
        self._numbers = np.zeros(SMALLEST, np.int32)

    def of(self, ids: NDArray[Any]) -> NDArray[np.int32]:
        """The numbers of checked ids, int32 [ids]."""
        wide = np.ascontiguousarray(ids).astype(np.int64, copy=False)
        numbers = np.empty(len(wide), np.int32)
        done = 0
        while True:
            with np.errstate(over="ignore"):  # the hash wraps around
                done, self.rows = _number(wide, done, self._keys, self._numbers, self.rows, numbers)
            if done == len(wide):
                return numbers
            self._double()

    def ids(self) -> NDArray[np.int64]:
        """The id of every number, int64 [rows]."""
        taken = self._keys > 0
        ids = np.empty(self.rows, np.int64)
        ids[self._numbers[taken]] = self._keys[taken] - np.uint64(1)
        return ids

    def _double(self) -> None:
        if self.rows > MAX_NUMBERS - SMALLEST:
            raise HotrowError("more than 2^31 distinct rows; sample the trace (hotrow.analysis.sampling)")
        keys, numbers = self._keys, self._numbers
        self._keys = np.zeros(2 * len(keys), np.uint64)
        self._numbers = np.zeros(2 * len(keys), np.int32)
        with np.errstate(over="ignore"):
            _move(keys, numbers, self._keys, self._numbers)


@kernel
def _home(key: np.uint64, mask: np.uint64) -> np.uint64:
    """Where a key would best stand: the finalizer of MurmurHash3 (Appleby, public domain), cut to the table."""
    key ^= key >> np.uint64(33)
    key *= np.uint64(0xFF51AFD7ED558CCD)
    key ^= key >> np.uint64(33)
    key *= np.uint64(0xC4CEB9FE1A85EC53)
    return (key ^ (key >> np.uint64(33))) & mask


@kernel
def _number(ids: Any, done: int, keys: Any, numbers: Any, rows: int, out: Any) -> tuple[int, int]:
    """Number ids[done:]; stop where the table is half full. Returns the ids done and the rows there are."""
    mask = np.uint64(len(keys) - 1)
    for i in range(done, len(ids)):
        coming = _home(np.uint64(ids[np.uint64(min(i + AHEAD, len(ids) - 1))]) + np.uint64(1), mask)
        prefetch(keys, coming)
        prefetch(numbers, coming)
        key = np.uint64(ids[np.uint64(i)]) + np.uint64(1)
        at = _home(key, mask)
        while keys[at] != key:
            if keys[at] == 0:
                if 2 * rows >= len(keys):
                    return i, rows
                keys[at] = key
                numbers[at] = rows
                rows += 1
                break
            at = (at + np.uint64(1)) & mask
        out[np.uint64(i)] = numbers[at]
    return len(ids), rows


@kernel
def _move(keys: Any, numbers: Any, new_keys: Any, new_numbers: Any) -> None:
    mask = np.uint64(len(new_keys) - 1)
    for old in range(len(keys)):
        if keys[old] == 0:
            continue
        at = _home(keys[old], mask)
        while new_keys[at] != 0:
            at = (at + np.uint64(1)) & mask
        new_keys[at] = keys[old]
        new_numbers[at] = numbers[old]
