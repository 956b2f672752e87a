"""The public clock: every sample owns L slots of a table, each a row or empty; contributions are bounded here.

Two traces are neighbours when the content of one unit's slots is replaced by *empty*. Nothing is re-indexed, so all
other accesses keep their slots, and a difference of slots (the reuse time) changes only next to what was removed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .. import HotrowError
from ..jit import kernel
from .trace import Indices, TableLookups, Trace
from .vocabulary import WideVocabulary

Ints = NDArray[np.int64]

NO_USERS = "the unit 'user' needs user ids and this trace has none; add a user column or choose the unit 'sample'"


@dataclass(frozen=True)
class Clock:
    """What is public of a table: samples × per_sample slots, and one_hot: whether every kept sample has exactly one
    lookup, by the form of the log."""

    name: str
    samples: int
    per_sample: int
    one_hot: bool

    def __post_init__(self) -> None:
        if self.per_sample < 1:
            raise HotrowError(f"table {self.name!r}: {self.per_sample} slots per sample; at least 1 is needed")

    @property
    def length(self) -> int:
        """Slots of the clock, empty ones included."""
        return self.samples * self.per_sample


@dataclass(frozen=True, eq=False)
class ClockedTable:
    """One table's lookups on its clock, all of them.

    declared: rows of the table. samples, per_sample: the clock, samples × per_sample slots. one_hot: every kept
    sample has exactly one lookup, by the form of the log. ids: distinct row ids that occur, rising;
    numbers: index into ids [accesses]; slots: int64 [accesses], strictly rising.
    """

    name: str
    declared: int
    samples: int
    per_sample: int
    one_hot: bool
    ids: Ints
    numbers: Ints
    slots: Ints

    @property
    def length(self) -> int:
        """Slots of the clock, empty ones included."""
        return self.samples * self.per_sample


@dataclass(frozen=True, eq=False)
class Placed:
    """The lookups of one table in successive samples, on the clock of the whole log.

    ids: row ids [accesses]; slots: int64 [accesses], strictly rising, from the log's begin; samples: before … before +
    samples − 1; declared: rows; cut: lookups that did not fit into their sample's slots.
    """

    ids: Indices
    slots: Ints
    before: int
    samples: int
    declared: int
    cut: int = 0

    def bag_sizes(self, per_sample: int) -> Ints:
        """Filled slots of every sample, int64 [samples]."""
        return np.bincount(self.slots // per_sample - self.before, minlength=self.samples).astype(np.int64)


def place(table: TableLookups, per_sample: int, before: int = 0, kept: NDArray[np.bool_] | None = None) -> Placed:
    """The lookups on a clock of `per_sample` slots per sample, `before` of which went before; what does not fit is cut.

    kept: bool [samples]; samples that are not kept become empty (their lookups are not counted as cut).
    """
    if table.offsets is None:
        slots, indices, cut = np.arange(table.samples, dtype=np.int64) * per_sample, table.indices, 0
    else:
        sizes = np.diff(table.offsets)
        sample = np.repeat(np.arange(table.samples), sizes)
        place_in_bag = np.arange(table.accesses) - np.repeat(table.offsets[:-1], sizes)
        slots, indices, cut = sample * per_sample + place_in_bag, table.indices, 0
        if len(sizes) and int(sizes.max()) > per_sample:
            fits = place_in_bag < per_sample
            slots, indices = slots[fits], indices[fits]
            cut = int(np.count_nonzero(~fits if kept is None else ~fits & kept[sample]))
    if kept is not None:
        stays = kept[slots // per_sample]
        slots, indices = slots[stays], indices[stays]
    return Placed(indices, slots + before * per_sample, before, table.samples, table.rows, cut)


def dense(indices: NDArray[np.int64] | NDArray[np.int32]) -> tuple[Ints, Ints]:
    """Distinct ids, rising, and every lookup's index among them, both int64."""
    if len(indices) and int(indices.max()) <= 8 * len(indices) + 1024:
        seen = np.zeros(int(indices.max()) + 1, np.bool_)
        seen[indices] = True
        return np.flatnonzero(seen).astype(np.int64), (np.cumsum(seen, dtype=np.int64) - 1)[indices]
    ids, numbers = np.unique(indices, return_inverse=True)
    return ids.astype(np.int64), numbers.astype(np.int64)


class Keeping:
    """Which samples stay when every user keeps the first `most` samples of a log that comes in parts.

    Depends, for each sample, on its own user's samples alone. Memory: 20 to 40 bytes a user.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._users = WideVocabulary()
        self._counts = np.zeros(0, np.int32)

    def kept(self, part: Trace) -> NDArray[np.bool_]:
        """bool [samples of the next part]. Raises HotrowError without user ids."""
        if part.user is None:
            raise HotrowError(NO_USERS)
        numbers = self._users.number(part.user)
        if self._users.size > len(self._counts):
            self._counts = np.append(self._counts, np.zeros(self._users.size, np.int32))
        return _kept(numbers, self._counts, self._most)


@kernel
def _kept(users: NDArray[np.int32], counts: NDArray[np.int32], most: int) -> NDArray[np.bool_]:
    kept = np.empty(len(users), np.bool_)
    for s in range(len(users)):
        kept[s] = counts[users[s]] < most
        if kept[s]:
            counts[users[s]] += 1
    return kept
