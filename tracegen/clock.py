"""The public clock: every sample owns L slots of a table, each a row or empty; contributions are bounded here.

Two traces are neighbours when the content of one unit's slots is replaced by *empty*. Nothing is re-indexed, so all
other accesses keep their slots, and a difference of slots (the reuse time) changes only next to what was removed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .. import HotrowError
from .trace import TableLookups, Trace


@dataclass(frozen=True, eq=False)
class ClockedTable:
    """One table's lookups on the clock.

    declared: rows of the table. samples, per_sample: the clock, samples × per_sample slots. one_hot: every kept
    sample has exactly one lookup, by the form of the log. ids: distinct row ids that occur, rising;
    numbers: index into ids [accesses]; slots: int64 [accesses], strictly rising.
    """

    name: str
    declared: int
    samples: int
    per_sample: int
    one_hot: bool
    ids: NDArray[np.int64]
    numbers: NDArray[np.int64]
    slots: NDArray[np.int64]

    @property
    def length(self) -> int:
        """Slots of the clock, empty ones included."""
        return self.samples * self.per_sample

    @property
    def accesses(self) -> int:
        """Slots that hold a row."""
        return len(self.slots)

    def bag_sizes(self) -> NDArray[np.int64]:
        """Filled slots of every sample, int64 [samples]."""
        return np.bincount(self.slots // self.per_sample, minlength=self.samples).astype(np.int64)


def place(table: TableLookups, per_sample: int, kept: NDArray[np.bool_] | None = None) -> tuple[ClockedTable, int]:
    """The table on a clock of `per_sample` slots per sample, and how many lookups did not fit and were cut.

    kept: bool [samples]; samples that are not kept become empty (their lookups are not counted as cut).
    """
    if per_sample < 1:
        raise HotrowError(f"table {table.name!r}: {per_sample} slots per sample; at least 1 is needed")
    if table.offsets is None:
        slots, indices, cut = np.arange(table.samples, dtype=np.int64) * per_sample, table.indices, 0
    else:
        sample = np.repeat(np.arange(table.samples), np.diff(table.offsets))
        place_in_bag = np.arange(table.accesses) - table.offsets[sample]
        fits = place_in_bag < per_sample
        slots, indices = (sample * per_sample + place_in_bag)[fits], table.indices[fits]
        cut = int(np.count_nonzero(~fits if kept is None else ~fits & kept[sample]))
    if kept is not None:
        stays = kept[slots // per_sample]
        slots, indices = slots[stays], indices[stays]
    ids, numbers = dense(indices)
    placed = ClockedTable(
        table.name, table.rows, table.samples, per_sample, table.offsets is None, ids, numbers, slots.astype(np.int64)
    )
    return placed, cut


def dense(indices: NDArray[np.int64] | NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Distinct ids, rising, and every lookup's index among them, both int64."""
    if len(indices) and int(indices.max()) <= 8 * len(indices) + 1024:
        seen = np.zeros(int(indices.max()) + 1, np.bool_)
        seen[indices] = True
        return np.flatnonzero(seen).astype(np.int64), (np.cumsum(seen, dtype=np.int64) - 1)[indices]
    ids, numbers = np.unique(indices, return_inverse=True)
    return ids.astype(np.int64), numbers.astype(np.int64)


def kept_samples(trace: Trace, most: int) -> NDArray[np.bool_]:
    """Which samples stay when every user keeps the first `most` samples; bool [samples].

    Depends, for each sample, on its own user's samples alone. Raises HotrowError without user ids.
    """
    if trace.user is None:
        raise HotrowError(
            "the unit 'user' needs user ids and this trace has none; add a user column or choose the unit 'sample'"
        )
    order = np.argsort(trace.user, kind="stable")
    users = trace.user[order]
    starts = np.flatnonzero(np.concatenate(([True], users[1:] != users[:-1]))) if len(users) else np.zeros(0, np.int64)
    rank = np.arange(len(users)) - np.repeat(starts, np.diff(np.append(starts, len(users))))
    kept = np.empty(len(users), np.bool_)
    kept[order] = rank < most
    return kept
