"""The public clock: every sample owns L slots of a table, each a row or empty; contributions are bounded here.

Two traces are neighbours when the content of one unit's slots is replaced by *empty*. Nothing is re-indexed, so all
other accesses keep their slots, and a difference of slots (the reuse time) changes only next to what was removed.
"""

from __future__ import annotations

from collections.abc import Sequence
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
class Feature:
    """A column of the log that looks up a table: its slots in every sample, and one_hot: as of Clock. column: its place
    in the log."""

    name: str
    per_sample: int
    one_hot: bool
    column: int


@dataclass(frozen=True)
class Clock:
    """What is public of a table: samples × per_sample slots, and one_hot: whether every kept sample has exactly one
    lookup, by the form of the log. features: those that share the table, with their slots in this order; none where it
    has one alone."""

    name: str
    samples: int
    per_sample: int
    one_hot: bool
    features: tuple[Feature, ...] = ()

    def __post_init__(self) -> None:
        if self.per_sample < 1:
            raise HotrowError(f"table {self.name!r}: {self.per_sample} slots per sample; at least 1 is needed")
        if self.features and self.per_sample != sum(feature.per_sample for feature in self.features):
            raise HotrowError(f"table {self.name!r}: {self.per_sample} slots per sample; its features have others")

    @property
    def bags(self) -> tuple[int, ...]:
        """Slots of everything whose bag sizes are not known by its form: the table, or those features that share it."""
        if self.features:
            return tuple(feature.per_sample for feature in self.features if not feature.one_hot)
        return () if self.one_hot else (self.per_sample,)

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

    def bag_sizes(self, clock: Clock) -> list[Ints]:
        """Filled slots of every sample, int64 [samples], of everything in clock.bags."""
        sample = self.slots // clock.per_sample - self.before
        if not clock.features:
            return [np.bincount(sample, minlength=self.samples).astype(np.int64)] if clock.bags else []
        feature = feature_of(self.slots, [f.per_sample for f in clock.features])
        return [
            np.bincount(sample[feature == k], minlength=self.samples).astype(np.int64)
            for k, f in enumerate(clock.features)
            if not f.one_hot
        ]


def feature_of(slots: Ints, per_sample: Sequence[int]) -> Ints:
    """The feature that owns each slot of a shared table; per_sample: slots of every feature."""
    owner = np.repeat(np.arange(len(per_sample)), per_sample)
    return np.asarray(owner[slots % len(owner)], np.int64)


def place_on(clock: Clock, part: Trace, before: int, kept: NDArray[np.bool_] | None = None) -> Placed:
    """The lookups of the clock's table, or of all features that share it; before, kept: as of place."""
    if not clock.features:
        return place(part.table(clock.name), clock.per_sample, before, kept)
    start, slots, ids, declared, cut = 0, [], [], 0, 0
    for feature in clock.features:
        placed = place(part.table(feature.name), feature.per_sample, before, kept)
        sample, inside = np.divmod(placed.slots, feature.per_sample)
        slots.append(sample * clock.per_sample + start + inside)
        ids.append(placed.ids)
        start, declared, cut = start + feature.per_sample, max(declared, placed.declared), cut + placed.cut
    every = np.concatenate(slots)
    order = np.argsort(every, kind="stable")
    together: Indices = np.concatenate(ids)[order]  # type: ignore[assignment]
    return Placed(together, every[order], before, part.samples, declared, cut)


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
