"""Stream: the accesses of one cache as the policies take them, rows numbered and sized."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ... import HotrowError
from ..stack.dense_ids import RowNumbers, checked_ids

NO_SIZES = np.empty(0, np.int64)
TRAINING = 0.1  # part of the accesses that static-prefix learns from, where nothing else is said
ROOM = 2**20  # numbers of one stream that need not be dense


@dataclass(frozen=True, eq=False)
class Stream:
    """Accesses to numbered rows.

    ids: [accesses], row numbers below `rows`, int32 where the policies' counters fit, else int64. names: uint64 [rows],
    the row ids that the numbers stand for, or None where they are the same. row_bytes: bytes of every row, or None
    where a capacity counts rows. sizes: int64 [rows], bytes of each row where they differ, else empty.
    training: the part of the accesses, 0 to 1, that `static-prefix` learns from.
    """

    ids: NDArray[Any]
    rows: int
    names: NDArray[np.uint64] | None = None
    row_bytes: int | None = None
    sizes: NDArray[np.int64] = field(default_factory=lambda: NO_SIZES)
    training: float = TRAINING

    def __post_init__(self) -> None:
        if not 0 <= self.training <= 1:
            raise HotrowError(f"training part {self.training}; it is from 0 (nothing) to 1 (all accesses)")

    @property
    def unit(self) -> str:
        """What a capacity counts: rows or bytes."""
        return "rows" if self.row_bytes is None and not len(self.sizes) else "bytes"

    @cached_property
    def size_range(self) -> tuple[int, int]:
        """Smallest and largest row in the unit of a capacity."""
        if len(self.sizes):
            return int(self.sizes.min()), int(self.sizes.max())
        return (self.row_bytes or 1,) * 2

    @cached_property
    def touched_rows(self) -> int:
        """Rows that are accessed at all; `rows` also counts numbers that nobody asks for."""
        return int(np.count_nonzero(np.bincount(self.ids, minlength=self.rows)))

    @cached_property
    def hottest(self) -> NDArray[np.int64]:
        """Accessed rows, the most accesses per byte first and among equals the first accessed, int64."""
        return by_heat(self.ids, self.rows, self.sizes)

    @cached_property
    def hottest_in_training(self) -> NDArray[np.int64]:
        """The same from the training part alone."""
        return by_heat(self.ids[: self.training_accesses], self.rows, self.sizes)

    @property
    def training_accesses(self) -> int:
        """Accesses of the training part."""
        return int(self.training * len(self.ids))


def stream(ids: ArrayLike, row_bytes: ArrayLike | None = None, training: float = TRAINING) -> Stream:
    """Number the rows of `ids` for the policies.

    ids: integers [accesses] from 0 to 2^63 − 1, in time order. row_bytes: None, or the bytes of every row, or int
    [accesses] with the bytes of each access's row. Raises HotrowError where a row has no byte or changes its size.
    """
    numbers, names = numbered(checked_ids(ids))
    rows = int(numbers.max()) + 1 if len(numbers) else 0
    if row_bytes is None:
        return Stream(numbers, rows, names, training=training)
    sizes = np.asarray(row_bytes)
    if sizes.dtype.kind not in "iu" or (sizes.ndim and sizes.shape != numbers.shape):
        raise HotrowError(
            f"row_bytes is {sizes.dtype} of shape {sizes.shape}; give one whole number, or one for each of the "
            f"{len(numbers)} accesses"
        )
    if sizes.size and sizes.min() < 1:
        raise HotrowError(f"row_bytes {sizes.min()}; a row has at least 1 byte")
    if sizes.ndim == 0:
        return Stream(numbers, rows, names, int(sizes), training=training)
    per_row = np.ones(rows, np.int64)
    per_row[numbers] = sizes
    changed = np.flatnonzero(per_row[numbers] != sizes)
    if len(changed):
        i = int(changed[0])
        raise HotrowError(
            f"row id {np.asarray(ids)[i]} has {sizes[i]} bytes at access {i} and {per_row[numbers[i]]} later; "
            "a row keeps its size"
        )
    if len(sizes) and sizes.min() == sizes.max():
        return Stream(numbers, rows, names, int(sizes[0]), training=training)
    return Stream(numbers, rows, names, None, per_row, training)


def numbered(ids: NDArray[Any], room: int = ROOM) -> tuple[NDArray[Any], NDArray[np.uint64] | None]:
    """Row numbers of checked ids, below 4 × accesses or `room`, and the ids they stand for if they are others."""
    highest = int(ids.max()) if len(ids) else 0
    if highest < max(4 * len(ids), room):
        return ids.astype(counter_type(len(ids), highest), copy=False), None
    table = RowNumbers()
    numbers = table.of(ids)
    return numbers.astype(counter_type(len(ids), table.rows), copy=False), table.ids().astype(np.uint64)


def counter_type(accesses: int, rows: int) -> type[np.signedinteger[Any]]:
    """The narrow integer where all that the policies count fits: accesses, and 16 × rows with a list's number."""
    return np.int32 if accesses < 2**31 and rows < 2**26 else np.int64


def by_heat(ids: NDArray[Any], rows: int, sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Accessed rows, the most accesses per byte first and among equals the first accessed, int64."""
    counts = np.bincount(ids, minlength=rows)
    first = np.empty(rows, np.int64)
    first[ids[::-1]] = np.arange(len(ids))[::-1]
    accessed = np.flatnonzero(counts)
    heat = counts[accessed] / sizes[accessed] if len(sizes) else counts[accessed]
    return accessed[np.lexsort((first[accessed], -heat))]
